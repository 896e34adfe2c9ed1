"""What a callback holds: opened, so that it can be compared and named."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch

from noether_testkit.contract.resume.holdings import opened


class Holder:
    """Holds something, and itself."""

    def __init__(self, held: Any) -> None:
        self.held = held
        self.me = self


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (lambda: random.Random(1), lambda each: each.random()),
        (lambda: torch.Generator().manual_seed(1), lambda each: torch.rand(1, generator=each)),
        (lambda: np.random.default_rng(1), lambda each: each.random()),
        (lambda: np.random.RandomState(1), lambda each: each.rand()),
    ],
)
def test_a_generator_is_known_by_its_state(make: Any, draw: Any) -> None:
    """Two that have drawn alike are the same, and one that has drawn more is another."""
    one, other = make(), make()
    assert opened(one) == opened(other)
    draw(one)
    assert opened(one) != opened(other)
    assert repr(opened(one)).startswith("a generator of ")


def test_objects_functions_and_modules_are_opened() -> None:
    """By the names of what they hold; a window stays what it is."""
    best = 3

    def compare(value: int) -> bool:
        return value < best

    assert opened(compare) == {"<best>": 3}
    assert opened(Holder(deque([1], maxlen=2))) == {".held": deque([1], maxlen=2)}
    assert opened([Holder(1)]) == [{".held": 1}]
    assert opened(torch.nn.BatchNorm1d(1))[".running_mean"].tolist() == [0.0]
