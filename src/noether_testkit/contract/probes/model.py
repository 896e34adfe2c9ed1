"""Probes of a model: weights, and train or eval mode."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from noether_testkit.contract.probes.probe import Change


class WeightProbe:
    """Looks at the values of all parameters and buffers, bit for bit.

    Buffers that are not saved count, too. Names that come or go are a matter of structure and are
    not reported here.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def look(self) -> dict[str, torch.Tensor]:
        """Returns copies of all values by name."""
        return {name: tensor.detach().clone() for name, tensor in _tensors(self._model)}

    def changes(self, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> list[Change]:
        """Returns the tensors whose values differ."""
        return [
            Change(what=name, before=_summary(before[name], after[name]), after=_summary(after[name], before[name]))
            for name in before
            if name in after and not same_bits(before[name], after[name])
        ]


class ModeProbe:
    """Looks at the train or eval flag of each sub-module."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def look(self) -> dict[str, bool]:
        """Returns the flags by the names of the sub-modules; the model itself has the name ''."""
        return {name: module.training for name, module in self._model.named_modules()}

    def changes(self, before: dict[str, bool], after: dict[str, bool]) -> list[Change]:
        """Returns the sub-modules whose flag differs."""
        return [
            Change(what=name or "the model", before=_mode(before[name]), after=_mode(after[name]))
            for name in before
            if name in after and before[name] != after[name]
        ]


def same_bits(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Returns whether two tensors have the same type, shape and bits; NaN equals itself."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.device != right.device:
        left, right = left.cpu(), right.cpu()
    if torch.equal(left, right):
        return not left.is_floating_point() or bool((left.signbit() == right.signbit()).all())
    may_be_nan = left.is_floating_point() or left.is_complex()
    return may_be_nan and bool(((left == right) | (left.isnan() & right.isnan())).all())


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _summary(tensor: torch.Tensor, other: torch.Tensor) -> str:
    if tensor.dtype != other.dtype or tensor.shape != other.shape:
        return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
    different = (tensor != other).flatten()
    index = int(different.nonzero()[0]) if different.any() else 0
    return f"{tensor.flatten()[index].item():.6g}"


def _mode(training: bool) -> str:
    return "train" if training else "eval"
