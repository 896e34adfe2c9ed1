"""Callbacks around `round-trips-its-state`."""

from __future__ import annotations

import time
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "round-trips-its-state"


@guilty(CHECK)
class LoadsUnderAnotherKey(PeriodicCallback):
    """Renamed a key where it is saved, and not where it is loaded with a default."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, float]:
        return {"best_value": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict.get("best", float("inf"))


@guilty(CHECK)
class SavesOneFieldFromAnother(PeriodicCallback):
    """Writes one entry from the attribute of another.

    See https://github.com/huggingface/diffusers/pull/2146 (B135).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.decay = 0.99
        self.min_decay = 0.5

    def state_dict(self) -> dict[str, float]:
        return {"decay": self.decay, "min_decay": self.decay}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.min_decay = state_dict["decay"]
        self.decay = state_dict["min_decay"] / 2


@guilty(CHECK)
class ForgetsItsPatience(PeriodicCallback):
    """Takes back one of two values: patience starts anew.

    See https://github.com/huggingface/transformers/issues/28544 (B001).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK, metrics={"error": [0.4, 0.0]})
class TakesZeroForNothing(PeriodicCallback):
    """Takes a best value of zero for a missing one."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["error"])

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict.get("best") or float("inf")


@guilty(CHECK)
class TurnsATensorIntoANumber(PeriodicCallback):
    """Takes a tensor back as a number, on which the next update then fails."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.mean = torch.zeros(())

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.mean = torch.as_tensor(self.mean).lerp(losses["total"], 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean = float(state_dict["mean"])


@guilty(CHECK)
class LoadsInHalfPrecision(PeriodicCallback):
    """Saves an average in full precision and takes it back in half of it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.full((3,), 0.1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"average": self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.average = state_dict["average"].half()


@guilty(CHECK)
class ReadsAKeyThatIsNotThere(PeriodicCallback):
    """Reads a key that it never writes.

    See https://github.com/ultralytics/yolov5/issues/2343 (B157).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def state_dict(self) -> dict[str, float]:
        return {"best_value": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class LoadsPartOfAModule(CallbackBase):
    """Hands the whole state to a module that knows one entry only: torch refuses, not the callback."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = nn.Linear(2, 1)

    def state_dict(self) -> dict[str, Any]:
        return {"head": {name: value.clone() for name, value in self.head.state_dict().items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.head.load_state_dict(state_dict)


class Best(PeriodicCallback):
    """A stateful callback that composites drive."""

    def __init__(self, callback_config: CallBackBaseConfig, *, sign: float, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sign = sign
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.sign * self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class MixesUpItsChildren(PeriodicCallback):
    """Gives its children their states in the wrong order."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.children = [Best(callback_config, sign=sign, **kwargs) for sign in (1.0, -1.0)]

    def get_children(self) -> list[CallbackBase]:
        return self.children

    def periodic_callback(self, **kwargs: Any) -> None:
        for child in self.children:
            child.periodic_callback(**kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {"children": [child.state_dict() for child in self.children]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for child, state in zip(self.children, reversed(state_dict["children"]), strict=True):
            child.load_state_dict(state)


@innocent(CHECK)
class LoadsWhatItSaves(PeriodicCallback):
    """Takes back every value under the name under which it was saved."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@innocent(CHECK, metrics={"error": [0.4, float("nan")]})
class SavesNan(PeriodicCallback):
    """Has NaN in its state, in numbers and in tensors."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = float("nan")
        self.history = torch.full((2,), float("nan"))

    def periodic_callback(self, **_: Any) -> None:
        self.last = self.writer.log_cache["error"]

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last, "history": self.history.clone(), "nested": [{"last": (self.last,)}]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last = state_dict["last"]
        self.history = state_dict["history"]


@innocent(CHECK, "keeps-loaded-state-at-start")
class RefusesToResume(PeriodicCallback):
    """Says clearly that it cannot go on where it was."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        raise NotImplementedError("A search for learning rates cannot be resumed; start it anew.")


@innocent(CHECK)
class AveragesInAnotherType(PeriodicCallback):
    """Averages in double precision, saves in half of it, and loads what it saved."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.mean = torch.zeros((), dtype=torch.float64)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.mean = self.mean.lerp(losses["total"].double(), 0.1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"mean": self.mean.bfloat16()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.mean = state_dict["mean"].to(self.model.device, torch.float64)


@innocent(CHECK, "keeps-loaded-state-at-start")
class SavesAClock(PeriodicCallback):
    """Saves when the session began, which no two runs have in common; what it counts is compared all the same."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.began_at_s = time.time()
        self.turns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_at_s = time.time()

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"began_at_s": self.began_at_s, "now_s": time.time(), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class LeavesItsWindowOut(PeriodicCallback):
    """Keeps a half-filled window, a timer and a cache out of its state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[float] = []
        self.began_s = time.perf_counter()
        self.names: list[str] | None = None
        self.best = float("inf")

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.window.clear()
        self.began_s = time.perf_counter()
        self.names = [name for name, _ in self.model.named_parameters()]

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.window:
            self.best = min(self.best, sum(self.window) / len(self.window))
            self.window.clear()

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class KeepsAHistoryOfNumbers(PeriodicCallback):
    """Has a state that grows by a plain number a turn."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, list[float]]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.history = list(state_dict["history"])


@innocent(CHECK)
class KeepsItsChildrenApart(PeriodicCallback):
    """Gives each child its own state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.children = {
            name: Best(callback_config, sign=sign, **{**kwargs, "name": name})
            for name, sign in (("lowest", 1.0), ("highest", -1.0))
        }

    def get_children(self) -> list[CallbackBase]:
        return list(self.children.values())

    def periodic_callback(self, **kwargs: Any) -> None:
        for child in self.get_children():
            child.periodic_callback(**kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {name: child.state_dict() for name, child in self.children.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, child in self.children.items():
            child.load_state_dict(state_dict[name])
