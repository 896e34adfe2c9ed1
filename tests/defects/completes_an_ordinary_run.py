"""Callbacks around `completes-an-ordinary-run`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import (
    CallbackBase,
    EarlyStopIteration,
    PeriodicCallback,
    PeriodicDataIteratorCallback,
)
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "completes-an-ordinary-run"


@guilty(CHECK)
class LogsAfterTheLastEntry(PeriodicCallback):
    """Logs a value after training, when the entry of the last update is closed: the run dies at its very end."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.writer.add_scalar("weights/norm", sum(weight.norm() for weight in self.model.parameters()))


@guilty(CHECK)
class LogsOneKeyAtTwoIntervals(PeriodicCallback):
    """Logs the same key in two rounds that share an entry when an update ends an epoch."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)

    def after_epoch(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        self.periodic_callback(interval_type="epoch", update_counter=update_counter)


@guilty(CHECK)
class CountsOnOutputs(PeriodicCallback):
    """Reads the outputs of an update, which are `None` where the loss hands out nothing but losses."""

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        self.spread = update_outputs["y"].detach().std().item()


@guilty(CHECK)
class KnowsTheNameOfTheLoss(PeriodicCallback):
    """Reads the loss under a name that another loss function does not have."""

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.loss = losses["loss"].item()


@guilty(CHECK)
class ReadsGroupsFromTheWrapper(PeriodicCallback):
    """Asks the framework's optimiser for `param_groups`, which only the torch optimiser inside has."""

    def periodic_callback(self, **_: Any) -> None:
        for index, group in enumerate(self.model.optimizer.param_groups):
            self.writer.add_scalar(f"rate/{index}", group["lr"])


@guilty(CHECK)
class AveragesEveryEntryOfABatch(PeriodicCallback):
    """Takes the mean of every entry of a batch, the integer indices among them."""

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        self.means = {key: value.mean().item() for key, value in batch.items()}


class Child(PeriodicCallback):
    """A callback that a composite drives."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"{interval_type}/progress", update_counter.epoch_as_float)


@guilty(CHECK)
class DropsAKeywordOfItsChild(PeriodicCallback):
    """Does not hand every keyword on to its child.

    See https://github.com/pykeen/pykeen/pull/645 (B147).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.child = Child(callback_config, **kwargs)

    def get_children(self) -> list[CallbackBase]:
        return [self.child]

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.child.periodic_callback(update_counter=update_counter)


@guilty(CHECK)
class LogsAWholeTensor(PeriodicCallback):
    """Logs a tensor with several elements as a scalar."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("head/weight", next(self.model.net.head.parameters()))


class StopConfig(CallBackBaseConfig):
    """Config of an early stopper."""

    metric_key: str
    target: float = 0.75


@innocent(CHECK, "keeps-loaded-state-at-start", config={"every_n_updates": 1, "metric_key": "loss/test"})
class StopsWhenGoodEnough(PeriodicCallback):
    """Raises to end the run, from the hook in which the trainer honours it."""

    def __init__(self, callback_config: StopConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.config = callback_config
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache[self.config.metric_key])
        if interval_type != "eval" and self.best < self.config.target:
            raise EarlyStopIteration(f"{self.config.metric_key} is {self.best}.")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK, config={"every_n_epochs": 1}, metrics={"accuracy": [0.1, 0.2, 0.3]})
class RaisesWhereAMetricIsMissing(PeriodicCallback):
    """Says clearly which metric it misses; the series of the subject gives it."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        values = self.writer.get_all_metric_values("accuracy")
        if interval_type == "eval":
            return
        if not values:
            raise KeyError("No value of accuracy was logged before this epoch ended.")
        self.writer.add_scalar("accuracy/best", max(values))


@innocent(CHECK, config={"every_n_updates": 2, "id": "second"}, companions=(Child,))
class RunsAfterACompanion(PeriodicCallback):
    """Reads what a companion logs before its turn."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.writer.add_scalar(f"{interval_type}/doubled", 2 * self.writer.log_cache[f"{interval_type}/progress"])


@innocent(CHECK)
class SumsUpForTheTracker(PeriodicCallback):
    """Gives what it knows at the end to the tracker's summary, not to the log."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        norm = sum(weight.norm() for weight in self.model.parameters())
        self.tracker.set_summary("weights/norm", norm.item())


@innocent(CHECK)
class LogsAtSeveralIntervals(PeriodicCallback):
    """Logs under one key an interval, so that two that are due together do not meet."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"progress/{interval_type}", update_counter.epoch_as_float)

    def after_epoch(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        self.periodic_callback(interval_type="epoch", update_counter=update_counter)


@innocent(CHECK, "leaves-weights-untouched")
class DrivesAChild(PeriodicCallback):
    """Hands every hook and every keyword on to its child."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.child = Child(callback_config, **{**kwargs, "name": "child"})

    def get_children(self) -> list[CallbackBase]:
        return [self.child]

    def periodic_callback(self, **kwargs: Any) -> None:
        self.child.periodic_callback(**kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {child.checkpoint_key: child.state_dict() for child in self.get_children()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for child in self.get_children():
            if state_dict[child.checkpoint_key] is not None:
                child.load_state_dict(state_dict[child.checkpoint_key])


class MeanOfTest(PeriodicDataIteratorCallback):
    """A data iterator callback that a composite drives."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"]

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.writer.add_scalar("test/mean", results.mean())


@innocent(CHECK, config={"every_n_updates": 4, "dataset_key": "test"})
class DrivesAChildOverADataSet(PeriodicCallback):
    """Is a plain periodic callback with a child that iterates over a data set."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.child = MeanOfTest(callback_config, **kwargs)

    def get_children(self) -> list[CallbackBase]:
        return [self.child]

    def periodic_callback(self, **kwargs: Any) -> None:
        self.child.periodic_callback(**kwargs)


class Image(nn.Module):
    """A network that is called with other properties' shapes than the default problem has."""

    def __init__(self) -> None:
        super().__init__()
        self.fold = nn.Conv1d(1, 2, 3)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.head(self.fold(x[:, None]).flatten(1))}


def own_loss(outputs: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A loss of the user's own."""
    return {"mae": (outputs["y"] - targets["y"]).abs().mean()}


@innocent(
    CHECK,
    config={"every_n_epochs": 1, "dataset_key": "holdout"},
    model=Image,
    loss=own_loss,
    datasets=lambda: {"holdout": {"x": torch.zeros(3, 4), "y": torch.zeros(3, 1)}},
)
class NeedsItsOwnProblem(PeriodicDataIteratorCallback):
    """Needs a model, a loss and a data set of its own."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.kernel = self.model.net.fold.kernel_size

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.loss = losses["mae"].item()

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"]
