"""Tells whether two values are equal but for rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

ROUNDING = 1e-5
"""How far two values may be apart, relative to their size, by another order of the same sums."""
_ABSOLUTE = 1e-7
_STEPS = 2
"""Steps of a narrow dtype by which what was kept in it may be off: rounded once at the save and once at the end."""


def rounding_of(state: Any) -> float:
    """Returns how far values may be apart that went through a state: by the narrowest float dtype in it."""
    found, seen, waiting = ROUNDING, set(), [state]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:  # a state may hold itself
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            found = max(found, _STEPS * torch.finfo(value.dtype).eps)
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return found


def is_close(left: Any, right: Any, rounding: float = ROUNDING) -> bool:
    """Returns whether two values are equal but for rounding."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return _are_close_tensors(left, right, rounding)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=rounding, abs_tol=_ABSOLUTE) or (
            math.isnan(left) and math.isnan(right)
        )
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return False


def _are_close_tensors(left: torch.Tensor, right: torch.Tensor, rounding: float) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    try:
        return torch.allclose(left, right, rtol=rounding, atol=_ABSOLUTE, equal_nan=True)
    except RuntimeError:  # a dtype or layout that knows no closeness
        return torch.equal(left, right)
