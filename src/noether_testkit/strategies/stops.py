"""Draws where and how a run ends early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from noether_testkit.errors import PlanError, UnknownNameError
from noether_testkit.plan import Stop, StopKind, TrainingPlan

KINDS: tuple[StopKind, ...] = get_args(StopKind)


def interruptions(
    plan: TrainingPlan,
    *,
    max_stops: int = 3,
    kinds: Sequence[StopKind] = KINDS,
    every_n_epochs: int | None = None,
    every_n_updates: int | None = None,
    every_n_samples: int | None = None,
) -> SearchStrategy[tuple[Stop, ...]]:
    """Draws one or several stops of a run, in ascending order, each after another update.

    All lie strictly inside the run: it has trained at least one update, and at least one is left. Where there
    is no such update, nothing is drawn, as by `hypothesis.assume`. With one of the three intervals, set as in
    the config of a callback, only the updates at which that interval is due are drawn. Stops shrink to a
    single one, as early as can be.

    A `signal` after the last update of an epoch ends the run before the epoch's callbacks had their turn, as in the
    framework. Where that must not matter, draw other kinds only.

    Args:
        plan: The run.
        max_stops: How many stops are drawn at most.
        kinds: The kinds of stop to draw from; all by default.
        every_n_epochs: Draws the ends of intervals of so many epochs only.
        every_n_updates: Draws the ends of intervals of so many updates only.
        every_n_samples: Draws the ends of intervals of so many samples only.

    Raises:
        PlanError: There are two intervals, or a number below 1, or there is no kind to draw.
        UnknownNameError: There is no such kind of stop.
    """
    intervals = {"epochs": every_n_epochs, "updates": every_n_updates, "samples": every_n_samples}
    given = {unit: number for unit, number in intervals.items() if number is not None}
    if len(given) > 1:
        raise PlanError("Stops are drawn at the ends of one interval: give only one of the three every_n_… arguments.")
    if min(max_stops, *given.values(), len(kinds)) < 1:
        raise PlanError(
            f"max_stops and intervals start at 1, and one kind of stop is needed, but max_stops is {max_stops}, "
            f"the interval {given} and kinds {tuple(kinds)}."
        )
    for kind in kinds:
        if kind not in KINDS:
            raise UnknownNameError("kind of stop", kind, KINDS)
    ends = [update for update in range(1, plan.total_updates) if _is_due(plan, given, update)]
    return _stops(ends, max_stops, kinds) if ends and not plan.evaluate else st.nothing()


@st.composite
def _stops(draw: DrawFn, ends: Sequence[int], max_stops: int, kinds: Sequence[StopKind]) -> tuple[Stop, ...]:
    drawn = draw(st.lists(st.sampled_from(ends), min_size=1, max_size=min(max_stops, len(ends)), unique=True))
    return tuple(Stop(after_update=update, kind=draw(st.sampled_from(kinds))) for update in sorted(drawn))


def _is_due(plan: TrainingPlan, interval: dict[str, int], update: int) -> bool:
    """Returns whether an interval is due after an update; always where there is no interval."""
    lengths = {"epochs": plan.updates_per_epoch, "updates": 1}
    for unit, number in interval.items():
        if unit == "samples":
            return update * plan.batch_size // number > (update - 1) * plan.batch_size // number
        return update % (number * lengths[unit]) == 0
    return True
