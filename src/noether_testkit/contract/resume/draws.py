"""Which trials are made: some that are laid out for each callback alike, and some that hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from noether_testkit.contract.ordinary import LONGEST
from noether_testkit.contract.resume.trial import SERIES, Interval, Space, Trial, longest
from noether_testkit.plan import Stop, StopKind, TrainingPlan

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


ENOUGH_TO_TELL = 4
"""Values of a series after a stop that are enough to tell whether they agree again."""


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What to draw from a space of trials.

    Attributes:
        space: The trials that make sense.
        anywhere: Whether a run is stopped at any update, rather than at the ends of intervals.
        lost: How many updates a crash costs after the checkpoint; nothing for an orderly stop.
        crashes_only: Whether runs are only killed.
        laid: How many trials are laid out, at most.
        count: How many are drawn where those hold.
    """

    space: Space
    anywhere: bool = False
    lost: int = 0
    crashes_only: bool = False
    laid: int = 6
    count: int = 4

    def laid_out(self) -> Iterator[Trial]:
        """Yields trials at the own interval: each course of the metrics, stops early and in the middle, each kind."""
        yield from islice(self._laid_out(), self.laid)

    def long_one(self) -> Trial | None:
        """Returns a long trial, stopped early, with metrics that get worse: a large patience shows only there."""
        space = self.space
        own = next(iter(space.own), None)
        short = self._plan(own, updates_per_epoch=4, batch_size=space.batch_sizes[0])
        plan = replace(short, updates=LONGEST)
        places = self._places(short, None)
        if not places:
            return None
        stop = Stop(after_update=places[min(2, len(places) - 1)], kind="early-stop")
        return Trial(plan=plan, stops=(stop,), course="getting worse if low is good")

    def longer(self, trial: Trial) -> Trial | None:
        """Returns a trial like another, with as many turns after its stop as there can be; `None` without enough.

        Where the own interval is too long for that, another one is taken that the config has room for.
        """
        made = [self._long(trial, interval) for interval in dict.fromkeys((trial.interval, *self.space.intervals))]
        after = {each: self._turns_after(each) for each in made if each is not None}
        best = max(after, key=lambda each: after[each], default=None)
        return best if best is not None and after[best] >= ENOUGH_TO_TELL else None

    def _long(self, trial: Trial, interval: Interval | None) -> Trial | None:
        space = self.space
        size = space.fixed_size or trial.plan.batch_size
        plan = TrainingPlan(updates=LONGEST, dataset_size=size, batch_size=trial.plan.batch_size, reseed=True)
        ends = space.boundaries(plan, interval)
        is_inside = trial.stops[-1].after_update not in space.boundaries(trial.plan, trial.interval)
        inside = [update for update in range(1, max(ends, default=1)) if update not in ends] if is_inside else []
        place = next(iter(inside or ends), None)
        if place is None or place + trial.lost >= LONGEST:
            return None
        kind: StopKind = "crash" if self.crashes_only else "early-stop"
        return replace(trial, plan=plan, stops=(Stop(after_update=place, kind=kind),), interval=interval)

    def _turns_after(self, trial: Trial) -> int:
        ends = self.space.boundaries(trial.plan, trial.interval)
        return sum(update > trial.stops[-1].after_update for update in ends)

    def _laid_out(self) -> Iterator[Trial]:
        space = self.space
        plan = self._plan(next(iter(space.own), None), updates_per_epoch=4, batch_size=space.batch_sizes[0])
        places = self._places(plan, None)
        if not places:
            return
        chosen = (places[len(places) // 2], places[0], places[min(2, len(places) - 1)])
        courses = list(SERIES) if space.reads_metrics else list(SERIES)[:1] * len(chosen)
        for number, course in enumerate(courses):
            place = chosen[number % len(chosen)]
            kinds = self._kinds(plan, place)
            stop = Stop(after_update=place, kind=kinds[number % len(kinds)])
            yield Trial(plan=plan, stops=(stop,), course=course, lost=self._lost(plan, place))
        if len(places) > 1 and not self.lost:
            first, second = places[0], places[max(1, len(places) // 2)]
            stops = tuple(Stop(after_update=place, kind=self._kinds(plan, place)[-1]) for place in (first, second))
            yield Trial(plan=plan, stops=stops)

    def smallest(self, goes_wrong: Callable[[Trial], bool], budget: int) -> Trial | None:
        """Returns the smallest trial that goes wrong among those that are drawn, or `None`.

        The same trials are drawn each time, and nothing is kept on disk.
        """
        if budget == 0:
            return None
        from hypothesis import HealthCheck, Phase, Verbosity, find, settings
        from hypothesis.errors import NoSuchExample

        quiet = settings(
            max_examples=budget,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        try:
            return find(self._trials(), lambda trial: trial is not None and goes_wrong(trial), settings=quiet)
        except NoSuchExample:
            return None

    def _trials(self) -> SearchStrategy[Trial | None]:
        from hypothesis import strategies as st

        @st.composite
        def trials(draw: st.DrawFn) -> Trial | None:
            space = self.space
            interval = draw(st.sampled_from(space.intervals))
            plan = draw(plans(interval or next(iter(space.own), None)))
            course = draw(st.sampled_from(list(SERIES))) if space.reads_metrics else next(iter(SERIES))
            places = self._places(plan, interval)
            if not places:
                return None
            chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=1 if self.lost else 2, unique=True))
            stops = tuple(
                Stop(after_update=place, kind=draw(st.sampled_from(self._kinds(plan, place))))
                for place in sorted(chosen)
            )
            lost = self._lost(plan, stops[-1].after_update)
            return Trial(plan=plan, stops=stops, interval=interval, course=course, lost=lost)

        @st.composite
        def plans(draw: st.DrawFn, interval: Interval | None) -> TrainingPlan:
            space = self.space
            batch_size = draw(st.sampled_from(space.batch_sizes))
            per_epoch = draw(st.sampled_from((4, 1, 2, 3))) if space.fixed_size is None else 4
            whole = self._plan(interval, updates_per_epoch=per_epoch, batch_size=batch_size)
            is_free = space.any_data and space.fixed_size is None
            return TrainingPlan(
                updates=draw(st.integers(2, max(2, whole.total_updates))),
                dataset_size=whole.dataset_size + (is_free and batch_size > 1 and draw(st.booleans())),
                batch_size=batch_size,
                accumulation_steps=2 if is_free and batch_size == 2 and draw(st.booleans()) else 1,
                reseed=True,
            )

        return trials()

    def _plan(self, interval: Interval | None, *, updates_per_epoch: int, batch_size: int) -> TrainingPlan:
        """Returns a plan in which the interval is due often."""
        size = self.space.fixed_size or updates_per_epoch * batch_size
        updates = longest(interval, size // batch_size, batch_size)
        return TrainingPlan(updates=updates, dataset_size=size, batch_size=batch_size, reseed=True)

    def _places(self, plan: TrainingPlan, interval: Interval | None) -> list[int]:
        last = plan.total_updates - self.lost
        if self.anywhere and not self.space.iterates:
            return list(range(1, last))
        return [place for place in self.space.boundaries(plan, interval) if place < last]

    def _kinds(self, plan: TrainingPlan, place: int) -> tuple[StopKind, ...]:
        return ("crash",) if self.crashes_only else self.space.kinds(plan, place)

    def _lost(self, plan: TrainingPlan, place: int) -> int:
        return min(self.lost, plan.total_updates - 1 - place)
