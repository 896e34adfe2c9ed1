"""Callbacks around `isolates-instances`."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "isolates-instances"


@guilty(CHECK)
class SharesItsHistory(PeriodicCallback):
    """Has a list for a class attribute."""

    history: list[float] = []  # noqa: RUF012 - it is the fault

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.history.append(losses["total"].item())

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if self.history:
            self.writer.add_scalar(f"{interval_type}/mean", sum(self.history) / len(self.history))


@guilty(CHECK)
class SharesADefault(PeriodicCallback):
    """Has a list for a default.

    See https://github.com/tflearn/tflearn/pull/1146 (B202).
    """

    def __init__(self, callback_config: CallBackBaseConfig, seen: list[int] = [], **kwargs: Any) -> None:  # noqa: B006
        super().__init__(callback_config, **kwargs)
        self.seen = seen

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.seen.append(update_counter.update)


class KeysConfig(CallBackBaseConfig):
    """Config with values that can be changed."""

    keys: list[str] = Field(default=["mse"])
    limits: dict[str, dict[str, float]] = Field(default={"mse": {"low": 0.0}})


@guilty(CHECK)
class AddsToItsConfig(PeriodicCallback):
    """Adds a key to the list of its config when it is built."""

    def __init__(self, callback_config: KeysConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.wanted = callback_config.keys
        self.wanted.append("total")


@guilty(CHECK)
class TightensItsConfig(PeriodicCallback):
    """Changes a nested value of its config in a run."""

    def __init__(self, callback_config: KeysConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.config = callback_config

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.config.limits["mse"]["low"] = float(update_counter.update)


@guilty(CHECK)
class KeepsTheBestOfAllRuns(PeriodicCallback):
    """Keeps its best value in the class, so that the next run has to beat it."""

    best: ClassVar[float] = float("inf")

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        type(self).best = min(self.best, losses["total"].item())

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.writer.add_scalar(f"{interval_type}/best", self.best)


@innocent(CHECK)
class HasConstantsInItsClass(PeriodicCallback):
    """Has class attributes that nobody changes, and a history of its own."""

    names: ClassVar[dict[str, str]] = {"update": "updates", "epoch": "epochs"}
    rows: ClassVar[list[float]] = []

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rows = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.rows.append(losses["total"].item())


@innocent(CHECK)
class RegistersItself(PeriodicCallback):
    """Keeps a list of all that were built, for whoever asks; it changes nothing in a run."""

    registry: ClassVar[list[str]] = []

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.registry.append(self.checkpoint_key)


@innocent(CHECK)
class RemembersWhatIsAlwaysTheSame(PeriodicCallback):
    """Has a cache in its class: what is in it is the same for every instance."""

    cache: ClassVar[dict[int, float]] = {}

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        turn = update_counter.update
        if turn not in self.cache:
            self.cache[turn] = 1.0 / (1 + turn)
        self.writer.add_scalar(f"{interval_type}/weight", self.cache[turn])


@innocent(CHECK)
class CopiesItsConfig(PeriodicCallback):
    """Copies what it wants to change."""

    def __init__(self, callback_config: KeysConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.wanted = [*callback_config.keys, "total"]
        self.current_limits = callback_config.model_copy(deep=True).limits

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.current_limits["mse"]["low"] = float(update_counter.update)
