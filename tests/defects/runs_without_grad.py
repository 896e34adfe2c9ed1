"""Callbacks around `runs-without-grad`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "runs-without-grad"


@guilty(CHECK)
class EvaluatesWithoutTheBase(PeriodicCallback):
    """Overrides `at_eval` and does not call the base class, which alone switches recording off there."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.report()

    def periodic_callback(self, **_: Any) -> None:
        self.report()

    def report(self) -> None:
        norm = torch.stack([weight.norm() for weight in self.model.parameters()]).norm()
        self.writer.add_scalar("weights/norm", norm)


@guilty(CHECK)
class MeasuresGradientsOfTheLoss(PeriodicCallback):
    """Computes a gradient norm for the log, and does not say that it uses gradients."""

    def track_after_accumulation_step(
        self, *, batch: dict[str, torch.Tensor], losses: dict[str, torch.Tensor], **_: Any
    ) -> None:
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        with torch.enable_grad():
            penalty = sum(weight.square().sum() for weight in weights)
        self.norm = torch.stack([each.norm() for each in torch.autograd.grad(penalty, weights)]).norm()


@guilty(CHECK, config={"every_n_epochs": 1, "dataset_key": "test"})
class DecoratesWithEnableGrad(PeriodicDataIteratorCallback):
    """Took over a decorator from a saliency script, and evaluates a whole data set with graphs.

    Such graphs fill the memory during evaluation: https://github.com/meta-pytorch/opacus/issues/176 (B177).
    """

    @torch.enable_grad()
    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"].detach()


@guilty(CHECK)
class SwitchesInferenceModeOffByOption(PeriodicCallback):
    """Writes `inference_mode(False)` for "no inference mode", which switches gradient recording on."""

    fast = False

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        with torch.inference_mode(self.fast):
            largest = max(weight.abs().max() for weight in self.model.parameters())
        self.writer.add_scalar("weights/largest", largest)


@guilty(CHECK)
class SwitchesRecordingOnForTheEnd(CallbackBase):
    """Sets recording to a wrong "default" around its last evaluation."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        with torch.set_grad_enabled(True):
            outputs = self.model(x=torch.zeros(2, 4))
        self.tracker.set_summary("output/at_zero", outputs["y"].mean().item())


@innocent(CHECK, "leaves-grad-mode-alone", declares=("uses-gradients",))
class UsesGradientsAndSaysSo(PeriodicCallback):
    """Switches recording on inside its hook, off again, and declares it."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        inputs = torch.ones(2, 4, requires_grad=True)
        with torch.enable_grad():
            output = self.model(x=inputs)["y"].sum()
            (saliency,) = torch.autograd.grad(output, inputs)
        self.writer.add_scalar("saliency", saliency.abs().mean())


@innocent(CHECK)
class EvaluatesThroughTheBase(PeriodicCallback):
    """Overrides `at_eval` and calls the base class, which switches recording off."""

    def at_eval(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        self.is_evaluation = True
        super().at_eval(update_counter, **kwargs)

    def periodic_callback(self, **_: Any) -> None:
        norm = torch.stack([weight.norm() for weight in self.model.parameters()]).norm()
        self.writer.add_scalar("weights/norm", norm)


@innocent(CHECK, "leaves-grad-mode-alone")
class EvaluatesUnderADecorator(PeriodicCallback):
    """Overrides `at_eval` and switches recording off itself."""

    @torch.no_grad()
    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())


@innocent(CHECK, "leaves-grad-mode-alone")
class EvaluatesInInferenceMode(PeriodicCallback):
    """Runs every hook in inference mode."""

    @torch.inference_mode()
    def at_eval(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        self.periodic_callback(interval_type="eval", update_counter=update_counter, **kwargs)

    @torch.inference_mode()
    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())


@innocent(CHECK)
class ReadsDetachedWeightsWithRecordingOn(PeriodicCallback):
    """Overrides `at_eval` without the base class, and touches detached tensors only."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        largest = max(weight.detach().abs().max() for weight in self.model.parameters())
        self.writer.add_scalar("weights/largest", largest)


@innocent(CHECK)
class FitsALineToItsOwnNumbers(PeriodicCallback):
    """Computes with recording on, on numbers that need no gradient."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    @torch.enable_grad()
    def periodic_callback(self, **_: Any) -> None:
        if len(self.losses) > 1:
            steps = torch.arange(len(self.losses), dtype=torch.float32)
            line = torch.stack([steps, torch.ones_like(steps)], dim=1)
            slope, _offset = torch.linalg.lstsq(line, torch.tensor(self.losses)[:, None]).solution
            self.writer.add_scalar("loss/slope", slope)
        self.losses.clear()


@innocent(CHECK)
class MeasuresItsModelWhenBuilt(CallbackBase):
    """Computes with the model's weights in the constructor, which is no hook, and keeps a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_norm = sum(weight.norm() for weight in self.model.parameters()).item()


@innocent(CHECK, config={"every_n_updates": 2, "dataset_key": "test"})
class EvaluatesADataSet(PeriodicDataIteratorCallback):
    """Runs the model over a data set, as the framework calls it."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return (trainer_model(x=batch["x"])["y"] - batch["y"]).abs()

    def process_results(self, results: torch.Tensor, **_: Any) -> None:
        self.writer.add_scalar("test/mean_absolute", results.mean())
