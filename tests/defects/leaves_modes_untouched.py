"""Callbacks around `leaves-modes-untouched`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "leaves-modes-untouched"


@guilty(CHECK)
class LeavesTheModelInTrainMode(PeriodicCallback):
    """Switches to train mode after its evaluation, though it found the model in eval mode."""

    def periodic_callback(self, **_: Any) -> None:
        self.model.eval()
        output = self.model(x=torch.zeros(2, 4))["y"]
        self.model.train()
        self.writer.add_scalar("output/at_zero", output.mean())


@guilty(CHECK)
class LeavesTheModelInEvalMode(PeriodicCallback):
    """Evaluates in the tracking hook and never goes back to train mode.

    See https://github.com/pfnet/pytorch-pfn-extras/issues/688 (B166).
    """

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        self.model.eval()
        outputs = self.model(x=batch["x"])
        self.error = (outputs["y"] - batch["y"]).abs().mean().item()


@guilty(CHECK)
class LeavesDropoutOn(PeriodicCallback):
    """Switches dropout on for samples of an uncertainty, and leaves it on for everybody after."""

    def periodic_callback(self, **_: Any) -> None:
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.train()
        samples = torch.stack([self.model(x=torch.ones(2, 4))["y"] for _ in range(3)])
        self.writer.add_scalar("uncertainty", samples.std())


class HalfFrozen(nn.Module):
    """A network that holds its encoder in eval mode on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).requires_grad_(False)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 1))
        self.encoder.eval()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.head(self.encoder(x))}


@guilty(CHECK, model=HalfFrozen)
class WakesWhatIsHeldInEvalMode(PeriodicCallback):
    """Switches every module back by hand, those that the model holds in eval mode on purpose among them."""

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        self.model.eval()
        outputs = self.model(x=batch["x"])
        for module in self.model.modules():
            module.training = True
        self.error = (outputs["y"] - batch["y"]).abs().mean().item()


@guilty(CHECK)
class TrainsAShallowCopy(PeriodicCallback):
    """Switches a shallow copy to train mode, which shares its sub-modules with the model."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        twin = copy.copy(self.model)
        self.is_training = twin.train().training


@guilty(CHECK)
class EvaluatesInTrainModeForGood(PeriodicCallback):
    """Wakes the model in an evaluation run, to see its dropout.

    See https://github.com/ThilinaRajapakse/simpletransformers/issues/941 (B167) for the other way round.
    """

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.model.train()


@innocent(CHECK, "leaves-weights-untouched")
class PutsEveryModeBack(PeriodicCallback):
    """Remembers the mode of each sub-module and puts it back in any case."""

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        try:
            outputs = self.model(x=batch["x"])
        finally:
            for module, mode in modes.items():
                module.training = mode
        self.error = (outputs["y"] - batch["y"]).abs().mean().item()


@innocent(CHECK, "leaves-weights-untouched", model=HalfFrozen)
class WatchesAHalfFrozenModel(PeriodicCallback):
    """Switches a model that holds a part in eval mode to eval mode, and back by its own method."""

    def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
        was_training = self.model.training
        self.model.eval()
        self.error = (self.model(x=batch["x"])["y"] - batch["y"]).abs().mean().item()
        self.model.train(was_training)


@contextmanager
def dropout_on(model: nn.Module) -> Iterator[None]:
    """Switches dropout on for a block."""
    asleep = [module for module in model.modules() if isinstance(module, nn.Dropout) and not module.training]
    for module in asleep:
        module.train()
    try:
        yield
    finally:
        for module in asleep:
            module.eval()


@innocent(CHECK, "leaves-weights-untouched", declares=("draws-random-numbers",))
class SwitchesDropoutOnForItsTurn(PeriodicCallback):
    """Switches dropout on for samples of an uncertainty, and off again."""

    def periodic_callback(self, **_: Any) -> None:
        with dropout_on(self.model):
            samples = torch.stack([self.model(x=torch.ones(2, 4))["y"] for _ in range(3)])
        self.writer.add_scalar("uncertainty", samples.std())


@innocent(CHECK)
class SwitchesToWhatItFinds(PeriodicCallback):
    """Switches to eval mode where the model is in eval mode anyway."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.model.eval()

    def periodic_callback(self, **_: Any) -> None:
        self.model.eval()
        self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())


@innocent(CHECK)
class TrainsAModuleOfItsOwn(CallbackBase):
    """Switches a module of its own to and fro."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probe = nn.BatchNorm1d(4).eval()

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.probe.train()(torch.ones(2, 4))

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.probe.eval()
