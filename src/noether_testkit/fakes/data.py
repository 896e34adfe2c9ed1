"""Fakes of the data sets and of their container."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from noether_testkit.fakes.strict import Strict, StrictFake, refuse

Batch = dict[str, Any]


class FakeDataset(Strict, Dataset[Batch]):
    """A data set in memory. A sample is a mapping of its `index` and its named tensors.

    Args:
        tensors: Named tensors `(samples, ...)`; each has a reader `getitem_<name>`.

    Attributes:
        pipeline: Makes a batch out of a list of samples.
        tensors: The named tensors; only the kit has them.
        fault: Called with each index before the sample is handed out; only the kit has it.
    """

    _stands_for = "Dataset"
    _kit_only = frozenset({"fault", "tensors"})
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
        self.tensors = dict(tensors)
        self.pipeline: Callable[[list[Batch]], Batch] = default_collate
        self.fault: Callable[[int], None] | None = None
        self._size = len(next(iter(self.tensors.values())))

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
    """What the container hands out: a data set, all of it or a choice of its samples and fields.

    Its samples carry the time of their reading as well, in an entry whose name starts with `__meta`. Other
    attributes are those of the data set.

    Args:
        dataset: The data set.
        order: Which samples, in which order; all of them by default.
        fields: Only these entries of a sample; all of them by default.
    """

    def __init__(
        self, dataset: FakeDataset, order: Sequence[int] | None = None, fields: frozenset[str] | None = None
    ) -> None:
        self.dataset = dataset
        self._order = order
        self._fields = fields

    def __len__(self) -> int:
        return len(self.dataset) if self._order is None else len(self._order)

    def __getitem__(self, index: int) -> Batch:
        sample = self.dataset[index if self._order is None else self._order[index]]
        if self._fields is not None:
            sample = {name: value for name, value in sample.items() if name in self._fields}
        return {**sample, "__meta_time_getitem": 0.0}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)


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
            properties: Only these entries of its samples.
            max_size: Only so many samples.
            shuffle_seed: Shuffles the samples by this seed.

        Raises:
            KeyError: There is no such data set.
        """
        self._record("get_dataset", key=key, properties=properties, max_size=max_size, shuffle_seed=shuffle_seed)
        dataset = self.datasets[key or next(iter(self.datasets))]
        fields = None if properties is None else frozenset(properties)
        if max_size is None and shuffle_seed is None:
            return FakeDatasetView(dataset, fields=fields)
        order = torch.arange(len(dataset))
        if shuffle_seed is not None:
            order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(shuffle_seed))
        return FakeDatasetView(dataset, order[:max_size].tolist(), fields)


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
