"""Callbacks around `has-state-of-the-right-shape`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "has-state-of-the-right-shape"


@guilty(CHECK)
class AnswersAList(PeriodicCallback):
    """Saves its values in an order instead of under names."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.patience = 3

    def state_dict(self) -> list[float]:
        return [self.best, self.patience]

    def load_state_dict(self, state_dict: list[float]) -> None:
        self.best, self.patience = state_dict


@guilty(CHECK)
class AnswersANumber(CallbackBase):
    """Saves its only value as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.runs = 0

    def state_dict(self) -> int:
        return self.runs

    def load_state_dict(self, state_dict: int) -> None:
        self.runs = state_dict


class Best(NamedTuple):
    """The best value and where it came from."""

    value: float
    update: int


@guilty(CHECK)
class AnswersANamedTuple(CallbackBase):
    """Saves an object with named fields, which is no mapping."""

    def state_dict(self) -> Best:
        return Best(0.5, 3)

    def load_state_dict(self, state_dict: Best) -> None:
        self.best = state_dict


@guilty(CHECK)
class KeysByUpdate(PeriodicCallback):
    """Saves a history by update, so that the keys are numbers once there is one."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: dict[int, float] = {}

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.history[update_counter.update] = update_counter.epoch_as_float

    def state_dict(self) -> dict[int, float]:
        return dict(self.history)

    def load_state_dict(self, state_dict: dict[int, float]) -> None:
        self.history = dict(state_dict)


@guilty(CHECK)
class KeysByClass(CallbackBase):
    """Saves under classes, so that reading a checkpoint needs the code that wrote it.

    See https://github.com/Lightning-AI/pytorch-lightning/pull/6886 (B052).
    """

    def state_dict(self) -> dict[type, int]:
        return {type(self): 0}

    def load_state_dict(self, state_dict: dict[type, int]) -> None:
        self.runs = state_dict[type(self)]


@guilty(CHECK)
class HasNoStateBeforeTraining(PeriodicCallback):
    """Makes in its start hook what `state_dict` reads, and is asked before that."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.best = float("inf")

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class StacksAnEmptyWindow(PeriodicCallback):
    """Joins its window into one tensor, which an empty window does not allow."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[torch.Tensor] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"])

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"window": torch.stack(self.window)}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.window = list(state_dict["window"])


@guilty(CHECK)
class YieldsItsState(CallbackBase):
    """Became a generator by a `yield` too many."""

    def state_dict(self) -> Any:
        yield "runs", 0

    def load_state_dict(self, state_dict: Any) -> None:
        self.runs = dict(state_dict)["runs"]


@innocent(CHECK, "round-trips-its-state")
class AnswersAnOrderedDict(CallbackBase):
    """Saves a mapping of another class, and a plain one comes back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = OrderedDict(first=1.0, second=2.0)

    def state_dict(self) -> OrderedDict[str, float]:
        return OrderedDict(self.values)

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.values = dict(state_dict)


@innocent(CHECK, "is-stateful-from-construction", "saves-and-loads-as-a-pair")
class AnswersAnEmptyDict(CallbackBase):
    """Has a state without entries, which is a state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


@innocent(CHECK)
class AnswersNoneOnPurpose(CallbackBase):
    """Says that it has no state, as the base class does."""

    def state_dict(self) -> None:
        return None


@dataclass
class Progress:
    """What a callback has seen so far."""

    best: float = float("inf")
    update: int = 0


@innocent(CHECK, "saves-what-loads-safely")
class SavesTheFieldsOfADataclass(PeriodicCallback):
    """Keeps its values in an object and saves their names and values."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.progress = Progress()

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.progress = Progress(1.0 / max(update_counter.update, 1), update_counter.update)

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self.progress))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.progress = Progress(**state_dict)


@innocent(CHECK, "round-trips-its-state")
class KeysItsHistoryByUpdateBelow(PeriodicCallback):
    """Has numbers for keys below the first level."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: dict[int, float] = {}

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.history[update_counter.update] = update_counter.epoch_as_float

    def state_dict(self) -> dict[str, dict[int, float]]:
        return {"history": dict(self.history)}

    def load_state_dict(self, state_dict: dict[str, dict[int, float]]) -> None:
        self.history = dict(state_dict["history"])
