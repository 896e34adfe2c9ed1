"""Callbacks around `saves-what-it-changes`."""

from __future__ import annotations

import time
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "saves-what-it-changes"


@guilty(CHECK)
class SavesItsBestOnly(PeriodicCallback):
    """Saves the best value, and not how long it has waited for a better one.

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

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class ForgetsItsUpdates(PeriodicCallback):
    """Saves an average, and not how many updates are in it.

    See https://github.com/lightly-ai/lightly-train/pull/892 (B132).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.mean = 0.0
        self.updates = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.updates += 1
        self.mean += 0.1 * (losses["total"].item() - self.mean)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean = state_dict["mean"]


@guilty(CHECK)
class ForgetsItsHistory(PeriodicCallback):
    """Saves the last value, and not those before."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = 0.0
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.last = self.writer.log_cache["mse"]
        self.history.append(self.last)

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last = state_dict["last"]


@guilty(CHECK)
class ForgetsItsRate(PeriodicCallback):
    """Lowers a rate at each turn, and starts at the first one after a resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.rate = 1.0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.rate *= 0.9

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class ForgetsItsTensor(PeriodicCallback):
    """Saves its count, and not the tensor that grows with it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.sums = torch.zeros(2)

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.sums = self.sums + self.writer.log_cache["mse"]

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class ForgetsItsRestarts(PeriodicCallback):
    """Counts what it has restarted, under names in which there are a start and a time."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.restarts = 0
        self.best_time_step = 0

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.turns += 1
        self.restarts += 2
        self.best_time_step += update_counter.update

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class SavesAllThatChanges(PeriodicCallback):
    """Saves the best value, and how long it has waited for a better one."""

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
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@innocent(CHECK)
class EmptiesItsWindowAtEachTurn(PeriodicCallback):
    """Starts a window over at each interval, resumed or not."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[float] = []
        self.best = float("inf")

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.window:
            self.best = min(self.best, sum(self.window) / len(self.window))
            self.window = []

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class TakesTheTimeOfItsSession(PeriodicCallback):
    """Has a clock that starts with the session."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.began_s = 0.0
        self.session_turns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_s = time.perf_counter()

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.session_turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class ReadsItsLastValueAnew(PeriodicCallback):
    """Keeps what the last turn has read, which the next turn reads again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.last: float | None = None

    def periodic_callback(self, **_: Any) -> None:
        self.last = self.writer.log_cache["mse"]
        self.best = min(self.best, self.last)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class DerivesWhatItDoesNotSave(PeriodicCallback):
    """Works its count out of what it has loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])
        self.turns = len(self.history)

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])
        self.turns = len(self.history)


@innocent(CHECK)
class KeepsWhatItsNamesCallPassing(PeriodicCallback):
    """Has attributes whose names say that they belong to the session, or can be made again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.turns_of_session = 0
        self.start_turns = 0
        self.cached_turns = 0
        self._last_started = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.turns_of_session += 1
        self.start_turns += 1
        self.cached_turns += 1
        self._last_started += 1

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]
