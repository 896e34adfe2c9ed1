"""Looks for a trial that goes wrong: some that are laid out, then some that are drawn; a wrong one is made small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume.compared import unsteady_between
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import Experiment, experiment, second_twin_of, twin_of
from noether_testkit.contract.resume.filed import shape_of
from noether_testkit.contract.resume.mismatch import Mismatch, Session
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
        notes: What differs because there are several sessions, in sentences.
        unsteady: Kind and path of what differs between equal runs, and is left out.
        tried: How many trials were judged.
    """

    found: Experiment | None = None
    refusals: list[BaseException] = field(default_factory=list)
    passing: list[Experiment] = field(default_factory=list)
    warned: list[Experiment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
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
        self.search.notes += [note for note in tried.notes if note not in self.search.notes]
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
        first = twin_of(self._bench, self._space, tried.trial)
        second = second_twin_of(self._bench, self._space, tried.trial)
        self.search.unsteady |= unsteady_between(first, second)
        steady = tuple(each for each in tried.mismatches if not self._is_unsteady(each, first))
        return replace(tried, mismatches=steady)

    def _is_unsteady(self, mismatch: Mismatch, twin: Session) -> bool:
        """Returns whether it differs between equal runs, or has a name that other such things have in each run."""
        if (mismatch.kind, mismatch.path) in self.search.unsteady:
            return True
        paths = {path for kind, path in self.search.unsteady if kind == mismatch.kind}
        if mismatch.kind == "log":
            logged = {key for entry in twin.outcome.log for key in entry}
            return mismatch.path not in logged and not paths <= logged
        return mismatch.kind == "file" and shape_of(mismatch.path) in map(shape_of, paths)
