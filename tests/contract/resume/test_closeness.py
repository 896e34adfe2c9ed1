"""Closeness: equal but for rounding."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from noether_testkit.contract.resume.closeness import ROUNDING, is_close, rounding_at, rounding_of


class Refuses:
    """Cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1.0, 1.0 + 1e-7),
        (1, 1.0),
        (math.nan, math.nan),
        (math.inf, math.inf),
        (0.0, 1e-8),
        (True, True),
        ("a", "a"),
        (None, None),
        (torch.tensor([1.0, math.nan]), torch.tensor([1.0 + 1e-7, math.nan])),
        (torch.tensor([1, 2]), torch.tensor([1, 2])),
        (torch.tensor([True]), torch.tensor([True])),
    ],
)
def test_values_that_are_close(left: Any, right: Any) -> None:
    """Rounding is no difference, and NaN is NaN."""
    assert is_close(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1.0, 1.001),
        (1, 2),
        (0.0, math.nan),
        (math.inf, -math.inf),
        (True, 1),
        (False, 0.0),
        ("a", "b"),
        (None, 0),
        (torch.tensor([1.0]), torch.tensor([1.1])),
        (torch.tensor([1.0]), torch.tensor([[1.0]])),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64)),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (Refuses(), Refuses()),
    ],
)
def test_values_that_are_apart(left: Any, right: Any) -> None:
    """Another value, type, shape or dtype is a difference, and so is what cannot be compared."""
    assert not is_close(left, right)


def test_a_narrow_dtype_widens_the_tolerance_up_to_a_cap() -> None:
    """What is worked out from a state of few bits may be off by those of bfloat16, and no more."""
    narrow = torch.zeros(1, dtype=torch.float8_e5m2)
    assert rounding_of({"a": [torch.zeros(1, dtype=torch.float64)]}) == ROUNDING
    assert rounding_of({"a": [narrow]}) == rounding_of({"b": torch.zeros(1, dtype=torch.bfloat16)}) < 0.02
    assert rounding_at(narrow, ROUNDING) > 0.2
    assert not is_close(200, 201, 0.02)
