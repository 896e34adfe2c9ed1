"""Callbacks around `survives-tiny-runs`."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "survives-tiny-runs"


class TracksLosses(PeriodicCallback):
    """Gathers the losses."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = list(state_dict["losses"])


@guilty(CHECK)
class TakesTheDeviationOfOneLoss(TracksLosses):
    """Asks for the deviation of what may be one value."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if self.losses:
            self.tracker.set_summary("loss/deviation", statistics.stdev(self.losses))


@guilty(CHECK)
class ComparesTheLastTwoLosses(TracksLosses):
    """Compares two losses, and there may be one."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update > 0:
            self.tracker.set_summary("loss/last_step", self.losses[-1] - self.losses[-2])


@guilty(CHECK)
class DividesByTheTimeBetweenUpdates(TracksLosses):
    """Divides by the steps between the first and the last update."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        steps = len(self.losses) - 1
        if self.losses:
            self.tracker.set_summary("loss/slope", (self.losses[-1] - self.losses[0]) / steps)


@guilty(CHECK, config={"every_n_epochs": 1, "dataset_key": "test", "batch_size": 5})
class SqueezesASingleSample(PeriodicDataIteratorCallback):
    """Squeezes all dimensions of one, that of the samples as well."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        outputs = trainer_model(x=batch["x"])["y"].squeeze()
        return torch.stack([output - target for output, target in zip(outputs, batch["y"], strict=True)])

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.writer.add_scalar("test/bias", results.mean())


@guilty(CHECK)
class SplitsABatchInTwo(PeriodicCallback):
    """Compares the halves of a batch, and there may be one sample.

    Data without a known length did the same: https://github.com/keras-team/tf-keras/issues/274 (B025).
    """

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        first, second = batch["x"].chunk(2)
        self.gap = (first.mean() - second.mean()).item()


@innocent(CHECK)
class AsksHowManyThereAre(TracksLosses):
    """Treats one value as a case of its own."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if len(self.losses) > 1:
            self.tracker.set_summary("loss/deviation", statistics.stdev(self.losses))


@innocent(CHECK, config={"every_n_epochs": 1, "dataset_key": "test", "batch_size": 5})
class SqueezesTheLastDimension(PeriodicDataIteratorCallback):
    """Names the dimension that goes."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sizes: list[int] = []

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"].squeeze(1) - batch["y"].squeeze(1)

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.sizes.append(len(results))
        self.writer.add_scalar("test/bias", results.mean())


@innocent(CHECK)
class RefusesASingleUpdate(TracksLosses):
    """Says clearly that it needs more than one update."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if len(self.losses) == 1:
            raise ValueError("A slope needs two updates or more, and there was one.")


@innocent(CHECK)
class LogsNotANumber(TracksLosses):
    """Answers NaN where there is nothing to say."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("loss/deviation", torch.tensor(self.losses).std(correction=0).item())
