"""Fakes of the data side: data sets, their container, and the one iterator that all batches come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.strict import StrictFake, unknown_attribute

Batch = dict[str, Any]


class FakeDataset(Dataset[Batch]):
    """A data set in memory.

    Args:
        tensors: Named tensors `(samples, ...)`.

    Attributes:
        pipeline: Makes a batch out of a list of samples.
        fault: Called with each index before the sample is handed out.
    """

    stands_for = "Dataset"

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self.tensors = dict(tensors)
        self.pipeline: Callable[[list[Batch]], Batch] = default_collate
        self.fault: Callable[[int], None] | None = None
        self._size = len(next(iter(self.tensors.values())))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Batch:
        if self.fault is not None:
            self.fault(index)
        if not 0 <= index < self._size:
            raise IndexError(f"The data set has {self._size} samples, there is no sample {index}.")
        return {"index": index, **{name: tensor[index] for name, tensor in self.tensors.items()}}

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(unknown_attribute(self, name), name=name, obj=self)


class FakeDataContainer(StrictFake):
    """Holds the data sets of a run by their keys.

    Attributes:
        datasets: The data sets.
    """

    stands_for = "DataContainer"

    def __init__(self, datasets: Mapping[str, FakeDataset], seed: int | None = None) -> None:
        super().__init__()
        self.datasets = dict(datasets)
        self.num_workers = 0
        self.pin_memory = False
        self.seed = seed

    def get_dataset(
        self,
        key: str | None = None,
        properties: set[str] | None = None,
        max_size: int | None = None,
        shuffle_seed: int | None = None,
    ) -> FakeDataset:
        """Returns a data set.

        Args:
            key: Its key; the first data set where it is missing.
            properties: Only these of its named tensors.
            max_size: Only so many samples.
            shuffle_seed: Shuffles the samples by this seed.

        Raises:
            KeyError: There is no such data set.
        """
        self._record("get_dataset", key=key, properties=properties, max_size=max_size, shuffle_seed=shuffle_seed)
        dataset = self.datasets[key or next(iter(self.datasets))]
        if properties is None and max_size is None and shuffle_seed is None:
            return dataset
        order = torch.arange(len(dataset))
        if shuffle_seed is not None:
            order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(shuffle_seed))
        names = dataset.tensors if properties is None else properties
        return FakeDataset({name: dataset.tensors[name][order[:max_size]] for name in names})


def default_datasets(train_size: int = 8, test_size: int = 5, seed: int = 0) -> dict[str, dict[str, torch.Tensor]]:
    """Returns the tensors of the default problem.

    Args:
        train_size: Samples in `train`.
        test_size: Samples in `test`.
        seed: Seed of the samples.

    Returns:
        For each data set `x`, float32 `(samples, 4)`, and `y`, float32 `(samples, 1)`.
    """
    generator = torch.Generator().manual_seed(seed)

    def tensors(samples: int) -> dict[str, torch.Tensor]:
        x = torch.randn(samples, 4, generator=generator)
        return {"x": x, "y": x.sum(dim=1, keepdim=True).sin()}

    return {"train": tensors(train_size), "test": tensors(test_size)}


def interleaved_batches(
    train: FakeDataset,
    counter: UpdateCounter,
    accumulation_steps: int,
    requests: Iterable[SamplerIntervalConfig],
) -> Iterator[Batch]:
    """Yields the batches of a run: those of each update, then those of the callbacks that are due.

    The order is fixed beforehand by the intervals; who takes a batch too many or too few shifts
    the data of everybody after.

    Args:
        train: The training set; a ragged last batch is dropped.
        counter: Where the run starts, and how long an epoch is; it is not changed.
        accumulation_steps: Batches in an update.
        requests: What the data iterator callbacks ask for, in the order of the callbacks.
    """
    size = counter.effective_batch_size // accumulation_steps
    requests = list(requests)
    update = counter.update
    while True:
        first = (update % counter.updates_per_epoch) * counter.effective_batch_size
        for step in range(accumulation_steps):
            yield _batch(train, range(first + step * size, first + (step + 1) * size), train.pipeline)
        update += 1
        for request in _in_turn(requests, update, counter):
            yield from whole_dataset(request, size)


def whole_dataset(request: SamplerIntervalConfig, batch_size: int) -> Iterator[Batch]:
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


def _batch(dataset: Any, indices: Iterable[int], pipeline: Callable[[list[Batch]], Batch]) -> Batch:
    return pipeline([dataset[index] for index in indices])
