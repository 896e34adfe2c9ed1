"""What never comes back is ended, and told with its place; the rest of the report is there."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

import pytest

from noether_testkit import Report, check_callback
from noether_testkit.contract.time_limit import OutOfTime, time_limit
from noether_testkit.core.callbacks import CallbackBase

LIMIT_S = 0.4


class LoopsInAHook(CallbackBase):
    """Waits for an update that never comes, past anything that an ordinary handler catches."""

    def before_training(self, *, update_counter: Any) -> None:
        while update_counter.update == 0:
            with suppress(Exception):
                sum(range(1000))


class LoopsWhenAskedForItsState(CallbackBase):
    """Holds an ordinary run, and gets stuck when it is asked more often."""

    asked = 0

    def state_dict(self) -> dict[str, int]:
        self.asked += 1
        while self.asked > 6:
            sum(range(1000))
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None: ...


@pytest.fixture(scope="module", autouse=True)
def _imports() -> None:
    """The first check imports what torch loads late, which takes longer than the limit here."""
    check_callback(CallbackBase)


def never_end() -> None:
    while True:
        pass


def judged(callback: type) -> Report:
    return check_callback(callback, time_limit_s=LIMIT_S)


def test_a_hook_that_never_ends_breaks_one_check() -> None:
    """The place is told, all other checks wait for it, and the limit is waited for once."""
    report = judged(LoopsInAHook)
    (failed,) = report.failed
    assert failed.check == "completes-an-ordinary-run"
    assert "had not come back after 0.4 s" in (failed.seen or "")
    assert (failed.location or "").endswith("in LoopsInAHook.before_training")
    assert {result.outcome for result in report.results} == {"failed", "blocked"}


def test_what_gets_stuck_in_one_check_is_judged_by_the_others() -> None:
    """Those that do not lead there have passed."""
    report = judged(LoopsWhenAskedForItsState)
    (failed,) = report.failed
    assert (failed.location or "").endswith("in LoopsWhenAskedForItsState.state_dict")
    assert report["completes-an-ordinary-run"].outcome == "passed"


def test_the_alarm_is_put_back() -> None:
    """Another one that was set goes on, with what was left of it."""
    heard: list[int] = []
    previous = signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        with pytest.raises(OutOfTime), time_limit(0.01):
            never_end()
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 900 < left_s < 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert not heard


def test_an_earlier_alarm_is_left_alone() -> None:
    """A limit of somebody else that is shorter rings as it would without the kit."""
    signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        with time_limit(1000):
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_no_limit_sets_no_alarm() -> None:
    """Zero seconds are no limit."""
    with time_limit(0):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
