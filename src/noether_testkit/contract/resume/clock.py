"""Rates and remaining times: what a callback makes of a clock of the kit's own, before and after a resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.resume.compared import COUNTERS
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.plan import Stop

PAUSE_S = 10_000.0
"""Seconds between two sessions."""

_READERS = ("time", "perf_counter", "monotonic", "process_time")
_FIRST_S = 1_000_000.0
_TICK_S = 1e-6
_CLOSE = 1e-3

Series = Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class MixedSessions:
    """A log value that takes the time of this session for that of all sessions, or the other way round."""

    trial: Trial
    key: str
    update: int
    twin: float
    resumed: float
    location: str | None


class Clock:
    """Shows a time of its own in the hooks of a callback: some seconds an update, and a little more at each look.

    Args:
        update_s: Seconds that an update takes.
        pause_s: Seconds that passed before this session.

    Attributes:
        looks: How often the callback looked at it.
    """

    def __init__(self, update_s: float, pause_s: float = 0.0) -> None:
        self.looks = 0
        self._update_s = update_s
        self._began_s = _FIRST_S + pause_s
        self._now_s = self._began_s

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Puts the functions of the module `time` aside while a hook runs."""
        self._now_s = self._began_s + moment.update * self._update_s
        own = dict(self._readers())
        before = {name: getattr(time, name) for name in own}
        vars(time).update(own)
        try:
            yield
        finally:
            vars(time).update(before)

    def _readers(self) -> Iterator[tuple[str, Callable[[], float]]]:
        for name in _READERS:
            yield name, self._look
            yield f"{name}_ns", lambda: round(self._look() * 1e9)

    def _look(self) -> float:
        self.looks += 1
        self._now_s += _TICK_S
        return self._now_s


def mixed_sessions(bench: Bench, space: Space) -> MixedSessions | None:
    """Resumes a run after a pause, and returns the first rate or remaining time that is another one then.

    Raises:
        NotApplicable: Nothing that is logged is a rate or a remaining time by the clock of the module `time`.
    """
    trial = _trial(space)
    if trial is None:
        raise NotApplicable("There is no place at which a run could be stopped.")
    subject, plan, (stop,) = space.subject_of(trial), trial.plan, trial.stops
    clock = Clock(1.0)
    whole = bench.train(plan, subject=subject, watch=clock)
    if not clock.looks:
        raise NotApplicable("It does not look at a clock of the module time.")
    slow = bench.train(plan, subject=subject, watch=Clock(2.0))
    keys = [
        key
        for key, series in _series(whole).items()
        if _is_steady(series, _series(slow).get(key, {}), plan.total_updates)
    ]
    if not keys:
        raise NotApplicable("It logs no rate and no remaining time by a clock of the module time.")
    stopped = bench.train(
        replace(plan, stop=stop, checkpoint_after=(stop.after_update,)), subject=subject, watch=Clock(1.0)
    )
    checkpoint = stopped.checkpoints.get(stop.after_update)
    if checkpoint is None:
        return None
    resumed = bench.train(plan.resumed(checkpoint), subject=subject, watch=Clock(1.0, PAUSE_S))
    for key in keys:
        update, twin = _last(_series(whole)[key])
        value = _series(resumed).get(key, {}).get(update)
        if value is not None and update > stop.after_update and not _are_close(twin, value):
            place = place_of(type(bench.built))
            return MixedSessions(trial=trial, key=key, update=update, twin=twin, resumed=value, location=place)
    return None


def _trial(space: Space) -> Trial | None:
    """Returns the first trial that is laid out, killed at its only stop."""
    laid_out = next(Draws(space=space, crashes_only=True).laid_out(), None)
    if laid_out is None:
        return None
    return replace(laid_out, stops=(Stop(after_update=laid_out.stops[0].after_update, kind="crash"),))


def _is_steady(series: Series, slower: Series, updates: int) -> bool:
    """Returns whether a series is a rate, a time an update takes, or a time that remains.

    It is twice or half as large where all takes twice as long, and does not grow. What grows is a time that has passed,
    and a time as long as the run is an estimate of all of it, which may be meant for this session.
    """
    values = [series[update] for update in sorted(series)]
    if series.keys() != slower.keys() or not any(values) or _are_close(values[0], updates):
        return False
    grows = any(later > earlier and not _are_close(later, earlier) for earlier, later in pairwise(values))
    scaled = (all(_are_close(slower[update], series[update] * factor) for update in series) for factor in (2.0, 0.5))
    return not grows and any(scaled)


def _last(series: Series) -> tuple[int, float]:
    """Returns the last update at which there is a value other than nothing, and that value."""
    update = max(update for update, value in series.items() if not _are_close(value, 0.0))
    return update, series[update]


def _series(outcome: Outcome) -> dict[str, dict[int, float]]:
    """Returns the numbers in the log, by key and update."""
    found: dict[str, dict[int, float]] = {}
    for entry in outcome.log:
        for key, value in entry.items():
            if key not in COUNTERS and isinstance(value, int | float):
                found.setdefault(key, {})[entry["update"]] = float(value)
    return found


def _are_close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=_CLOSE, abs_tol=_CLOSE)
