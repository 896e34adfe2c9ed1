"""Callbacks around `loads-twice-like-once`."""

from __future__ import annotations

from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "loads-twice-like-once"


@guilty(CHECK)
class AppendsWhatItLoads(PeriodicCallback):
    """Adds what it loads to the list that is there: the second load doubles it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.extend(state_dict["history"])


@guilty(CHECK)
class AddsWhatItLoads(PeriodicCallback):
    """Adds the loaded total to its own."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = 0.0

    def periodic_callback(self, **_: Any) -> None:
        self.total += self.writer.log_cache["mse"]

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total += state_dict["total"]


@guilty(CHECK)
class MultipliesWhatItLoads(PeriodicCallback):
    """Multiplies its scale by the loaded one."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.scale = 1.0

    def periodic_callback(self, **_: Any) -> None:
        self.scale *= 0.9

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.scale *= state_dict["scale"]


@guilty(CHECK)
class ComparesWithTheFirstWeights(PeriodicCallback):
    """Takes the weights of the first load for those of the checkpoint, and they are still fresh."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.start: float | None = None

    def norm(self) -> float:
        return sum(float(value.detach().norm()) for value in self.model.parameters())

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        if self.start is not None:
            self.writer.add_scalar(f"{self.checkpoint_key}/grown", self.norm() - self.start)

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]
        if self.start is None:
            self.start = self.norm()


@guilty(CHECK)
class WritesALineForEachLoad(PeriodicCallback):
    """Notes a resume in its file when it is loaded, which is twice."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]
        with (self.trainer.path_provider.run_output_path / f"{self.checkpoint_key}.txt").open("a") as file:
            file.write(f"resumed at turn {self.turns}\n")


@innocent(CHECK)
class SetsWhatItLoads(PeriodicCallback):
    """Sets what it loads."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])


@innocent(CHECK)
class EmptiesItsListBeforeItLoads(PeriodicCallback):
    """Fills the list that is there, when it has emptied it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        loaded = list(state_dict["history"])
        self.history.clear()
        self.history.extend(loaded)


@innocent(CHECK)
class ComparesWithTheLastWeights(PeriodicCallback):
    """Looks at the weights at each load, and tells what it saw last: those of the checkpoint."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.start: float | None = None

    def norm(self) -> float:
        return sum(float(value.detach().norm()) for value in self.model.parameters())

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        if self.start is not None:
            self.logger.info("The weights have grown by %s since the resume.", self.norm() - self.start)

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]
        self.start = self.norm()


@innocent(CHECK)
class TakesTheFirstLoadOnly(PeriodicCallback):
    """Loads once, and passes over the second time."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.loaded = False

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self.loaded:
            self.best = state_dict["best"]
            self.loaded = True


@innocent(CHECK)
class CountsEachStart(PeriodicCallback):
    """Counts sessions where there is one call a session."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.starts = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.starts += 1

    def state_dict(self) -> dict[str, Any]:
        return {"starts": self.starts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.starts = state_dict["starts"]
