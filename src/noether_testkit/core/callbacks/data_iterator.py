"""The base class of callbacks that run over a whole data set."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import SequentialSampler

from noether_testkit.core.callbacks.periodic import IntervalType, PeriodicCallback
from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig, collate_results
from noether_testkit.core.schemas.callbacks import PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter


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
        development: Leaves out the registration of the data set.

    Raises:
        KeyError: The data set does not exist.
        AssertionError: The data set is empty.
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
        if not development:
            self.sampler_config = self._sampler_config_from_key(key=self.dataset_key)
            self.logger.info(
                "%s iterates over %r, %d samples", self, self.dataset_key, len(self.sampler_config.sampler)
            )

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
        """Prints how long the callback waited for data, in all."""
        self.logger.info("%s waited %.2f s for data", self, self.total_data_time.item())

    def _iterate_over_dataset(self, batch_size: int, data_iter: Iterator[Any], trainer_model: torch.nn.Module) -> Any:
        samples = len(self.sampler_config.sampler)
        batches = math.ceil(samples / (self.sampler_config.batch_size or batch_size))
        results, waited_s = [], 0.0
        for _ in range(batches):
            started = perf_counter()
            batch = self.trainer.drop_metadata(next(data_iter))
            waited_s += perf_counter() - started
            batch = {key: _moved(value, self.trainer.device) for key, value in batch.items()}
            results.append(self.process_data(batch, trainer_model=trainer_model))
        self.total_data_time += waited_s / batches
        return collate_results(results)

    def _sampler_config_from_key(
        self, key: str | None, properties: set[str] | None = None, max_size: int | None = None
    ) -> SamplerIntervalConfig:
        dataset = self.data_container.get_dataset(key=key, properties=properties, max_size=max_size)
        return self._create_sampler_config(dataset)

    def _create_sampler_config(self, dataset: Any, pipeline: Any = None) -> SamplerIntervalConfig:
        if len(dataset) == 0:
            raise AssertionError(f"{self} was given an empty data set ({self.dataset_key!r}).")
        return SamplerIntervalConfig(
            sampler=SequentialSampler(dataset),
            pipeline=pipeline or dataset.pipeline,
            every_n_epochs=self.every_n_epochs,
            every_n_updates=self.every_n_updates,
            every_n_samples=self.every_n_samples,
            batch_size=self.batch_size,
        )


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, list):
        if len(value) != 1:
            raise AssertionError(
                f"A batch has a list of {len(value)} entries, and only one can be moved to a device. "
                "Join them to one tensor in the pipeline."
            )
        value = value[0]
    return None if value is None else value.to(device)
