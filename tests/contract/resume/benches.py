"""Callbacks and benches for the tests of resume experiments."""

from __future__ import annotations

from typing import Any

import torch

from noether_testkit import Subject
from noether_testkit.contract.bench import Bench, rehearse
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig


class Idle(PeriodicCallback):
    """Does nothing, with an interval."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


class Bare(CallbackBase):
    """Does nothing, without an interval."""


class Reads(Idle):
    """Reads the loss, and keeps nothing."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("copy", self.writer.log_cache["mse"])


class Waits(Idle):
    """Counts its turns, and forgets them at a resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        self.waited += 1
        self.writer.add_scalar("waited", self.waited)


class Gathers(Idle):
    """Averages losses between two turns."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0.0
        self.values = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.sum += losses["total"].item()
        self.values += 1

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("mean", self.sum / max(1, self.values))
        self.sum, self.values = 0.0, 0


class GathersByHalves(Gathers):
    """Saves one half of its window."""

    def state_dict(self) -> dict[str, float]:
        return {"sum": self.sum}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.sum = state_dict["sum"]


class Slides(Idle):
    """Shows the mean of its last three values."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.last = [*self.last, self.writer.log_cache["mse"]][-3:]
        self.writer.add_scalar("mean", sum(self.last) / len(self.last))


def bench_of(callback: Any, **fields: Any) -> Bench:
    """Returns a bench for a callback on the fakes."""
    subject = Subject.of(callback, **fields)
    return Bench(subject, FakeHarness(), rehearse(subject, FakeHarness()))
