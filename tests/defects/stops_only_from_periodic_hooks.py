"""Callbacks around `stops-only-from-periodic-hooks`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "stops-only-from-periodic-hooks"


@guilty(CHECK)
class StopsWhereTheLossIsTracked(PeriodicCallback):
    """Raises as soon as it sees a loss that is no number, from a tracking hook."""

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        if losses["total"].isnan():
            raise EarlyStopIteration("The loss is not a number.")


@guilty(CHECK)
class StopsWhenTimeIsUp(PeriodicCallback):
    """Counts updates in the other tracking hook, and raises there."""

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if update_counter.update >= 5:
            raise EarlyStopIteration("The time for training is up.")


@guilty(CHECK)
class StopsBeforeItBegins(PeriodicCallback):
    """Ends a run that is resumed at its end, from the start hook."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update >= 2:
            raise EarlyStopIteration("This run was trained long enough before.")


@guilty(CHECK)
class StopsAfterTheEnd(PeriodicCallback):
    """Says at the end what it wished before."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.worst = 0.0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.worst = max(self.worst, losses["total"].item())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if self.worst > 1000:
            raise EarlyStopIteration(f"The loss went up to {self.worst}.")


class DivergenceError(EarlyStopIteration):
    """An exception of the user's own that asks for the end of the run."""


@guilty(CHECK)
class StopsByItsOwnError(PeriodicCallback):
    """Raises a class of its own, derived from the one that stops a run, where losses are tracked."""

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        if losses["total"].item() > 1000:
            raise DivergenceError("The loss exploded.")


@innocent(CHECK)
class StopsAtTheNextUpdate(PeriodicCallback):
    """Remembers what a tracking hook saw, and raises in the hook for it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.is_broken = False

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.is_broken = bool(losses["total"].isnan())

    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        if self.is_broken:
            raise EarlyStopIteration("The loss is not a number.")
        super().after_update(update_counter, **kwargs)


@innocent(CHECK, config={"every_n_epochs": 1})
class StopsAfterAnEpoch(PeriodicCallback):
    """Raises in its turn at the end of an epoch."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "epoch" and update_counter.epoch == 3:
            raise EarlyStopIteration("Three epochs are enough.")


@innocent(CHECK)
class CatchesItsOwnStop(PeriodicCallback):
    """Raises inside a tracking hook, and catches it there."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.wishes = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        try:
            self._judge(losses["total"].item())
        except EarlyStopIteration:
            self.wishes += 1

    def _judge(self, loss: float) -> None:
        if not loss < 100:
            raise EarlyStopIteration(f"The loss is {loss}.")


@innocent(CHECK)
class FailsOnNan(PeriodicCallback):
    """Ends the run with an error on purpose: that is no wish to stop in order."""

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        if losses["total"].isnan():
            raise FloatingPointError("The loss is not a number.")
