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
    if isinstance(state, torch.Tensor):
        return max(ROUNDING, _STEPS * torch.finfo(state.dtype).eps) if state.is_floating_point() else ROUNDING
    if isinstance(state, Mapping):
        state = list(state.values())
    return max((rounding_of(each) for each in state), default=ROUNDING) if isinstance(state, list | tuple) else ROUNDING


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
