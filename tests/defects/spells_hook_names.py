"""Callbacks around `spells-hook-names`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "spells-hook-names"


@guilty(CHECK)
class WaitsForTheEndOfAnEpoch(PeriodicCallback):
    """Has a hook of another framework.

    A set-up method under a name that only other classes call: https://github.com/huggingface/trl/pull/4558 (B151).
    """

    def on_epoch_end(self, update_counter: UpdateCounter) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@guilty(CHECK)
class ShortensTraining(CallbackBase):
    """Is one word away from the end hook."""

    def after_train(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("updates", update_counter.update)


@guilty(CHECK)
class WaitsForUpdatesThatNobodyTells(CallbackBase):
    """Overrides a hook that only periodic callbacks have."""

    def after_update(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@guilty(CHECK, config={"every_n_updates": 4})
class ProcessesDataThatNobodyBrings(PeriodicCallback):
    """Processes data as data iterator callbacks do, and is none."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"]


@guilty(CHECK)
class WritesTheNameInAnotherStyle(PeriodicCallback):
    """Writes a hook's name in camel case."""

    def periodicCallback(self, **_: Any) -> None:  # noqa: N802
        self.writer.add_scalar("parameters", self.model.param_count)


@guilty(CHECK, config={"every_n_updates": 4, "dataset_key": "test"})
class TakesResultsThatItKeepsBack(PeriodicDataIteratorCallback):
    """Overrides the caller of `process_results`, and calls it no more."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"]

    def periodic_callback(self, *, data_iter: Any, trainer_model: torch.nn.Module, batch_size: int, **_: Any) -> None:
        self._iterate_over_dataset(batch_size=batch_size, data_iter=data_iter, trainer_model=trainer_model)

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.writer.add_scalar("test/mean", results.mean())


@guilty(CHECK)
class KeepsItsStateUnderAnotherName(PeriodicCallback):
    """Hands its state out as callbacks of another framework do, and nobody asks for it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def get_state(self) -> dict[str, int]:
        """Returns the state."""
        return {"turns": self.turns}


@innocent(CHECK)
class SavesItsStateForNotebooks(PeriodicCallback):
    """Has a public method that writes the state to a file, beside the hook that hands it out."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def save_state(self, path: str) -> None:
        """Writes the state to a file."""
        torch.save(self.state_dict(), path)

    def get_state(self) -> dict[str, int]:
        """Returns the state."""
        return self.state_dict()

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class SavesItsWeightsForNotebooks(PeriodicCallback):
    """Has no state, and a public method whose parameters no hook has."""

    def save_state(self, path: str) -> None:
        """Writes the weights to a file."""
        torch.save(self.model.state_dict(), path)


@innocent(CHECK)
class CallsItsHelper(PeriodicCallback):
    """Has helpers with such names, and calls them."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        handle = {"update": self.on_update_end, "eval": self.on_evaluate}.get(interval_type)
        if handle is not None:
            handle(update_counter)

    def on_update_end(self, update_counter: UpdateCounter) -> None:
        """Logs the progress."""
        self.writer.add_scalar("progress", update_counter.epoch_as_float)

    def on_evaluate(self, update_counter: UpdateCounter) -> None:
        """Logs the size of the model."""
        self.writer.add_scalar("parameters", self.model.param_count)


class Listener:
    """The base class of another library, which calls its own hooks."""

    def on_train_end(self) -> None:
        """Called by that library."""


@innocent(CHECK)
class ServesTwoFrameworks(Listener, CallbackBase):
    """Overrides a hook of another library's base class, which it derives from, too."""

    def on_train_end(self) -> None:
        self.finished = True


@innocent(CHECK)
class OffersAPublicMethod(PeriodicCallback):
    """Has public methods for whoever holds the callback; none looks like a hook."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.norms: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.norms.append(sum(weight.norm() for weight in self.model.parameters()).item())

    def averaged_state_dict(self) -> dict[str, float]:
        """Returns the mean norm."""
        return {"norm": sum(self.norms) / max(1, len(self.norms))}

    def reset(self) -> None:
        """Forgets the norms."""
        self.norms.clear()


@innocent(CHECK, config={"every_n_updates": 2})
class ActsInEvaluationsOnly(PeriodicCallback):
    """Switches its turns in training off."""

    def after_update(self, update_counter: UpdateCounter, **_: Any) -> None:
        pass

    def after_epoch(self, update_counter: UpdateCounter, **_: Any) -> None:
        pass

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("parameters", self.model.param_count)
