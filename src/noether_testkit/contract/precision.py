"""The same problem in double precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from noether_testkit.contract.subject import Subject
from noether_testkit.fakes import default_datasets
from noether_testkit.fakes.model import DefaultNetwork
from noether_testkit.plan import TrainingPlan


def in_double_precision(subject: Subject, plan: TrainingPlan) -> Subject:
    """Returns the subject with weights and data in float64."""

    def model() -> nn.Module:
        return (subject.model or DefaultNetwork)().double()

    def datasets() -> Mapping[str, Mapping[str, torch.Tensor]]:
        defaults = default_datasets(plan.dataset_size, plan.test_size, plan.seed)
        given = defaults if subject.datasets is None else {"train": defaults["train"], **subject.datasets()}
        return {key: {name: _doubled(tensor) for name, tensor in data.items()} for key, data in given.items()}

    return replace(subject, model=model, datasets=datasets)


def _doubled(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
