"""Callbacks around `shares-a-run-with-its-twin`."""

from __future__ import annotations

import json
from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "shares-a-run-with-its-twin"


@guilty(CHECK, config={"every_n_updates": 2, "id": "first"})
class KeysItsStateByItsClass(PeriodicCallback):
    """Stores its state under the name of its class, whatever it is called.

    See https://github.com/Emmi-AI/noether/pull/114 (B201).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    @property
    def checkpoint_key(self) -> str:
        return type(self).__name__

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class WritesOneTable(PeriodicCallback):
    """Writes a table under a fixed name."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        with (self.trainer.path_provider.run_output_path / "progress.csv").open("a") as file:
            file.write(f"{update_counter.update},{self.every_n_updates}\n")


@guilty(CHECK)
class WritesOneBestFile(PeriodicCallback):
    """Writes the best weights under one name."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if interval_type != "eval" and value < self.best:
            self.best = value
            self.checkpoint_writer.save_model_checkpoint("best", "latest", self.model.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class WritesOneSummary(PeriodicCallback):
    """Writes how often it acted into a file of a fixed name."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        (self.trainer.path_provider.run_output_path / "summary.json").write_text(json.dumps({"turns": self.turns}))

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class TakesAPlaceOfWhichThereIsOne(PeriodicCallback):
    """Takes a folder for itself that must not be there."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        (self.trainer.path_provider.run_output_path / "samples").mkdir()


@innocent(CHECK)
class NamesItsTable(PeriodicCallback):
    """Has its key in the name of its table."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        with (self.trainer.path_provider.run_output_path / f"{self.checkpoint_key}.csv").open("a") as file:
            file.write(f"{update_counter.update},{self.every_n_updates}\n")


@innocent(CHECK)
class RefusesASecondOne(PeriodicCallback):
    """Says clearly that one of its kind is enough."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if sum(isinstance(each, RefusesASecondOne) for each in self.trainer.callbacks) > 1:
            raise ValueError("One RefusesASecondOne is enough for a run; take the others out of the config.")

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class IsStatelessUnderOneKey(PeriodicCallback):
    """Has one key for all instances, and no state to store under it."""

    @property
    def checkpoint_key(self) -> str:
        return "stateless"

    def periodic_callback(self, **_: Any) -> None:
        self.logger.info("Still here.")


@innocent(CHECK)
class LogsUnderOneKey(PeriodicCallback):
    """Logs under one key for all instances, which is a matter of advice."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.writer.add_scalar("progress/turns", self.turns)

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class WritesWhatIsTheSameForAll(PeriodicCallback):
    """Writes the names of the parameters, which are the same for every instance."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        names = "\n".join(name for name, _ in self.model.named_parameters())
        (self.trainer.path_provider.run_output_path / "parameters.txt").write_text(names)


@innocent(CHECK)
class HasStateUnderItsName(PeriodicCallback):
    """Saves a state under the name that it was given."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]
