"""The framework's data sets, filled with tensors in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from noether_testkit.adapters.framework import calls_into_the_framework
from noether_testkit.adapters.framework_classes import framework_classes
from noether_testkit.contract.session import OnUse
from noether_testkit.contract.subject import Subject
from noether_testkit.fakes import default_datasets
from noether_testkit.plan import TrainingPlan


def make_datasets(subject: Subject, plan: TrainingPlan, on_use: OnUse) -> dict[str, Any]:
    """Returns the data sets of a subject, or those of the default problem.

    Args:
        subject: Whose data sets.
        plan: Says how many samples the default problem has.
        on_use: Called with the index of each sample that is read.
    """
    defaults = default_datasets(plan.dataset_size, plan.test_size, plan.seed)
    given = defaults if subject.datasets is None else {"train": defaults["train"], **subject.datasets()}
    with calls_into_the_framework():
        return {key: _dataset(tensors, on_use) for key, tensors in given.items()}


def _dataset(tensors: Mapping[str, torch.Tensor], on_use: OnUse) -> Any:
    framework = framework_classes()

    def getter(name: str) -> Callable[[Any, int], torch.Tensor]:
        def get(_: Any, idx: int) -> torch.Tensor:
            on_use("dataset.__getitem__", {"index": idx})
            return tensors[name][idx]

        return get

    methods: dict[str, Any] = {f"getitem_{name}": getter(name) for name in tensors}
    methods["__len__"] = lambda _: len(next(iter(tensors.values())))
    config = framework.DatasetBaseConfig(kind="noether_testkit.Dataset")
    dataset = type("MemoryDataset", (framework.Dataset,), methods)(config)
    dataset.pipeline = framework.MultiStagePipeline()
    return dataset
