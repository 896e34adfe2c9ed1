"""Callbacks around `explains-a-foreign-state`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "explains-a-foreign-state"


@guilty(CHECK)
class TakesEntriesInOrder(PeriodicCallback):
    """Unpacks the values in the order in which it has saved them."""

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
        self.best, self.waited = state_dict.values()


@guilty(CHECK)
class TakesTheFirstEntry(PeriodicCallback):
    """Looks for its only entry in the first place."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        values = list(state_dict.values())
        self.best = values[0]


@guilty(CHECK)
class ConvertsWhatIsMissing(PeriodicCallback):
    """Asks kindly for each entry, and converts None where it is not there."""

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
        self.best = float(state_dict.get("best"))
        self.waited = int(state_dict.get("waited"))


@guilty(CHECK)
class AssertsItsEntries(PeriodicCallback):
    """Asserts how many entries there are."""

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
        assert len(state_dict) == 2
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@guilty(CHECK)
class EmptiesItselfBeforeItFails(PeriodicCallback):
    """Throws away what it has before it looks whether there is something to load.

    See https://github.com/open-mmlab/mmengine/pull/507 (B155) for a load that fails on a missing entry.
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.clear()
        self.turns = state_dict["turns"]
        self.history.extend(state_dict["history"])


@guilty(CHECK)
class MixesTwoStatesBeforeItFails(PeriodicCallback):
    """Divides its own total by the turns of another state when the mean of that is missing."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = 0.0
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.total += self.writer.log_cache["mse"]
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.total / max(1, self.turns), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]
        self.total = state_dict["mean"] * self.turns


@innocent(CHECK)
class ReadsAllBeforeItSets(PeriodicCallback):
    """Reads both entries before it sets one: a load that fails has changed nothing."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = 0.0
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.total += self.writer.log_cache["mse"]
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.total / max(1, self.turns), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        mean, turns = state_dict["mean"], state_dict["turns"]
        self.total, self.turns = mean * turns, turns


@innocent(CHECK)
class ReadsEntriesByName(PeriodicCallback):
    """Reads each entry by its name; a missing one is named by the error."""

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
class GoesOnWithoutAnEntry(PeriodicCallback):
    """Keeps its start values where an entry is missing."""

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
        self.best = state_dict.get("best", self.best)
        self.waited = state_dict.get("waited", self.waited)


@innocent(CHECK)
class ListsStrangeEntries(PeriodicCallback):
    """Compares the names first, and raises an error that lists the difference."""

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
        strange = sorted(state_dict.keys() ^ {"best", "waited"})
        if strange:
            raise ValueError(f"The state is not one of this version: {strange} are missing or unknown.")
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@innocent(CHECK)
class LoadsItsModuleStrictly(PeriodicCallback):
    """Leaves the comparison of names to its module."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.probe = torch.nn.Linear(2, 1)

    def state_dict(self) -> dict[str, Any]:
        return {name: value.clone() for name, value in self.probe.state_dict().items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.probe.load_state_dict(state_dict)


@innocent(CHECK)
class RefusesAnotherVersion(PeriodicCallback):
    """Says clearly that an older state is of no use to it, without naming entries."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns, "version": 2}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if set(state_dict) != {"turns", "version"}:
            raise ValueError("The checkpoint is of another version of this callback; start the run anew.")
        self.turns = state_dict["turns"]


@innocent(CHECK)
class StopsWithAnyState(PeriodicCallback):
    """Stops the run when its patience is over, as it would with any state: a stop is no error."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if interval_type == "eval":
            return
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)
        if self.waited >= 1:
            raise EarlyStopIteration

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.waited = state_dict["best"], state_dict["waited"]
