"""The arithmetic of one training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import torch
from torch.nn import functional

Tensors = Mapping[str, torch.Tensor]

Loss = Callable[[Tensors, Tensors], Any]
"""Computes losses from outputs and targets: a tensor, several in a list, or a mapping of them; or a pair of
these and of further outputs, which callbacks get as `update_outputs`."""


@dataclass(frozen=True)
class TrainerResult:
    """What one training step gives: the total loss, the losses by name, and outputs for callbacks."""

    total_loss: torch.Tensor
    losses_to_log: dict[str, torch.Tensor]
    additional_outputs: dict[str, torch.Tensor] | None = None


def mean_squared_error(outputs: Tensors, targets: Tensors) -> dict[str, torch.Tensor]:
    """Returns the mean squared error, summed over all targets, as `mse`.

    Raises:
        KeyError: There are no targets: the batch holds none of the trainer's target properties.
    """
    if not targets:
        raise KeyError("The batch holds no target, so there is nothing to compare the outputs with.")
    return {"mse": reduce(add, [functional.mse_loss(outputs[key], targets[key]) for key in targets])}


def result_of(answer: Any) -> TrainerResult:
    """Returns what a loss answered in the form of a trainer's result.

    Raises:
        ValueError: There is no loss.
        AttributeError: The losses are a tuple, for example, that is no pair.
        TypeError: The first loss is no tensor, or the answer is nothing that holds losses.
    """
    losses, outputs = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    if isinstance(losses, torch.Tensor):
        return TrainerResult(losses, {"loss": losses}, outputs)
    if isinstance(losses, list):
        losses = {f"loss_{number}": loss for number, loss in enumerate(losses)}
    if len(losses) == 0:
        raise ValueError("The loss computed nothing to train on: there must be one loss at least.")
    if not isinstance(losses, Mapping):
        raise AttributeError(f"Losses are a tensor, a list or a mapping, not {losses!r}.")  # noqa: TRY004
    named = dict(losses)
    first = next(iter(named.values()))
    if not isinstance(first, torch.Tensor):
        raise TypeError(f"The first loss must be a tensor to train on, not {first!r}.")
    return TrainerResult(reduce(add, named.values()), named, outputs)
