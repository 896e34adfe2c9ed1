"""Callbacks around `loads-without-changing-its-input`."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "loads-without-changing-its-input"


@guilty(CHECK)
class PopsFromItsInput(PeriodicCallback):
    """Takes its entries out of the mapping that it was given.

    See https://github.com/pytorch/pytorch/issues/32756 (B152).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict.pop("best")
        self.waited = state_dict.pop("waited")


@guilty(CHECK)
class ConvertsItsInput(PeriodicCallback):
    """Makes a window out of the list, in the mapping itself."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: deque[float] = deque(maxlen=3)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"window": list(self.window)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state_dict["window"] = deque(state_dict["window"], maxlen=3)
        self.window = state_dict["window"]


@guilty(CHECK)
class TakesItsInputApart(PeriodicCallback):
    """Empties a nested list while it reads it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"metrics": {"history": list(self.history)}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        values = state_dict["metrics"]["history"]
        self.history = []
        while values:
            self.history.append(values.pop(0))


@guilty(CHECK)
class MigratesItsInput(PeriodicCallback):
    """Adds to an older state what it lacks, where it lies."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state_dict["version"] = state_dict.get("version", 1) + 1
        self.best = state_dict["best"]


@guilty(CHECK)
class ScalesItsInput(PeriodicCallback):
    """Turns a sum into a mean in the tensor that it was given."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = torch.ones(3)

    def periodic_callback(self, **_: Any) -> None:
        self.total = self.total + 1

    def state_dict(self) -> dict[str, Any]:
        return {"total": (self.total * 2).clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total = state_dict["total"].div_(2)


@innocent(CHECK)
class PopsFromACopy(PeriodicCallback):
    """Takes the entries out of a copy."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        entries = dict(state_dict)
        self.best = entries.pop("best")
        self.waited = entries.pop("waited")


@innocent(CHECK)
class KeepsWhatItWasGiven(PeriodicCallback):
    """Goes on with the mapping itself, which the trainer reads anew for each load."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.values: dict[str, Any] = {"turns": 0, "history": []}

    def periodic_callback(self, **_: Any) -> None:
        self.values["turns"] += 1
        self.values["history"].append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self.values)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = state_dict


@innocent(CHECK)
class ReadsOneEntryAfterAnother(PeriodicCallback):
    """Goes through the entries, and converts what it keeps."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: deque[float] = deque(maxlen=3)
        self.turns = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"window": list(self.window), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, deque(value, maxlen=3) if name == "window" else value)


@innocent(CHECK)
class MigratesACopy(PeriodicCallback):
    """Adds to a copy of an older state what it lacks."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        entries = {"turns": 0, **state_dict}
        self.best = entries["best"]
        self.turns = entries["turns"]
