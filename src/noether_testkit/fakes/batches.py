"""The one iterator that all batches of a run come from: those of training and those of the callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import default_collate

from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.data import Batch, FakeDataset


def training_batches(
    train: FakeDataset,
    counter: UpdateCounter,
    accumulation_steps: int,
    requests: Iterable[SamplerIntervalConfig],
) -> Iterator[Batch]:
    """Yields the batches of a run: those of each update, then those of the callbacks that are due.

    The order is fixed beforehand by the intervals; who takes a batch too many or too few shifts
    the data of everybody after. With the last update and its callbacks the batches end.

    Args:
        train: The training set; a ragged last batch is dropped.
        counter: Where the run starts and ends, and how long an epoch is; it is not changed.
        accumulation_steps: Batches in an update.
        requests: What the data iterator callbacks ask for, in the order of the callbacks.
    """
    batch_size = counter.effective_batch_size // accumulation_steps
    requests = list(requests)
    update, remaining = counter.update, (counter.end_iteration.update or 0) - counter.update
    for _ in range(max(1, remaining)):
        first = (update % counter.updates_per_epoch) * counter.effective_batch_size
        for start in range(first, first + counter.effective_batch_size, batch_size):
            yield _batch(train, range(start, start + batch_size), train.pipeline)
        update += 1
        for request in _in_turn(requests, update, counter):
            yield from _whole_dataset(request, batch_size)


def evaluation_batches(requests: Iterable[SamplerIntervalConfig], batch_size: int) -> Iterator[Batch]:
    """Yields the batches of an evaluation run: one pass over each data set, in the order of the callbacks."""
    for request in requests:
        yield from _whole_dataset(request, batch_size)


def drop_metadata(batch: Batch) -> Batch:
    """Returns a batch without the entries whose names start with `__meta`."""
    return {key: value for key, value in batch.items() if not key.startswith("__meta")}


def iterator_arguments(model: Any, batches: Iterator[Batch], batch_size: int) -> dict[str, Any]:
    """Returns the further keywords of the periodic hooks of callbacks that iterate over data."""
    return {"trainer_model": model, "data_iter": map(drop_metadata, batches), "batch_size": batch_size}


def _whole_dataset(request: SamplerIntervalConfig, batch_size: int) -> Iterator[Batch]:
    """Yields the batches of one pass over a data set, the last one perhaps smaller."""
    indices = list(request.sampler)
    size = request.batch_size or batch_size
    for number in range(math.ceil(len(indices) / size)):
        yield _batch(request.sampler.data_source, indices[number * size : (number + 1) * size], request.pipeline)


def _in_turn(
    requests: list[SamplerIntervalConfig], update: int, counter: UpdateCounter
) -> Iterator[SamplerIntervalConfig]:
    """Update and sample intervals come in the round after the update, epoch intervals in the next."""
    for request in requests:
        if _due_after_update(request, update, counter.effective_batch_size):
            yield request
    if update % counter.updates_per_epoch == 0:
        epoch = update // counter.updates_per_epoch
        yield from (request for request in requests if request.every_n_epochs and epoch % request.every_n_epochs == 0)


def _due_after_update(request: SamplerIntervalConfig, update: int, batch_size: int) -> bool:
    if request.every_n_updates:
        return update % request.every_n_updates == 0
    if request.every_n_samples:
        interval = request.every_n_samples
        return update * batch_size // interval > (update - 1) * batch_size // interval
    return False


def _batch(dataset: Any, indices: range | list[int], pipeline: Callable[[list[Batch]], Batch]) -> Batch:
    if isinstance(indices, range) and type(dataset) is FakeDataset and pipeline is default_collate:
        return _sliced(dataset, indices)
    return pipeline([dataset[index] for index in indices])


def _sliced(dataset: FakeDataset, indices: range) -> Batch:
    """Returns what collating the samples gives, in one step for each tensor."""
    if dataset.fault is not None:
        for index in indices:
            dataset.fault(index)
    first, count = indices.start, len(indices)
    batch = {name: tensor.narrow_copy(0, first, count) for name, tensor in dataset.tensors.items()}
    return {"index": torch.arange(first, first + count), **batch}
