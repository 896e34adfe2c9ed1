"""Callbacks around `returns-nothing-from-hooks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "returns-nothing-from-hooks"


@guilty(CHECK)
class AnswersTrueToStop(PeriodicCallback):
    """Answers True to stop the run, as other frameworks have it.

    A stop that never works although it is switched on: https://github.com/NVIDIA-NeMo/Megatron-Bridge/pull/3823 (B150).
    """

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> bool:
        return update_counter.update >= 4


@guilty(CHECK)
class AnswersWhatShallBeLogged(PeriodicCallback):
    """Answers metrics and hopes that somebody logs them."""

    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> dict[str, float]:
        super().after_update(update_counter, **kwargs)
        return {"progress": update_counter.epoch_as_float}


@guilty(CHECK)
class AnswersItself(CallbackBase):
    """Answers itself, so that calls could be chained."""

    def before_training(self, *, update_counter: UpdateCounter) -> AnswersItself:
        return self


@guilty(CHECK)
class YieldsInAHook(PeriodicCallback):
    """Has a `yield` in a hook: calling it runs nothing at all."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> Iterator[float]:
        self.writer.add_scalar(f"progress/{interval_type}", update_counter.epoch_as_float)
        yield update_counter.epoch_as_float


@guilty(CHECK, config={"every_n_updates": 4, "dataset_key": "test"})
class AnswersItsResults(PeriodicDataIteratorCallback):
    """Answers the metric of the data set."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return trainer_model(x=batch["x"])["y"]

    def process_results(self, results: torch.Tensor, **_: Any) -> float:
        return results.mean().item()


@innocent(CHECK)
class ReturnsEarly(PeriodicCallback):
    """Returns from the middle of a hook, with nothing."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@innocent(CHECK)
class HandsOnWhatTheBaseAnswers(PeriodicCallback):
    """Returns what the base class and the writer return, which is nothing."""

    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        return super().after_update(update_counter, **kwargs)

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        return self.writer.add_scalar(f"progress/{interval_type}", update_counter.epoch_as_float)


@innocent(CHECK)
class AnswersWhereAnAnswerBelongs(PeriodicCallback):
    """Answers where it is asked: for its state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK, config={"every_n_updates": 4, "dataset_key": "test"})
class HasAHelperThatAnswers(PeriodicDataIteratorCallback):
    """Answers from `process_data` and from helpers, not from hooks."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return self.error_of(trainer_model(x=batch["x"])["y"], batch["y"])

    def process_results(self, results: torch.Tensor, *, interval_type: str, **_: Any) -> None:
        self.writer.add_scalar(f"{interval_type}/error", results.mean())

    def error_of(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Returns the absolute errors."""
        return (outputs - targets).abs()
