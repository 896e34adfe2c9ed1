"""Callbacks around `survives-a-zero-update-run`."""

from __future__ import annotations

import statistics
import weakref
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "survives-a-zero-update-run"


@guilty(CHECK)
class DividesByItsUpdates(PeriodicCallback):
    """Divides by the updates of this session, and there may be none."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total_loss = 0.0
        self.updates = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.total_loss += losses["total"].item()
        self.updates += 1

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("loss/mean", self.total_loss / self.updates)


@guilty(CHECK)
class SummarisesAnEmptyHistory(PeriodicCallback):
    """Takes the smallest value of a list that may be empty."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("loss/best", min(self.losses))


@guilty(CHECK)
class MakesItsTimerInATrackingHook(PeriodicCallback):
    """Reads at the end what only the first update sets.

    A start hook that was skipped did the same: https://github.com/fsspec/gcsfs/pull/941 (B017).
    """

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.slowest_s = max(getattr(self, "slowest_s", 0.0), times["update"])

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("update/slowest_s", self.slowest_s)


@guilty(CHECK)
class AveragesNothing(PeriodicCallback):
    """Asks the standard library for the mean of an empty list: an error with a text, but not its own."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.seconds: list[float] = []

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.seconds.append(times["update"])

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("update/mean_s", statistics.mean(self.seconds))


@guilty(CHECK, declares=("writes-weights",))
class RestoresBestWeightsThatItHasNot(PeriodicCallback):
    """Gives the best weights back at the end, though none were kept."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best_weights: dict[str, torch.Tensor] | None = None

    def periodic_callback(self, **_: Any) -> None:
        self.best_weights = {name: value.clone() for name, value in self.model.state_dict().items()}

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.model.load_state_dict(self.best_weights)


@guilty(CHECK)
class RemovesHooksThatItNeverPut(CallbackBase):
    """Removes in its destructor what only the start hook creates.

    See https://github.com/fastai/fastai/issues/1950 (B027).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.handle = self.model.register_forward_hook(lambda *_: None)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.handle.remove()

    def __del__(self) -> None:
        self.handle.remove()


@innocent(CHECK)
class GuardsItsMean(PeriodicCallback):
    """Treats "nothing was gathered" as a case of its own."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if self.losses:
            self.tracker.set_summary("loss/mean", sum(self.losses) / len(self.losses))

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = list(state_dict["losses"])


@innocent(CHECK)
class RefusesARunWithoutUpdates(PeriodicCallback):
    """Says clearly that it needs at least one update."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates = 0

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.updates += 1

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        if self.updates == 0:
            raise RuntimeError("There is nothing to sum up: the run had no updates.")


@innocent(CHECK)
class CleansUpInItsDestructor(CallbackBase):
    """Asks in its destructor whether there is something to remove."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.handle: Any = None

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.handle = self.model.register_forward_hook(lambda *_: None)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.close()

    def close(self) -> None:
        if self.handle is not None:
            self.handle.remove()
            self.handle = None

    def __del__(self) -> None:
        self.close()


@innocent(CHECK)
class LeavesCleaningUpToAFinalizer(CallbackBase):
    """Registers what is to be done when it is dropped."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows: list[int] = []
        self._finalizer = weakref.finalize(self, self.rows.clear)


@innocent(CHECK)
class UsesAtTheEndWhatTheStartMade(CallbackBase):
    """Reads at the end what the start hook has set, which is called in any run."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.parameters = sum(value.numel() for value in self.model.parameters())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("parameters_per_update", self.parameters / max(update_counter.update, 1))
