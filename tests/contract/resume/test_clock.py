"""The kit's own clock: what it shows, where, and what is taken for a rate."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from tests.contract.resume.benches import Idle, bench_of
from tests.defects.measures_this_session_only import (
    AddsUpItsSessions,
    DividesByAllUpdates,
    DividesByItsOwnUpdates,
    LogsTheTimeOfItsSession,
)

from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.resume import space_of
from noether_testkit.contract.resume.clock import Clock, mixed_sessions

READERS = ("time", "perf_counter", "monotonic", "process_time")


class LooksAtAllClocks(Idle):
    """Notes what all clocks tell at its turns."""

    def __init__(self, callback_config: Any, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.told: list[dict[str, float]] = []

    def periodic_callback(self, **_: Any) -> None:
        seconds = {name: getattr(time, name)() for name in READERS}
        nanoseconds = {f"{name}_ns": getattr(time, f"{name}_ns")() / 1e9 for name in READERS}
        self.told.append({**seconds, **nanoseconds})


class LogsItsHook(Idle):
    """Logs how long a part of its hook takes, as a rate."""

    def periodic_callback(self, **_: Any) -> None:
        before = time.perf_counter()
        self.writer.add_scalar("calls_per_s", 1 / (time.perf_counter() - before))


def test_all_clocks_tell_a_second_an_update_in_the_hooks() -> None:
    """In seconds and in nanoseconds, and no two looks are the same."""
    clock = Clock(1.0)
    before = {name: getattr(time, name) for name in READERS}
    callbacks = []
    with bench_of(LooksAtAllClocks, config={"every_n_updates": 1}) as bench:

        def watch(moment: Any) -> Any:
            callbacks.append(moment.stage)
            return clock(moment)

        bench.train(watch=watch)
    told = callbacks[-1].callback.told
    assert {name: getattr(time, name) for name in READERS} == before
    assert clock.looks == 8 * len(told)
    for name in told[0]:
        values = [each[name] for each in told]
        assert [later - earlier for earlier, later in pairwise(values)] == pytest.approx(
            [1.0] * (len(told) - 1), abs=1e-3
        )
    assert len(set(told[0].values())) == 8


def test_the_clocks_are_put_back_after_an_error() -> None:
    """A hook that raises leaves the module `time` as it was."""
    before = time.perf_counter

    class Raises(Idle):
        def periodic_callback(self, **_: Any) -> None:
            raise RuntimeError("not today")

    with bench_of(Raises) as bench:
        assert bench.train(watch=Clock(1.0)).error is not None
    assert time.perf_counter is before


def test_a_mixed_rate_is_told_with_its_values() -> None:
    """Its key, its update, and both values."""
    with bench_of(DividesByAllUpdates) as bench:
        found = mixed_sessions(bench, space_of(bench))
    assert found is not None
    assert (found.key, found.update) == ("update_s", 12)
    assert (found.twin, found.resumed) == pytest.approx((1.0, 0.5), abs=1e-3)


@pytest.mark.parametrize("callback", [DividesByItsOwnUpdates, AddsUpItsSessions])
def test_a_rate_of_one_speed_is_no_finding(callback: Any) -> None:
    """Whether it counts this session only, or the time of all sessions."""
    with bench_of(callback) as bench:
        assert mixed_sessions(bench, space_of(bench)) is None


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (Idle, "It does not look at a clock"),
        (LogsTheTimeOfItsSession, "It logs no rate and no remaining time"),
        (LogsItsHook, "It logs no rate and no remaining time"),
    ],
)
def test_without_a_rate_there_is_nothing_to_judge(callback: Any, reason: str) -> None:
    """The reason says what was looked for."""
    with bench_of(callback) as bench, pytest.raises(NotApplicable, match=reason):
        mixed_sessions(bench, space_of(bench))
