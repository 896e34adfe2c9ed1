"""Draws series of metric values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Literal, get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from noether_testkit.errors import UnknownNameError, UsageError

SeriesName = Literal["flat", "rising", "falling", "noisy", "never-better", "with-nan", "with-inf"]
"""How a metric goes."""

SERIES: tuple[SeriesName, ...] = get_args(SeriesName)
"""All names of series."""

Series = tuple[float, ...]

_GRAIN = 8
"""Values are multiples of 1/8: short to read, and exact in every type of float."""


def metric_series(
    length: int = 8, *, names: Sequence[SeriesName] = SERIES, higher_is_better: bool = False
) -> SearchStrategy[Series]:
    """Draws series of metric values, one an update, as `Subject(metrics=…)` takes them.

    | name | the values … |
    |---|---|
    | `flat` | are all the same |
    | `rising`, `falling` | rise or fall at each step |
    | `noisy` | go up and down, from a length of three on |
    | `never-better` | are all worse than the first one |
    | `with-nan` | are NaN in places, the first one perhaps; from a length of two on, some are numbers |
    | `with-inf` | are infinite in places, with either sign |

    All other values are finite. Series shrink to the first of the names, and to numbers near zero.

    Args:
        length: Values in a series.
        names: The names to draw from; all by default.
        higher_is_better: Whether a higher value is better, which says what is worse in `never-better`.

    Raises:
        UsageError: A series without values, or no name to draw.
        UnknownNameError: There is no series of that name.
    """
    if length < 1 or not names:
        raise UsageError(
            f"A series has a name and at least one value, but length is {length} and names is {tuple(names)}."
        )
    for name in names:
        if name not in SERIES:
            raise UnknownNameError("series of metrics named", name, SERIES)
    return st.one_of([_MAKERS[name](length, higher_is_better) for name in names])


def _value() -> SearchStrategy[float]:
    return st.integers(-999, 999).map(_in_grains)


def _step() -> SearchStrategy[float]:
    return st.integers(1, 99).map(_in_grains)


def _in_grains(number: int) -> float:
    return number / _GRAIN


def _values(length: int) -> SearchStrategy[Series]:
    return st.lists(_value(), min_size=length, max_size=length).map(tuple)


def _flat(length: int) -> SearchStrategy[Series]:
    return _value().map(lambda value: (value,) * length)


@st.composite
def _monotonous(draw: DrawFn, length: int, sign: int) -> Series:
    steps = draw(st.lists(_step(), min_size=length - 1, max_size=length - 1))
    return tuple(accumulate((sign * step for step in steps), initial=draw(_value())))


def _noisy(length: int) -> SearchStrategy[Series]:
    return _values(length) if length < 3 else _values(length).filter(_goes_up_and_down)


def _goes_up_and_down(series: Series) -> bool:
    steps = [after - before for before, after in pairwise(series)]
    return min(steps) < 0 < max(steps)


@st.composite
def _never_better(draw: DrawFn, length: int, sign: int) -> Series:
    first = draw(_value())
    losses = draw(st.lists(_step(), min_size=length - 1, max_size=length - 1))
    return (first, *(first + sign * loss for loss in losses))


@st.composite
def _with(draw: DrawFn, length: int, odd_values: Sequence[float]) -> Series:
    """Draws a series with one of the odd values in places, and with a finite one where there is room."""
    places = draw(st.sets(st.integers(0, length - 1), min_size=1, max_size=max(1, length - 1)))
    return tuple(draw(st.sampled_from(odd_values) if place in places else _value()) for place in range(length))


_MAKERS: Mapping[SeriesName, Callable[[int, bool], SearchStrategy[Series]]] = MappingProxyType(
    {
        "flat": lambda length, _: _flat(length),
        "rising": lambda length, _: _monotonous(length, 1),
        "falling": lambda length, _: _monotonous(length, -1),
        "noisy": lambda length, _: _noisy(length),
        "never-better": lambda length, higher_is_better: _never_better(length, -1 if higher_is_better else 1),
        "with-nan": lambda length, _: _with(length, [math.nan]),
        "with-inf": lambda length, _: _with(length, [math.inf, -math.inf]),
    }
)
