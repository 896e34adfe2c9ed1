"""Looks for a trial that goes wrong: some that are laid out, then some that are drawn; a wrong one is made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume.experiment import (
    Experiment,
    Mismatch,
    Session,
    experiment,
    twin_of,
    unsteady_between,
)
from noether_testkit.contract.resume.files import contents
from noether_testkit.contract.resume.trial import SERIES, Interval, Space, Trial, longest
from noether_testkit.plan import Stop, StopKind, TrainingPlan

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

DRAWN = 12
"""Trials that are drawn where all that were laid out hold."""
TRIED_TO_SHRINK = 150

Judgement = Callable[[Experiment], tuple[Mismatch, ...]]
Boundaries = Callable[[Space, TrainingPlan, Interval | None], list[int]]


@dataclass
class Search:
    """What a search saw.

    Attributes:
        found: The smallest trial that goes wrong, with what is wrong in it.
        refusals: Errors by which the callback refused to be resumed.
        passing: Log values that differed for a while after a resume, and then agreed again.
        unsteady: Kind and path of what differs between equal runs, and is left out.
        tried: How many trials were judged.
    """

    found: Experiment | None = None
    refusals: list[BaseException] = field(default_factory=list)
    passing: list[tuple[Trial, Mismatch]] = field(default_factory=list)
    unsteady: set[tuple[str, str]] = field(default_factory=set)
    tried: int = 0


def search(
    bench: Bench,
    space: Space,
    *,
    boundaries: Boundaries = Space.boundaries,
    lost: bool = False,
    judge: Judgement | None = None,
) -> Search:
    """Looks for the smallest trial in which a resumed run differs from its twin.

    Args:
        bench: Where to train.
        space: The trials that make sense.
        boundaries: Updates after which a run may be stopped.
        lost: Whether each stop is a crash that costs updates after the checkpoint.
        judge: Says which mismatches count; all but those of logs that agree again where it is missing.
    """
    return _Searcher(bench, space, boundaries, lost, judge or what_lasts).run()


def what_lasts(tried: Experiment) -> tuple[Mismatch, ...]:
    """Returns what differs for good: a log value that agrees again later was a window that had to fill up."""
    if all(each.passes for each in tried.mismatches):
        return ()
    return tried.mismatches


class _Searcher:
    def __init__(self, bench: Bench, space: Space, boundaries: Boundaries, lost: bool, judge: Judgement) -> None:
        self._bench = bench
        self._space = space
        self._boundaries = boundaries
        self._lost = lost
        self._judge = judge
        self._seen: dict[Trial, Experiment] = {}
        self.search = Search()

    def run(self) -> Search:
        laid_out = next((trial for trial in self._laid_out() if self._goes_wrong(trial)), None)
        found = self._drawn(DRAWN if laid_out is None else TRIED_TO_SHRINK) or laid_out
        if found is not None:
            self.search.found = self._steadily(self._seen[found])
        self.search.tried = sum(not each.is_void for each in self._seen.values())
        return self.search

    def _goes_wrong(self, trial: Trial) -> bool:
        if trial not in self._seen:
            self._seen[trial] = tried = experiment(self._bench, self._space, trial)
            if tried.refusal is not None:
                self.search.refusals.append(tried.refusal)
            self.search.passing += [(trial, each) for each in tried.mismatches if each.passes]
        return bool(self._judge(self._steadily(self._seen[trial])))

    def _steadily(self, tried: Experiment) -> Experiment:
        """Leaves out what differs between two equal runs, which are only trained where something differs."""
        if not tried.mismatches:
            return tried
        again = Trial(plan=tried.trial.plan, stops=(), interval=tried.trial.interval, course=tried.trial.course)
        first = twin_of(self._bench, self._space, again)
        second = self._bench.train(again.plan, subject=self._space.subject_of(again))
        self.search.unsteady |= unsteady_between(first, Session(outcome=second, files=contents(second)))
        steady = tuple(each for each in tried.mismatches if (each.kind, each.path) not in self.search.unsteady)
        return Experiment(trial=tried.trial, mismatches=steady)

    def _laid_out(self) -> Iterator[Trial]:
        """Yields trials at the own interval: each course of the metrics, stops early and in the middle, each kind."""
        interval = None
        own = next(iter(self._space.own), None)
        plan = self._plan(own, updates_per_epoch=4, batch_size=self._space.batch_sizes[0])
        places = self._boundaries(self._space, plan, interval)
        if not places:
            return
        middle = places[len(places) // 2]
        for number, course in enumerate(SERIES if self._space.reads_metrics else list(SERIES)[:1]):
            for place in dict.fromkeys((middle, places[0], places[min(2, len(places) - 1)])):
                kinds = self._kinds(plan, place)
                stop = Stop(after_update=place, kind=kinds[number % len(kinds)])
                yield Trial(plan=plan, stops=(stop,), interval=interval, course=course, lost=self._losses(plan, place))
        if len(places) > 1:
            twice = tuple(Stop(after_update=place, kind="crash") for place in (places[0], middle))
            if twice[0] != twice[1] and not self._lost:
                yield Trial(plan=plan, stops=twice)

    def _drawn(self, budget: int) -> Trial | None:
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
            return find(self._trials(), lambda trial: trial is not None and self._goes_wrong(trial), settings=quiet)
        except NoSuchExample:
            return None

    def _trials(self) -> SearchStrategy[Trial | None]:
        from hypothesis import strategies as st

        @st.composite
        def trials(draw: st.DrawFn) -> Trial | None:
            space = self._space
            interval = draw(st.sampled_from(space.intervals))
            effective = interval or next(iter(space.own), None)
            batch_size = draw(st.sampled_from(space.batch_sizes))
            per_epoch = draw(st.sampled_from((4, 1, 2, 3))) if space.fixed_size is None else 4
            ragged = space.any_data and space.fixed_size is None and batch_size > 1 and draw(st.booleans())
            steps = 2 if space.any_data and batch_size % 2 == 0 and draw(st.booleans()) else 1
            full = self._plan(effective, updates_per_epoch=per_epoch, batch_size=batch_size)
            plan = TrainingPlan(
                updates=draw(st.integers(2, max(2, full.total_updates))),
                dataset_size=full.dataset_size + ragged,
                batch_size=batch_size,
                accumulation_steps=steps,
                reseed=True,
            )
            course = draw(st.sampled_from(list(SERIES))) if space.reads_metrics else next(iter(SERIES))
            places = self._boundaries(space, plan, interval)
            if not places:
                return None
            chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=1 if self._lost else 2, unique=True))
            stops = tuple(
                Stop(after_update=place, kind=draw(st.sampled_from(self._kinds(plan, place))))
                for place in sorted(chosen)
            )
            lost = self._losses(plan, stops[-1].after_update)
            return Trial(plan=plan, stops=stops, interval=interval, course=course, lost=lost)

        return trials()

    def _plan(self, interval: Interval | None, *, updates_per_epoch: int, batch_size: int) -> TrainingPlan:
        size = self._space.fixed_size or updates_per_epoch * batch_size
        per_epoch = size // batch_size
        updates = longest(interval, per_epoch, batch_size)
        return TrainingPlan(updates=updates, dataset_size=size, batch_size=batch_size, reseed=True)

    def _kinds(self, plan: TrainingPlan, place: int) -> tuple[StopKind, ...]:
        return ("crash",) if self._lost else self._space.kinds(plan, place)

    def _losses(self, plan: TrainingPlan, place: int) -> int:
        """Returns how many updates a crash costs: two, where there are as many left."""
        return min(2, plan.total_updates - 1 - place) if self._lost else 0
