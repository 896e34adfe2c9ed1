"""Base classes of callbacks that act at intervals."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch.utils.data import SequentialSampler

from noether_testkit.core.callbacks.base import CallbackBase
from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig, collate_results
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter

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

    @torch.no_grad()
    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"update"` or `"sample"` when that interval is due.

        Args:
            update_counter: The progress of the run, this update included.
            **kwargs: Handed on; data iterator callbacks get `trainer_model`, `data_iter`, `batch_size`.
        """
        if type(self).periodic_callback is PeriodicCallback.periodic_callback:
            return
        if self.every_n_updates is not None and update_counter.update % self.every_n_updates == 0:
            self.periodic_callback(interval_type="update", update_counter=update_counter, **kwargs)
        if self._crossed_samples(update_counter.sample, update_counter.effective_batch_size):
            self.periodic_callback(interval_type="sample", update_counter=update_counter, **kwargs)

    @torch.no_grad()
    def after_epoch(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"epoch"` when that interval is due.

        Args:
            update_counter: The progress of the run, this epoch included.
            **kwargs: Handed on as in `after_update`.
        """
        if self.every_n_epochs is not None and update_counter.epoch % self.every_n_epochs == 0:
            self.periodic_callback(interval_type="epoch", update_counter=update_counter, **kwargs)

    @torch.no_grad()
    def at_eval(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        """Calls `periodic_callback` with `"eval"` in an evaluation run.

        Only this method switches gradient recording off there; an override that does not call it
        runs with recording on.

        Args:
            update_counter: The progress stored in the evaluated checkpoint.
            **kwargs: Handed on as in `after_update`.
        """
        self.periodic_callback(interval_type="eval", update_counter=update_counter, **kwargs)

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
            ValueError: The interval is no whole number of updates.
        """
        if self.every_n_epochs is not None:
            return self.every_n_epochs * update_counter.updates_per_epoch
        if self.every_n_updates is not None:
            return self.every_n_updates
        samples, batch = self.every_n_samples or 0, update_counter.effective_batch_size
        if samples % batch:
            raise ValueError(f"every_n_samples={samples} is no whole number of updates of {batch} samples.")
        return samples // batch

    def updates_till_next_invocation(self, update_counter: UpdateCounter) -> int:
        """Returns how many updates from now the interval is due; a whole interval where it is due now."""
        interval = self.updates_per_interval(update_counter)
        return interval - update_counter.update % interval

    def get_interval_string_verbose(self) -> str:
        """Returns the interval as in the config, such as `every_n_updates=2`."""
        return ",".join(f"{name}={count}" for name, count in self._intervals())

    def to_short_interval_string(self) -> str:
        """Returns the interval in short, such as `U2`."""
        return "_".join(f"{name.removeprefix('every_n_')[0].upper()}{count}" for name, count in self._intervals())

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.get_interval_string_verbose()})"

    def _intervals(self) -> list[tuple[str, int]]:
        names = ("every_n_epochs", "every_n_updates", "every_n_samples")
        return [(name, getattr(self, name)) for name in names if getattr(self, name) is not None]

    def _crossed_samples(self, samples: int, effective_batch_size: int) -> bool:
        interval = self.every_n_samples
        return interval is not None and samples // interval > (samples - effective_batch_size) // interval


class PeriodicDataIteratorCallback(PeriodicCallback, metaclass=ABCMeta):
    """Runs over a whole data set when its interval is due.

    Override `process_data`, called once a batch, and `process_results`, called once with all
    results put together.

    Args:
        callback_config: Says when to act and over which data set.
        trainer: See `CallbackBase`, as for all that follow.
        model: The model of the run.
        data_container: Holds the data sets of the run.
        tracker: The experiment tracker.
        log_writer: Writes metrics; kept as `writer`.
        checkpoint_writer: Writes checkpoints.
        metric_property_provider: Knows for which metrics a higher value is better.
        name: The name under which state is stored.
        development: Not used by the kit.

    Raises:
        KeyError: The data set does not exist.
    """

    def __init__(
        self,
        callback_config: PeriodicDataIteratorCallbackConfig,
        trainer: Any,
        model: Any,
        data_container: Any,
        tracker: Any,
        log_writer: Any,
        checkpoint_writer: Any,
        metric_property_provider: Any,
        name: str | None = None,
        development: bool = False,
    ) -> None:
        super().__init__(
            callback_config=callback_config,
            trainer=trainer,
            model=model,
            data_container=data_container,
            tracker=tracker,
            log_writer=log_writer,
            checkpoint_writer=checkpoint_writer,
            metric_property_provider=metric_property_provider,
            name=name,
        )
        self.dataset_key = callback_config.dataset_key
        self.total_data_time = torch.tensor(0.0)
        self.sampler_config = self._sampler_config_from_key(key=self.dataset_key)

    @abstractmethod
    def process_data(self, batch: Any, *, trainer_model: torch.nn.Module) -> Any:
        """Computes the result of one batch.

        Args:
            batch: Named tensors on the model's device, `(samples, ...)`, the last batch perhaps smaller.
            trainer_model: The model as the trainer calls it, wrapped or compiled.

        Returns:
            A tensor `(samples, ...)`, a mapping or sequence of such tensors, a number, or `None`.
        """

    def process_results(
        self, results: Any, *, interval_type: IntervalType, update_counter: UpdateCounter, **_: Any
    ) -> None:
        """Takes the results of the whole data set.

        Args:
            results: The results of `process_data`, joined along the first dimension.
            interval_type: Which interval is due.
            update_counter: The progress of the run.
        """

    def periodic_callback(  # type: ignore[override]  # the framework's signature: the trainer gives more here
        self,
        *,
        interval_type: IntervalType,
        update_counter: UpdateCounter,
        data_iter: Iterator[Any],
        trainer_model: torch.nn.Module,
        batch_size: int,
        **_: Any,
    ) -> None:
        """Runs over the data set and hands the results to `process_results`.

        Args:
            interval_type: Which interval is due.
            update_counter: The progress of the run.
            data_iter: The iterator shared with training and all other callbacks.
            trainer_model: The model as the trainer calls it.
            batch_size: The trainer's batch size; the config's own wins.
        """
        results = self._iterate_over_dataset(batch_size=batch_size, data_iter=data_iter, trainer_model=trainer_model)
        self.process_results(results, interval_type=interval_type, update_counter=update_counter)

    def after_training(self, **_: Any) -> None:
        """Called once after the last update."""

    def _iterate_over_dataset(self, batch_size: int, data_iter: Iterator[Any], trainer_model: torch.nn.Module) -> Any:
        samples = len(self.sampler_config.sampler)
        batches = math.ceil(samples / (self.sampler_config.batch_size or batch_size))
        results = []
        for _ in range(batches):
            batch = self.trainer.drop_metadata(next(data_iter))
            batch = {key: value.to(self.trainer.device) for key, value in batch.items()}
            results.append(self.process_data(batch, trainer_model=trainer_model))
        return collate_results(results, samples)

    def _sampler_config_from_key(
        self, key: str | None, properties: set[str] | None = None, max_size: int | None = None
    ) -> SamplerIntervalConfig:
        dataset = self.data_container.get_dataset(key=key, properties=properties, max_size=max_size)
        return self._create_sampler_config(dataset)

    def _create_sampler_config(self, dataset: Any, pipeline: Any = None) -> SamplerIntervalConfig:
        if len(dataset) == 0:
            raise ValueError(f"{self} was given an empty data set ({self.dataset_key!r}).")
        return SamplerIntervalConfig(
            sampler=SequentialSampler(dataset),
            pipeline=pipeline or dataset.pipeline,
            every_n_epochs=self.every_n_epochs,
            every_n_updates=self.every_n_updates,
            every_n_samples=self.every_n_samples,
            batch_size=self.batch_size,
        )
