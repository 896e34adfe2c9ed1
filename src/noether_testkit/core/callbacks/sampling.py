"""How data iterator callbacks announce their batches and join their results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import SequentialSampler


@dataclass(frozen=True, kw_only=True)
class SamplerIntervalConfig:
    """Asks for the batches of one data set at one interval.

    Attributes:
        sampler: Gives the indices, in order; its `data_source` is the data set.
        pipeline: Makes a batch out of a list of samples.
        every_n_epochs: The interval in epochs.
        every_n_updates: The interval in updates.
        every_n_samples: The interval in samples.
        batch_size: Samples in a batch; the trainer's batch size where it is `None`.
    """

    sampler: SequentialSampler
    pipeline: Callable[[list[Any]], Any]
    every_n_epochs: int | None = None
    every_n_updates: int | None = None
    every_n_samples: int | None = None
    batch_size: int | None = None


def collate_results(results: list[Any]) -> Any:
    """Joins the results of all batches along the first dimension.

    Args:
        results: One result a batch: tensors, mappings or lists of tensors, numbers, `None`, or tuples
            of these.

    Returns:
        The same shape of result for the whole data set; tuples become lists, and numbers and
        tensors without dimensions a tensor with one entry a batch.

    Raises:
        AttributeError: A mapping holds anything but tensors.
        KeyError: A later mapping lacks a key of the first.
        RuntimeError: The shapes of tensors do not fit, or a list holds tensors without dimensions.
        ValueError: Tuples differ in length, or a result is neither tensor nor number.
    """
    if isinstance(results[0], tuple):
        return [_column(list(column)) for column in zip(*results, strict=True)]
    return _column(results)


def _column(results: list[Any]) -> Any:
    first = results[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _joined([result[key] for result in results]) for key in first}
    if isinstance(first, list):
        return [torch.cat(tensors) for tensors in zip(*results, strict=True)]
    return _joined(results) if isinstance(first, torch.Tensor) else torch.tensor(results)


def _joined(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(tensors) if tensors[0].ndim == 0 else torch.cat(tensors)
