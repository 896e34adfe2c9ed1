"""The base class of callbacks that act at intervals."""

from __future__ import annotations

from typing import Any, Literal

import torch

from noether_testkit.core.callbacks.base import CallbackBase
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter

IntervalType = Literal["epoch", "update", "sample", "eval"]


class PeriodicCallback(CallbackBase):
    """Acts every so many epochs, updates or samples.

    Override `periodic_callback` for what happens when the interval is due, and the two tracking
    hooks for what has to be gathered in between.

    Args:
        callback_config: Says when to act; its `id`, if set, wins over `name`.
        trainer: See `CallbackBase`, as for all that follow.
        model: The model of the run.
        data_container: Holds the data sets of the run.
        tracker: The experiment tracker.
        log_writer: Writes metrics; kept as `writer`.
        checkpoint_writer: Writes checkpoints.
        metric_property_provider: Knows for which metrics a higher value is better.
        name: The name under which state is stored.
    """

    def __init__(
        self,
        callback_config: CallBackBaseConfig,
        trainer: Any,
        model: Any,
        data_container: Any,
        tracker: Any,
        log_writer: Any,
        checkpoint_writer: Any,
        metric_property_provider: Any,
        name: str | None = None,
    ) -> None:
        super().__init__(
            trainer=trainer,
            model=model,
            data_container=data_container,
            tracker=tracker,
            log_writer=log_writer,
            checkpoint_writer=checkpoint_writer,
            metric_property_provider=metric_property_provider,
            name=callback_config.id or name,
        )
        self.every_n_epochs = callback_config.every_n_epochs
        self.every_n_updates = callback_config.every_n_updates
        self.every_n_samples = callback_config.every_n_samples
        self.batch_size = callback_config.batch_size

    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"update"` or `"sample"` when that interval is due.

        Args:
            update_counter: The progress of the run, this update included.
            **kwargs: Handed on; data iterator callbacks get `trainer_model`, `data_iter`, `batch_size`.
        """
        if type(self).periodic_callback is PeriodicCallback.periodic_callback:
            return
        now = update_counter.cur_iteration
        if self._should_invoke_after_update(now):
            _invoke(self, "update", update_counter, kwargs)
        if self._should_invoke_after_sample(now, update_counter.effective_batch_size):
            _invoke(self, "sample", update_counter, kwargs)

    def after_epoch(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"epoch"` when that interval is due.

        Args:
            update_counter: The progress of the run, this epoch included.
            **kwargs: Handed on as in `after_update`.
        """
        if self._should_invoke_after_epoch(update_counter.cur_iteration):
            _invoke(self, "epoch", update_counter, kwargs)

    def at_eval(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"eval"` in an evaluation run.

        Only this method switches gradient recording off there; an override that does not call it
        runs with recording on.

        Args:
            update_counter: The progress stored in the evaluated checkpoint.
            **kwargs: Handed on as in `after_update`.
        """
        _invoke(self, "eval", update_counter, kwargs)

    def periodic_callback(self, *, interval_type: IntervalType, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Called when an interval is due, without gradient recording, model in eval mode.

        Args:
            interval_type: Which interval is due; several can be, one call each.
            update_counter: The progress of the run.
            **kwargs: Data iterator callbacks get `trainer_model`, `data_iter`, `batch_size`.
        """

    def track_after_accumulation_step(
        self,
        *,
        update_counter: UpdateCounter,
        batch: Any,
        losses: dict[str, torch.Tensor],
        update_outputs: dict[str, torch.Tensor] | None,
        accumulation_steps: int,
        accumulation_step: int,
    ) -> None:
        """Called after each accumulation step, without recording, model in train mode.

        Args:
            update_counter: Still shows the update before.
            batch: The batch of this step: named tensors, `(samples, ...)`.
            losses: Detached scalars, `total` among them.
            update_outputs: Outputs that the loss handed out, perhaps with a graph, or `None`.
            accumulation_steps: Steps in an update.
            accumulation_step: Index of this step within the epoch.
        """

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        """Called after each update, before `after_update`, without recording, model in eval mode.

        Args:
            update_counter: The progress of the run, this update included.
            times: Seconds by kind of work; one mapping that is used again at each update.
        """

    def updates_per_interval(self, update_counter: UpdateCounter) -> int:
        """Returns the number of updates in an interval.

        Raises:
            AssertionError: More than one interval is set, or it is no whole number of updates.
            RuntimeError: No interval is set.
        """
        intervals = _intervals_of(self)
        if not intervals:
            raise RuntimeError(f"{self} has no interval.")
        if len(intervals) > 1:
            raise AssertionError(f"{self} has more than one interval.")
        if self.every_n_epochs is not None:
            return self.every_n_epochs * update_counter.updates_per_epoch
        if self.every_n_updates is not None:
            return self.every_n_updates
        samples, batch = self.every_n_samples or 0, update_counter.effective_batch_size
        if samples % batch:
            raise AssertionError(f"every_n_samples={samples} is no whole number of updates of {batch} samples.")
        return samples // batch

    def updates_till_next_invocation(self, update_counter: UpdateCounter) -> int:
        """Returns how many updates from now the interval is due; a whole interval where it is due now."""
        interval = self.updates_per_interval(update_counter)
        return interval - update_counter.update % interval

    def get_interval_string_verbose(self) -> str:
        """Returns the interval as in the config, such as `every_n_updates=2`."""
        return ",".join(f"{name}={count}" for name, count in _intervals_of(self))

    def to_short_interval_string(self) -> str:
        """Returns the interval in short, such as `U2`."""
        return "_".join(f"{name.removeprefix('every_n_')[0].upper()}{count}" for name, count in _intervals_of(self))

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.get_interval_string_verbose()})"

    def _should_invoke_after_update(self, training_iteration: TrainingIteration) -> bool:
        return self.every_n_updates is not None and (training_iteration.update or 0) % self.every_n_updates == 0

    def _should_invoke_after_epoch(self, training_iteration: TrainingIteration) -> bool:
        return self.every_n_epochs is not None and (training_iteration.epoch or 0) % self.every_n_epochs == 0

    def _should_invoke_after_sample(self, training_iteration: TrainingIteration, effective_batch_size: int) -> bool:
        if self.every_n_samples is None:
            return False
        samples = training_iteration.sample or 0
        return samples // self.every_n_samples > (samples - effective_batch_size) // self.every_n_samples


def _invoke(
    callback: PeriodicCallback, interval_type: IntervalType, update_counter: UpdateCounter, arguments: dict[str, Any]
) -> None:
    with torch.no_grad():
        callback.periodic_callback(interval_type=interval_type, update_counter=update_counter, **arguments)


def _intervals_of(callback: PeriodicCallback) -> list[tuple[str, int]]:
    names = ("every_n_epochs", "every_n_updates", "every_n_samples")
    return [(name, count) for name in names if (count := getattr(callback, name)) is not None]
