"""Tells whether two values are equal but for rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

ROUNDING = 1e-5
"""How far two values may be apart, relative to their size, by another order of the same sums."""
_ABSOLUTE = 1e-7
_STEPS = 2
"""Steps of a narrow dtype by which what was kept in it may be off: rounded once at the save and once at the end."""
_WIDEST = _STEPS * torch.finfo(torch.bfloat16).eps
"""How far values may be apart that were worked out from narrower ones."""


def rounding_of(state: Any) -> float:
    """Returns how far values may be apart that were worked out from a state: by the narrowest float dtype in it.

    What is narrower than bfloat16 counts as that: by its own steps, half of a value could be lost.
    """
    found, seen, waiting = ROUNDING, set(), [state]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:  # a state may hold itself
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            found = max(found, min(_WIDEST, rounding_at(value, ROUNDING)))
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return found


def rounding_at(value: Any, rounding: float) -> float:
    """Returns how far a value may be apart from another: by its own dtype, where that is a narrow one."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return rounding
    return max(rounding, _STEPS * torch.finfo(value.dtype).eps)


def is_close(left: Any, right: Any, rounding: float = ROUNDING) -> bool:
    """Returns whether two values are equal but for rounding; whole numbers are not rounded."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return _are_close_tensors(left, right, rounding)
    if isinstance(left, np.ndarray | np.generic) and isinstance(right, np.ndarray | np.generic):
        return _are_close_arrays(np.asarray(left), np.asarray(right), rounding)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _are_close_numbers(left, right, rounding)
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return False


def _are_close_numbers(left: float, right: float, rounding: float) -> bool:
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    both_nan = math.isnan(left) and math.isnan(right)
    return both_nan or math.isclose(left, right, rel_tol=rounding, abs_tol=_ABSOLUTE)


def _are_close_arrays(left: Any, right: Any, rounding: float) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind not in "fc":
        return bool(np.array_equal(left, right))
    return bool(np.allclose(left, right, rtol=rounding, atol=_ABSOLUTE, equal_nan=True))


def _are_close_tensors(left: torch.Tensor, right: torch.Tensor, rounding: float) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if not left.is_floating_point() and not left.is_complex():
        return torch.equal(left, right)
    try:
        return torch.allclose(left, right, rtol=rounding, atol=_ABSOLUTE, equal_nan=True)
    except RuntimeError:  # a dtype or layout that knows no closeness
        return torch.equal(left, right)
