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
    """Returns whether two tensors have the same type, shape and bits; any NaN equals any other."""
    if left.dtype != right.dtype or left.shape != right.shape or left.layout != right.layout:
        return False
    if left.is_meta or right.is_meta:
        return left.is_meta == right.is_meta
    if left.layout != torch.strided:
        return same_bits(left.cpu().to_dense(), right.cpu().to_dense())
    if left.is_quantized:
        return same_bits(left.dequantize(), right.dequantize())
    bytes_of_left, bytes_of_right = _bytes(left), _bytes(right)
    if torch.equal(bytes_of_left, bytes_of_right):
        return True
    equal = (bytes_of_left == bytes_of_right).all(dim=1)
    return bool((equal | (_is_nan(left) & _is_nan(right))).all())


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """Returns the bytes of a tensor, `(numbers, bytes in a number)`."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).reshape(flat.numel(), tensor.element_size())


def _is_nan(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.detach().cpu().reshape(-1)
    if not (flat.is_floating_point() or flat.is_complex()):
        return torch.zeros(flat.shape, dtype=torch.bool)
    return (flat.float() if flat.element_size() == 1 else flat).isnan()


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _summary(tensor: torch.Tensor, other: torch.Tensor) -> str:
    if tensor.dtype != other.dtype or tensor.shape != other.shape:
        return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
    if tensor.is_quantized or tensor.layout != torch.strided:
        return "other values"
    different = (_bytes(tensor) != _bytes(other)).any(dim=1)
    number = tensor.detach().flatten()[int(different.nonzero()[0])].item()
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _mode(training: bool) -> str:
    return "train" if training else "eval"
