"""Callbacks around `fits-hook-signatures`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partialmethod, wraps
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "fits-hook-signatures"


@guilty(CHECK)
class ExpectsTheTrainerInItsHooks(CallbackBase):
    """Has the signature of another library's hook.

    The same crash came with a changed signature: https://github.com/SeanNaren/minGPT/pull/1 (B145).
    """

    def before_training(self, trainer: Any, model: torch.nn.Module) -> None:
        self.layers = len(list(model.modules()))


@guilty(CHECK)
class TakesNoTimes(PeriodicCallback):
    """Takes some of the keywords and has no `**kwargs` for the others.

    See https://github.com/ludwig-ai/ludwig/issues/4048 (B146).
    """

    def track_after_update_step(self, *, update_counter: UpdateCounter) -> None:
        self.last_update = update_counter.update


@guilty(CHECK)
class TakesBatchAndLossesOnly(PeriodicCallback):
    """Takes the two arguments of the tracking hook that it needs, and no others."""

    def track_after_accumulation_step(self, batch: dict[str, torch.Tensor], losses: dict[str, torch.Tensor]) -> None:
        self.loss = losses["total"].item()


@guilty(CHECK)
class LoadsByKeyword(CallbackBase):
    """Takes its state by keyword, while the trainer hands it over by position: a crash on the first resume."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.runs = 0

    def state_dict(self) -> dict[str, Any]:
        return {"runs": self.runs}

    def load_state_dict(self, *, state_dict: dict[str, Any]) -> None:
        self.runs = state_dict["runs"]


@guilty(CHECK)
class RenamesTheResumptionPaths(CallbackBase):
    """Renames a parameter that the trainer gives by keyword: a crash on the first resume."""

    def resume_from_checkpoint(self, paths: Any, model: torch.nn.Module) -> None:
        self.source = str(paths.checkpoint_path)


@guilty(CHECK)
class EvaluatesByKeyword(PeriodicCallback):
    """Takes the counter of `at_eval` by keyword, where alone the trainer gives it by position."""

    def at_eval(self, *, update_counter: UpdateCounter, **kwargs: Any) -> None:
        super().at_eval(update_counter, **kwargs)

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@guilty(CHECK, config={"every_n_epochs": 1, "dataset_key": "test"})
class ProcessesTheBatchAlone(PeriodicDataIteratorCallback):
    """Leaves `trainer_model` out of `process_data`."""

    def process_data(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return batch["y"]


@guilty(CHECK, config={"every_n_epochs": 1, "dataset_key": "test"})
class NamesNoInterval(PeriodicDataIteratorCallback):
    """Leaves the interval out of `process_results`: a crash after the whole data set has been evaluated."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return batch["y"]

    def process_results(self, results: torch.Tensor, update_counter: UpdateCounter) -> None:
        self.writer.add_scalar("test/mean", results.mean())


@guilty(CHECK, config={"every_n_epochs": 1, "dataset_key": "test"})
class DropsTheIteratorsKeywords(PeriodicDataIteratorCallback):
    """Overrides `periodic_callback` without the keywords that only data iterator callbacks get."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> None:
        return None

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


def once(hook: Callable[..., None]) -> Callable[..., None]:
    """Decorates a hook with a wrapper that takes no arguments."""

    @wraps(hook)
    def wrapper(self: Any) -> None:
        hook(self, update_counter=None)

    return wrapper


@guilty(CHECK)
class WrapsItsHookTooTightly(CallbackBase):
    """Has the right signature, behind a decorator that takes no arguments."""

    @once
    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.is_over = True


@guilty(CHECK)
class AsksForAPrefixOfItsState(CallbackBase):
    """Has the signature of a module's `state_dict` of old."""

    def state_dict(self, prefix: str) -> dict[str, Any]:
        return {f"{prefix}runs": 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


@innocent(CHECK)
class TakesWhateverComes(PeriodicCallback):
    """Takes what it needs and leaves the rest in `**kwargs`."""

    def before_training(self, **kwargs: Any) -> None:
        self.updates = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **kwargs: Any) -> None:
        self.loss = losses["total"].item()

    def track_after_update_step(self, *, times: dict[str, float], **_: Any) -> None:
        self.seconds = times["update"]

    def periodic_callback(self, update_counter: UpdateCounter, **_: Any) -> None:
        self.updates = update_counter.update


@innocent(CHECK)
class HasOptionsOfItsOwn(PeriodicCallback):
    """Has further parameters with defaults, which the trainer never gives."""

    def periodic_callback(
        self, *, interval_type: str, update_counter: UpdateCounter, verbose: bool = False, **_: Any
    ) -> None:
        self.last = (interval_type, update_counter.update, verbose)

    def after_training(self, update_counter: UpdateCounter | None = None, *, keep: bool = True) -> None:
        self.keep = keep


@innocent(CHECK)
class RenamesWhatComesByPosition(PeriodicCallback):
    """Renames parameters that the trainer gives by position."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.seen = 0

    def at_eval(self, counter: UpdateCounter, **kwargs: Any) -> None:
        super().at_eval(counter, **kwargs)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen = state["seen"]


def timed(hook: Callable[..., None]) -> Callable[..., None]:
    """Decorates a hook with a wrapper that takes everything and hands less on."""

    @wraps(hook)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        hook(self)

    return wrapper


@innocent(CHECK)
class WrapsANarrowHook(CallbackBase):
    """Has a narrow hook behind a decorator that takes what the trainer gives."""

    @timed
    def before_training(self) -> None:
        self.started = True

    @timed
    def after_training(self) -> None:
        self.started = False


@innocent(CHECK)
class HasStaticAndPartialHooks(PeriodicCallback):
    """Has hooks that are no plain methods."""

    @staticmethod
    def before_training(*, update_counter: UpdateCounter) -> None:
        assert update_counter.update == update_counter.start_iteration.update

    @classmethod
    def after_training(cls, *, update_counter: UpdateCounter) -> None:
        assert update_counter.update >= 0

    def finish(self, *, final: bool, update_counter: UpdateCounter, **_: Any) -> None:
        self.final = final

    periodic_callback = partialmethod(finish, final=True)


@innocent(CHECK)
class SetsItsHookInTheConstructor(CallbackBase):
    """Chooses what a hook does when it is built."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after_training = self.finish

    def finish(self, *, update_counter: UpdateCounter) -> None:
        self.is_over = True


class MeanConfig(PeriodicDataIteratorCallbackConfig):
    """Config of a mean over a data set."""

    key: str = "y"


@innocent(CHECK, config={"every_n_epochs": 1, "dataset_key": "test"})
class LogsTheMeanOfADataSet(PeriodicDataIteratorCallback):
    """Has the two hooks of a data iterator callback."""

    def __init__(self, callback_config: MeanConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.key = callback_config.key

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> torch.Tensor:
        return batch[self.key]

    def process_results(
        self, results: torch.Tensor, *, interval_type: str, update_counter: UpdateCounter, **_: Any
    ) -> None:
        self.writer.add_scalar(f"mean/{self.key}", results.mean())
