"""Fakes of the data sets and of their container."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from noether_testkit.fakes.strict import Strict, StrictFake, refuse

Batch = dict[str, Any]


class FakeDataset(Strict, Dataset[Batch]):
    """A data set in memory. A sample is a mapping of its `index` and its named tensors.

    Args:
        tensors: Named tensors `(samples, ...)`; each has a reader `getitem_<name>`. Arrays of NumPy become tensors.

    Attributes:
        pipeline: Makes a batch out of a list of samples.
        tensors: The named tensors, in order of their names; only the kit has them.
        has_only_tensors: Whether there is nothing but tensors, no list of samples; only the kit has it.
        fault: Called with each index before the sample is handed out; only the kit has it.
    """

    _stands_for = "Dataset"
    _kit_only = frozenset({"fault", "has_only_tensors", "tensors"})
    _not_faked = frozenset(
        {
            "compute_statistics",
            "config",
            "denormalize",
            "fetch_statistics",
            "get_all_getitem_names",
            "logger",
            "normalizers",
            "post_getitem",
            "pre_getitem",
        }
    )

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self.tensors = {name: _tensor(tensors[name]) for name in sorted(tensors)}
        self.has_only_tensors = all(isinstance(values, torch.Tensor) for values in self.tensors.values())
        self.pipeline: Callable[[list[Batch]], Batch] = default_collate
        self.fault: Callable[[int], None] | None = None
        self._size = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Batch:
        if self.fault is not None:
            self.fault(index)
        return {"index": index, **{name: tensor[index] for name, tensor in self.tensors.items()}}

    def __getattr__(self, name: str) -> Any:
        field = name.removeprefix("getitem_")
        if field != name and field in self.tensors:
            return self.tensors[field].__getitem__
        return refuse(self, name)


class FakeDatasetView(Dataset[Batch]):
    """What the container hands out: a data set, all of it or a choice of its samples and properties.

    Its samples carry the time of their reading as well, in an entry whose name starts with `__meta`. Its readers
    `getitem_<name>` go by its own order. Other attributes are those of the data set.

    Args:
        dataset: The data set.
        order: Which samples, in which order; all of them by default.
        properties: Only these entries of a sample; all of them by default. An `index` is then that in the view.

    Raises:
        TypeError: The properties are no set.
        ValueError: There are none.
        AttributeError: The data set has no reader for one of them.
    """

    def __init__(
        self, dataset: FakeDataset, order: Sequence[int] | None = None, properties: set[str] | None = None
    ) -> None:
        self.dataset = dataset
        self._order = order
        self._properties = None if properties is None else _checked(properties, dataset)

    def __len__(self) -> int:
        return len(self.dataset) if self._order is None else len(self._order)

    def __getitem__(self, index: int) -> Batch:
        if self._properties is not None:
            return {**self._only_properties(index), "__meta_time_getitem": 0.0}
        return {**self.dataset[self._position(index)], "__meta_time_getitem": 0.0}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "dataset":
            raise AttributeError(name)
        value = getattr(self.dataset, name)
        if self._order is None or not name.startswith("getitem_"):
            return value
        return lambda index: value(self._position(index))

    def _position(self, index: int) -> int:
        return index if self._order is None else self._order[index]

    def _only_properties(self, index: int) -> Batch:
        if not isinstance(index, int | np.integer):
            raise TypeError(f"With properties, samples are read by whole numbers, not by {index!r}.")
        if index < 0:
            raise ValueError(f"With properties, samples are counted from the start, so {index} is none.")
        if index >= len(self):
            raise IndexError(f"There is no sample {index}: there are {len(self)}.")
        sample = {**self.dataset[self._position(index)], "index": index}
        return {name: sample[name] for name in sample if name in (self._properties or ())}


class FakeDataContainer(StrictFake):
    """Holds the data sets of a run by their keys.

    Args:
        datasets: The data sets; the first one is also `train` where there is none of that key.
        seed: Handed to samplers by the framework; not used here.

    Attributes:
        datasets: The data sets.

    Raises:
        ValueError: There is no data set.
    """

    _stands_for = "DataContainer"
    _not_faked = frozenset({"get_data_loader", "get_main_sampler"})

    def __init__(self, datasets: Mapping[str, FakeDataset], seed: int | None = None) -> None:
        super().__init__()
        if not datasets:
            raise ValueError("A data container needs at least one data set.")
        self.datasets = dict(datasets)
        self.datasets.setdefault("train", next(iter(datasets.values())))
        self.num_workers = 0
        self.pin_memory = False
        self.seed = seed
        self.logger = logging.getLogger("FakeDataContainer")

    def get_dataset(
        self,
        key: str | None = None,
        properties: set[str] | None = None,
        max_size: int | None = None,
        shuffle_seed: int | None = None,
    ) -> FakeDatasetView:
        """Returns a view of a data set.

        Args:
            key: Its key; the first data set where it is missing.
            properties: Only these entries of its samples; a set.
            max_size: Only so many samples; 0 is no limit.
            shuffle_seed: Shuffles the samples by this seed.

        Raises:
            KeyError: There is no such data set.
            TypeError: The properties are no set.
            ValueError: There are no properties, or the size is negative.
            AttributeError: The data set lacks a property.
        """
        self._record("get_dataset", key=key, properties=properties, max_size=max_size, shuffle_seed=shuffle_seed)
        dataset = self.datasets[key or next(iter(self.datasets))]
        if max_size is None and shuffle_seed is None:
            return FakeDatasetView(dataset, properties=properties)
        if max_size is not None and max_size < 0:
            raise ValueError(f"A data set cannot be cut to {max_size} samples.")
        order = np.arange(len(dataset))
        if shuffle_seed is not None:
            np.random.default_rng(shuffle_seed).shuffle(order)
        return FakeDatasetView(dataset, order[: max_size or None].tolist(), properties)


def _tensor(values: Any) -> Any:
    return torch.from_numpy(values) if isinstance(values, np.ndarray) else values


def _checked(properties: set[str], dataset: Any) -> set[str]:
    if not isinstance(properties, set):
        raise TypeError(f"The properties of samples are asked for as a set, not as {properties!r}.")
    if not properties:
        raise ValueError("An empty set of properties leaves nothing of a sample; give None for all of it.")
    for name in properties - {"index"}:
        getattr(dataset, f"getitem_{name}")
    return properties


def default_datasets(train_size: int = 8, test_size: int = 5, seed: int = 2) -> dict[str, dict[str, torch.Tensor]]:
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
