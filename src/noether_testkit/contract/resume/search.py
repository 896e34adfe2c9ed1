"""Looks for a trial that goes wrong: some that are laid out, then some that are drawn; a wrong one is made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import (
    Experiment,
    Session,
    experiment,
    twin_of,
    unsteady_between,
)
from noether_testkit.contract.resume.files import contents
from noether_testkit.contract.resume.trial import Trial

TRIED_TO_SHRINK = 120
"""Trials that are drawn to find a small one that goes wrong, where a larger one did."""

Judgement = Callable[[Experiment], bool]


@dataclass
class Search:
    """What a search saw.

    Attributes:
        found: The smallest trial that goes wrong, with what is wrong in it.
        refusals: Errors by which the callback refused to be resumed.
        passing: Trials in which a window had to fill up after the resume, and nothing else differed.
        warned: Trials in which something differed, and the callback had warned of it.
        unsteady: Kind and path of what differs between equal runs, and is left out.
        tried: How many trials were judged.
    """

    found: Experiment | None = None
    refusals: list[BaseException] = field(default_factory=list)
    passing: list[Experiment] = field(default_factory=list)
    warned: list[Experiment] = field(default_factory=list)
    unsteady: set[tuple[str, str]] = field(default_factory=set)
    tried: int = 0


def search(bench: Bench, draws: Draws, goes_wrong: Judgement, is_window: Judgement) -> Search:
    """Looks for the smallest trial in which a resumed run differs from its twin.

    Args:
        bench: Where to train.
        draws: What to try.
        goes_wrong: Says whether what differs counts.
        is_window: Says whether what differs is no more than a window that had to fill up.
    """
    return _Searcher(bench, draws, goes_wrong, is_window).run()


class _Searcher:
    def __init__(self, bench: Bench, draws: Draws, goes_wrong: Judgement, is_window: Judgement) -> None:
        self._bench = bench
        self._space = draws.space
        self._draws = draws
        self._judge = goes_wrong
        self._is_window = is_window
        self._seen: dict[Trial, Experiment] = {}
        self._verdicts: dict[Trial, bool] = {}
        self.search = Search()

    def run(self) -> Search:
        laid_out = next((trial for trial in self._draws.laid_out() if self._goes_wrong(trial)), None)
        budget = self._draws.count if laid_out is None else TRIED_TO_SHRINK
        found = self._draws.smallest(self._goes_wrong, budget) or laid_out
        if found is not None:
            self.search.found = self._steadily(self._seen[found])
        self.search.tried = sum(not each.is_void for each in self._seen.values())
        return self.search

    def _goes_wrong(self, trial: Trial) -> bool:
        if trial not in self._verdicts:
            self._verdicts[trial] = self._judged(trial)
        return self._verdicts[trial]

    def _judged(self, trial: Trial) -> bool:
        tried = self._seen[trial] = experiment(self._bench, self._space, trial)
        if tried.refusal is not None:
            self.search.refusals.append(tried.refusal)
        steady = self._steadily(tried)
        if not steady.mismatches:
            return False
        if self._is_window(steady):
            self.search.passing.append(steady)
            return False
        if not self._judge(steady):
            self.search.warned += [steady] if steady.warning else []
            return False
        return True

    def _steadily(self, tried: Experiment) -> Experiment:
        """Leaves out what differs between two equal runs, which are only trained where something differs."""
        if not tried.mismatches:
            return tried
        again = replace(tried.trial, stops=(), lost=0, in_place=False)
        first = twin_of(self._bench, self._space, again)
        second = self._bench.train(again.plan, subject=self._space.subject_of(again))
        self.search.unsteady |= unsteady_between(first, Session(outcome=second, files=contents(second)))
        steady = tuple(each for each in tried.mismatches if (each.kind, each.path) not in self.search.unsteady)
        logged = {key for entry in first.outcome.log for key in entry}
        if any(kind == "log" and path not in logged for kind, path in self.search.unsteady):
            steady = tuple(each for each in steady if each.kind != "log" or each.path in logged)
        return replace(tried, mismatches=steady)
