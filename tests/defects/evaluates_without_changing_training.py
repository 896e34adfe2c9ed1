"""Callbacks around `evaluates-without-changing-training`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "evaluates-without-changing-training"


@guilty(CHECK, config={"every_n_updates": 2})
class SavesABestThatWasOnlyEvaluated(PeriodicCallback):
    """Saves a best checkpoint whenever it is called, in an evaluation run as well.

    See https://github.com/roboflow/rf-detr/pull/1357 (B117).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.smallest = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        norm = sum(weight.norm() for weight in self.model.parameters()).item()
        if norm < self.smallest:
            self.smallest = norm
            self.checkpoint_writer.save_model_checkpoint("model", "best", self.model.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"smallest": self.smallest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.smallest = state_dict["smallest"]


class TargetConfig(CallBackBaseConfig):
    """Config of an early stopper."""

    metric_key: str
    target: float = 0.2


@guilty(CHECK, config={"every_n_updates": 1, "metric_key": "loss/test"})
class StopsAnEvaluation(PeriodicCallback):
    """Raises to end the run where there is no run to end."""

    def __init__(self, callback_config: TargetConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.config = callback_config

    def periodic_callback(self, **_: Any) -> None:
        if self.writer.log_cache[self.config.metric_key] < self.config.target:
            raise EarlyStopIteration(f"{self.config.metric_key} is below {self.config.target}.")


@guilty(CHECK)
class WritesBesideTheCheckpoints(PeriodicCallback):
    """Writes a note of its own into the checkpoint folder, whoever calls."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        file = self.trainer.path_provider.checkpoint_path / f"{self.checkpoint_key}.txt"
        file.write_text(f"{update_counter.cur_iteration} ({interval_type})", encoding="utf-8")


@guilty(CHECK)
class CorrectsTheTrainedRun(PeriodicCallback):
    """Marks, in the folder of the run that was trained, that it was evaluated."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.source: Any = None

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        self.source = resumption_paths.run_output_path

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        if self.source is not None:
            (self.source / "evaluated.txt").write_text("yes", encoding="utf-8")


@guilty(CHECK, declares=("writes-weights",))
class LeavesRoundedWeights(PeriodicCallback):
    """Evaluates rounded weights, and leaves them in the model for whoever comes next."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.copy_(weight.half())
        self.writer.add_scalar("rounded/norm", sum(weight.detach().norm() for weight in self.model.parameters()))


class KeepsTheSmallest(PeriodicCallback):
    """Keeps the smallest value of a metric, over a resume, too."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.smallest = float("inf")

    def keep(self) -> None:
        """Tells the tracker when the value is a new smallest."""
        value = self.writer.log_cache["mse"]
        if value < self.smallest:
            self.smallest = value
            self.tracker.set_summary(f"{self.checkpoint_key}/smallest", value)

    def state_dict(self) -> dict[str, Any]:
        return {"smallest": self.smallest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.smallest = state_dict["smallest"]


@innocent(CHECK)
class DecidesInEvaluations(KeepsTheSmallest):
    """Calls a value that was only evaluated the best, in the summary of the evaluation run: that is told, no more."""

    def periodic_callback(self, **_: Any) -> None:
        self.keep()


@innocent(CHECK)
class DecidesInTrainingOnly(KeepsTheSmallest):
    """Reports what is evaluated under a key of its own."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if interval_type == "eval":
            self.tracker.set_summary("evaluated/mse", self.writer.log_cache["mse"])
        else:
            self.keep()


@innocent(CHECK)
class ReportsTheLatestValue(PeriodicCallback):
    """Tells the tracker each value, in training and in evaluations, under one key: a report, and no decision."""

    def periodic_callback(self, **_: Any) -> None:
        self.tracker.update_summary({"latest/mse": self.writer.log_cache["mse"]})


@innocent(CHECK, config={"every_n_updates": 2})
class SavesABestInTrainingOnly(PeriodicCallback):
    """Asks for the interval before it saves."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.smallest = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        norm = sum(weight.norm() for weight in self.model.parameters()).item()
        if interval_type != "eval" and norm < self.smallest:
            self.smallest = norm
            self.checkpoint_writer.save_model_checkpoint("model", "best", self.model.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"smallest": self.smallest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.smallest = state_dict["smallest"]


@innocent(CHECK)
class WritesItsOwnResults(PeriodicCallback):
    """Writes a file with the results into the folder of the run that it is in."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        norm = sum(weight.detach().norm() for weight in self.model.parameters()).item()
        file = self.trainer.path_provider.run_output_path / "evaluation.csv"
        file.write_text(f"update,norm\n{update_counter.update},{norm}\n", encoding="utf-8")
        self.writer.add_scalar("weights/norm", norm)


@innocent(CHECK, "leaves-weights-untouched")
class EvaluatesHalvedWeights(PeriodicCallback):
    """Puts other weights into the model for a moment, and the old ones back."""

    @contextmanager
    def halved(self) -> Iterator[None]:
        """Halves the weights while the context lasts."""
        kept = [weight.clone() for weight in self.model.parameters()]
        try:
            for weight in self.model.parameters():
                weight.mul_(0.5)
            yield
        finally:
            for weight, old in zip(self.model.parameters(), kept, strict=True):
                weight.copy_(old)

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        with self.halved():
            norm = sum(weight.norm() for weight in self.model.parameters()).item()
        self.writer.add_scalar(f"{interval_type}/halved_norm", norm)


@innocent(CHECK)
class SumsUpTheEvaluation(PeriodicCallback):
    """Counts its evaluations, and tells the tracker: an instance's own memory is no decision."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.evaluations = 0

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.evaluations += 1
        self.tracker.set_summary("evaluated/update", update_counter.update)
