"""Tells whether two values are equal but for rounding."""

from __future__ import annotations

import math
from typing import Any

import torch

_RELATIVE, _ABSOLUTE = 1e-5, 1e-7


def is_close(left: Any, right: Any) -> bool:
    """Returns whether two values are equal but for the rounding of another order of the same sums."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return _are_close_tensors(left, right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE) or (
            math.isnan(left) and math.isnan(right)
        )
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return False


def _are_close_tensors(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    try:
        return torch.allclose(left, right, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    except RuntimeError:  # a dtype or layout that knows no closeness
        return torch.equal(left, right)
