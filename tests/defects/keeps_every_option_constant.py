"""Callbacks around `keeps-every-option-constant`."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "keeps-every-option-constant"


class AverageConfig(CallBackBaseConfig):
    """Config of an average."""

    decay: float = 0.9
    keys: list[str] = Field(default=["mse"])
    patience: int = 3


class Average(PeriodicCallback):
    """Keeps its options as attributes."""

    def __init__(self, callback_config: AverageConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.decay = callback_config.decay
        self.keys = list(callback_config.keys)
        self._patience = callback_config.patience
        self.average = 0.0


@guilty(CHECK)
class OverwritesItsDecay(Average):
    """Puts the decay of the warm-up in place of the one that was asked for.

    See https://github.com/huggingface/diffusers/issues/1864 (B042).
    """

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.decay = min(self.decay, (1 + update_counter.update) / (10 + update_counter.update))
        self.average = self.decay * self.average + (1 - self.decay) * update_counter.update


@guilty(CHECK)
class CountsItsPatienceDown(Average):
    """Counts in the option itself."""

    def periodic_callback(self, **_: Any) -> None:
        self._patience -= 1


@guilty(CHECK)
class AddsToItsKeys(Average):
    """Adds what it found to the list that was asked for."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.keys.append(f"{interval_type}/found")


@guilty(CHECK, kwargs={"warmup": 4})
class UsesUpItsArgument(CallbackBase):
    """Takes its option as an argument, and sets it to zero when it has used it."""

    def __init__(self, warmup: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warmup = warmup

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.warmup = max(0, self.warmup - 10)


@innocent(CHECK)
class WarmsUpBesideItsDecay(Average):
    """Has an attribute of its own for the decay of the update."""

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        current = min(self.decay, (1 + update_counter.update) / (10 + update_counter.update))
        self.average = current * self.average + (1 - current) * update_counter.update


@innocent(CHECK)
class CountsBesideItsPatience(Average):
    """Counts in an attribute that starts from the option."""

    def __init__(self, callback_config: AverageConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns_left = self._patience

    def periodic_callback(self, **_: Any) -> None:
        self.turns_left -= 1


@innocent(CHECK)
class HasAnAttributeOfTheSameName(Average):
    """Has a counter under the name of an option that it keeps elsewhere."""

    def __init__(self, callback_config: AverageConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.limit = callback_config.patience
        self.patience = 0

    def periodic_callback(self, **_: Any) -> None:
        self.patience = min(self.limit, self.patience + 1)


@innocent(CHECK)
class PutsItsOptionBack(Average):
    """Changes an option for a moment within a hook."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        decay, self.decay = self.decay, 0.0
        self.average = self.decay * self.average + update_counter.update
        self.decay = decay
