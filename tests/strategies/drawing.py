"""How the tests of the strategies draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

STEADY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""The same examples each time."""


def drawn(strategy: SearchStrategy[T], count: int) -> list[T]:
    """Returns the first things that a strategy draws, `count` at most."""
    things: list[T] = []

    @settings(STEADY, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(thing: T) -> None:
        things.append(thing)

    collect()
    return things


def smallest(strategy: SearchStrategy[T], condition: Callable[[T], bool] = lambda _: True) -> T:
    """Returns the smallest thing that a strategy draws under a condition; raises where it draws none."""
    return find(
        strategy, condition, settings=settings(STEADY, max_examples=2000, phases=[Phase.generate, Phase.shrink])
    )
