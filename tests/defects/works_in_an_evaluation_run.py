"""Callbacks around `works-in-an-evaluation-run`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "works-in-an-evaluation-run"


@guilty(CHECK)
class EvaluatesWhatTheStartHookMade(PeriodicCallback):
    """Uses in its turn what only the start hook makes, and an evaluation run calls no start hook.

    See https://github.com/Emmi-AI/noether/pull/193 (B022).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.names = [name for name, value in self.model.named_parameters() if value.requires_grad]

    def periodic_callback(self, **_: Any) -> None:
        norms = [self.model.get_parameter(name).norm() for name in self.names]
        self.writer.add_scalar("weights/norm", torch.stack(norms).norm())


@guilty(CHECK)
class MistypesASubModelInEvaluation(PeriodicCallback):
    """Fails in the evaluation run only, with an error that torch raises on its behalf."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("encoder/layers", len(list(self.model.net.encodr.modules())))


@guilty(CHECK)
class AsksTheTrainerForTheModelInEvaluation(PeriodicCallback):
    """Takes the model from the trainer, which has no such attribute, and only where nobody looks."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("model/parameters", self.trainer.model.param_count)


@innocent(CHECK)
class RefusesEvaluation(PeriodicCallback):
    """Says clearly that an evaluation run has no use for it."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        raise NotImplementedError("Rates of learning say nothing in an evaluation run.")

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("rate", self.model.optimizer.torch_optim.param_groups[0]["lr"])


@innocent(CHECK, declares=("trains-only",))
class TrainsOnly(PeriodicCallback):
    """Breaks in an evaluation run, and declares that it is of no use there."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.parameters = sum(value.numel() for value in self.model.parameters())

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("samples_per_parameter", update_counter.sample / self.parameters)


@guilty(CHECK)
class GivesItsBufferAwayInEvaluation(PeriodicCallback):
    """Uses up in the first evaluation what the second one needs.

    A final evaluation did the same: https://github.com/ultralytics/ultralytics/issues/1553 (B021).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.labels: list[str] = ["parameters"]

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"model/{self.labels.pop()}", self.model.param_count)


@guilty(CHECK)
class ForgetsItsThresholdAtTheEnd(PeriodicCallback):
    """Drops at the end of training what an evaluation after it still needs."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.threshold: float | None = 0.5

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        large = sum((weight.abs() > self.threshold).sum() for weight in self.model.parameters())
        self.writer.add_scalar(f"{interval_type}/large_weights", large)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.threshold = None


@innocent(CHECK)
class StartsLazily(PeriodicCallback):
    """Takes its first look when it is asked for the first time, in training or in an evaluation."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.first_norm: float | None = None

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        norm = sum(weight.norm() for weight in self.model.parameters()).item()
        self.first_norm = norm if self.first_norm is None else self.first_norm
        self.writer.add_scalar(f"{interval_type}/growth", norm / self.first_norm)

    def state_dict(self) -> dict[str, Any]:
        return {"first_norm": self.first_norm}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.first_norm = state_dict["first_norm"]


@innocent(CHECK)
class PassesOverEvaluations(PeriodicCallback):
    """Has nothing to say in an evaluation run, where its start hook was not called."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.names = [name for name, value in self.model.named_parameters() if value.requires_grad]

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if interval_type == "eval":
            return
        norms = [self.model.get_parameter(name).norm() for name in self.names]
        self.writer.add_scalar("weights/norm", torch.stack(norms).norm())
