"""Promises of drawn series of metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies.drawing import STEADY, smallest

from noether_testkit import Subject, TrainingPlan
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.errors import UnknownNameError, UsageError
from noether_testkit.strategies import SERIES, SeriesName, metric_series

Series = tuple[float, ...]


def steps(series: Series) -> list[float]:
    return [after - before for before, after in pairwise(series)]


def finite(series: Series) -> list[float]:
    return [value for value in series if math.isfinite(value)]


PROMISES: dict[SeriesName, Callable[[Series], bool]] = {
    "flat": lambda series: len(set(series)) == 1,
    "rising": lambda series: all(step > 0 for step in steps(series)),
    "falling": lambda series: all(step < 0 for step in steps(series)),
    "noisy": lambda series: len(series) < 3 or min(steps(series)) < 0 < max(steps(series)),
    "never-better": lambda series: all(value > series[0] for value in series[1:]),
    "with-nan": lambda series: any(math.isnan(value) for value in series) and not any(math.isinf(v) for v in series),
    "with-inf": lambda series: any(math.isinf(value) for value in series) and not any(math.isnan(v) for v in series),
}


@settings(STEADY, max_examples=200)
@given(data=st.data(), name=st.sampled_from(SERIES), length=st.integers(1, 12))
def test_each_series_is_what_its_name_says(data: st.DataObject, name: SeriesName, length: int) -> None:
    """A tuple of floats of the length that was asked for, with the promise of its name."""
    series = data.draw(metric_series(length, names=(name,)))
    assert type(series) is tuple
    assert len(series) == length
    assert {type(value) for value in series} == {float}
    assert PROMISES[name](series)


@settings(STEADY)
@given(data=st.data(), name=st.sampled_from(SERIES), length=st.integers(2, 12))
def test_all_values_are_finite_but_those_in_the_name(data: st.DataObject, name: SeriesName, length: int) -> None:
    """And some are finite in every series."""
    series = data.draw(metric_series(length, names=(name,)))
    assert finite(series)
    assert len(finite(series)) == length or name in ("with-nan", "with-inf")


@settings(STEADY)
@given(series=metric_series(6, names=("never-better",), higher_is_better=True))
def test_worse_follows_the_direction(series: Series) -> None:
    """Where a higher value is better, a series that is never better stays below its first value."""
    assert all(value < series[0] for value in series[1:])


@pytest.mark.parametrize("name", SERIES)
def test_every_name_is_drawn(name: SeriesName) -> None:
    """Where all names are allowed, each one is within reach."""
    assert smallest(metric_series(), PROMISES[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flat", (0.0, 0.0, 0.0)),
        ("rising", (0.0, 0.125, 0.25)),
        ("falling", (0.0, -0.125, -0.25)),
        ("never-better", (0.0, 0.125, 0.125)),
        ("with-inf", (math.inf, 0.0, 0.0)),
    ],
)
def test_series_shrink_to_small_numbers(name: SeriesName, expected: Series) -> None:
    """A report shows what matters and nothing else."""
    assert smallest(metric_series(3, names=(name,))) == expected


REACHABLE: dict[str, Callable[[Series], bool]] = {
    "NaN first": lambda series: math.isnan(series[0]),
    "NaN last": lambda series: math.isnan(series[-1]),
    "NaN in between": lambda series: math.isnan(series[2]) and not math.isnan(series[1] + series[3]),
    "NaN twice": lambda series: sum(map(math.isnan, series)) == 2,
    "infinity": lambda series: math.inf in series,
    "minus infinity": lambda series: -math.inf in series,
    "both infinities": lambda series: {math.inf, -math.inf} <= set(series),
    "a negative value": lambda series: min(finite(series)) < 0,
    "a tie": lambda series: len(finite(series)) == 5 and 1 < len(set(series)) < 5,
}


@pytest.mark.parametrize("case", REACHABLE)
def test_odd_series_are_drawn(case: str) -> None:
    """Whatever trips up a callback that compares values is within reach."""
    smallest(metric_series(5), REACHABLE[case])


@settings(STEADY, max_examples=8)
@given(series=metric_series(4))
def test_a_subject_takes_a_drawn_series(series: Series, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Entry by entry, it is logged at the updates of a run."""
    folder: Path = tmp_path_factory.mktemp("runs")
    subject = Subject(CallbackBase, metrics={"accuracy": series})
    outcome = FakeHarness().train(subject, TrainingPlan(updates=4), folder=folder)
    logged: list[Any] = [entry["accuracy"] for entry in outcome.log]
    assert str(logged) == str(list(series))


@pytest.mark.parametrize("options", [{"length": 0}, {"names": ()}])
def test_a_series_of_nothing_is_refused(options: dict[str, Any]) -> None:
    """At once."""
    with pytest.raises(UsageError, match="a name and at least one value"):
        metric_series(**options)


def test_an_unknown_name_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(UnknownNameError, match="Did you mean 'rising'"):
        metric_series(names=("rise",))  # type: ignore[arg-type]
