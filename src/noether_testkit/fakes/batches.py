"""The one iterator that all batches of a run come from: those of training and those of the callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.data import default_collate

from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.data import Batch, FakeDataset


class Wanted(NamedTuple):
    """A batch that is still to be made.

    Attributes:
        dataset: Where its samples come from.
        indices: Which samples.
        pipeline: Makes a batch of them.
    """

    dataset: Any
    indices: range | list[int]
    pipeline: Callable[[list[Batch]], Batch]


class Batches(Iterator[Batch]):
    """Makes one batch after the other; after one that cannot be made comes the next, as in torch's loader.

    Args:
        wanted: The batches, in order.
    """

    def __init__(self, wanted: Iterator[Wanted]) -> None:
        self._wanted = wanted

    def __next__(self) -> Batch:
        dataset, indices, pipeline = next(self._wanted)
        if isinstance(indices, range) and _is_sliced(dataset) and pipeline is default_collate:
            return _sliced(dataset, indices)
        return pipeline([dataset[index] for index in indices])


def training_batches(
    train: FakeDataset,
    counter: UpdateCounter,
    accumulation_steps: int,
    requests: Iterable[SamplerIntervalConfig],
) -> Batches:
    """Returns the batches of a run: those of each update, then those of the callbacks that are due.

    The order is fixed beforehand by the intervals; who takes a batch too many or too few shifts
    the data of everybody after. With the last update and its callbacks the batches end.

    Args:
        train: The training set; a ragged last batch is dropped. Its pipeline is that of this moment.
        counter: Where the run starts and ends, and how long an epoch is; it is not changed.
        accumulation_steps: Batches in an update.
        requests: What the data iterator callbacks ask for, in the order of the callbacks.
    """
    return Batches(_in_training(train, train.pipeline, counter, accumulation_steps, list(requests)))


def _in_training(
    train: FakeDataset,
    pipeline: Callable[[list[Batch]], Batch],
    counter: UpdateCounter,
    accumulation_steps: int,
    requests: list[SamplerIntervalConfig],
) -> Iterator[Wanted]:
    batch_size = counter.effective_batch_size // accumulation_steps
    update, remaining = counter.update, (counter.end_iteration.update or 0) - counter.update
    for _ in range(max(1, remaining)):
        first = (update % counter.updates_per_epoch) * counter.effective_batch_size
        for start in range(first, first + counter.effective_batch_size, batch_size):
            yield Wanted(train, range(start, start + batch_size), pipeline)
        update += 1
        for request in _in_turn(requests, update, counter):
            yield from _whole_dataset(request, batch_size)


def evaluation_batches(requests: Iterable[SamplerIntervalConfig], batch_size: int) -> Batches:
    """Returns the batches of an evaluation run: one pass over each data set, in the order of the callbacks."""
    return Batches(wanted for request in list(requests) for wanted in _whole_dataset(request, batch_size))


def drop_metadata(batch: Batch) -> Batch:
    """Removes the entries whose names start with `__meta` from a batch, and returns it."""
    if isinstance(batch, dict):
        for key in [key for key in batch if key.startswith("__meta")]:
            del batch[key]
    return batch


def iterator_arguments(model: Any, batches: Iterator[Batch], batch_size: int) -> dict[str, Any]:
    """Returns the further keywords of the periodic hooks of callbacks that iterate over data."""
    return {"trainer_model": model, "data_iter": map(drop_metadata, batches), "batch_size": batch_size}


def _whole_dataset(request: SamplerIntervalConfig, batch_size: int) -> Iterator[Wanted]:
    """Yields the batches of one pass over a data set, the last one perhaps smaller."""
    indices = list(request.sampler)
    size = request.batch_size or batch_size
    for number in range(math.ceil(len(indices) / size)):
        yield Wanted(_source(request.sampler), indices[number * size : (number + 1) * size], request.pipeline)


def _source(sampler: Any) -> Any:
    """Returns the data set of a sampler; torch's distributed one has it under another name."""
    return sampler.data_source if hasattr(sampler, "data_source") else sampler.dataset


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


def _is_sliced(dataset: Any) -> bool:
    return type(dataset) is FakeDataset and dataset.has_only_tensors


def _sliced(dataset: FakeDataset, indices: range) -> Batch:
    """Returns what collating the samples gives, in one step for each tensor."""
    if dataset.fault is not None:
        for index in indices:
            dataset.fault(index)
    first, count = indices.start, len(indices)
    batch = {name: tensor.narrow_copy(0, first, count) for name, tensor in dataset.tensors.items()}
    return {"index": torch.arange(first, first + count), **batch}
