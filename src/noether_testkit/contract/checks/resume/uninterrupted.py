"""Check of the resume at the ends of intervals."""

from __future__ import annotations

from dataclasses import replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Force, check
from noether_testkit.contract.checks.resume.common import EXPLAINED, SOUND_STATE, SOURCE, sized, space_for
from noether_testkit.contract.checks.resume.telling import finding_of, remark_of
from noether_testkit.contract.checks.resume.windows import is_window
from noether_testkit.contract.resume import Draws, Experiment, Search, Space, experiment, search
from noether_testkit.contract.resume.culprit import culprit_of


@check(
    force=Force.MUST,
    promise="leaves the same log, files, decisions, weights and state when a run is stopped and resumed.",
    why="A run of days is resumed several times: after a time limit, a crash, a better offer for the machine. What the "
    "callback forgets at that moment (a best value, a patience, an average) is wrong from then on, and no error tells.",
    after=SOUND_STATE,
    explained_by=(*EXPLAINED, SOURCE),
)
def resumes_as_if_uninterrupted(bench: Bench) -> str | None:
    """Trains once without a stop and once with stops at the ends of intervals, and compares."""
    space = space_for(bench)
    draws = sized(bench, Draws(space=space))
    seen = search(
        bench,
        draws,
        lambda tried: not _only_by_crashes(bench, space, tried),
        lambda tried: is_window(bench, draws, tried),
    )
    if seen.found is None:
        _look_far_ahead(bench, draws, seen)
    if seen.found is None:
        return remark_of(seen)
    raise finding_of(
        bench,
        space,
        seen,
        seen.found,
        expected="A resumed run leaves what a run leaves that was never stopped.",
        fix="Hand out in state_dict everything that later hooks read, and set it again in load_state_dict; what is "
        "too large for a state goes into files, and comes back in resume_from_checkpoint.",
    )


def _look_far_ahead(bench: Bench, draws: Draws, seen: Search) -> None:
    """Tries one long run where attributes were lost that made no difference in the short ones."""
    trial = draws.long_one() if draws.count else None
    if trial is None or seen.refusals or not culprit_of(bench, draws.space, trial).lost:
        return
    tried = experiment(bench, draws.space, trial)
    decided = tuple(each for each in tried.mismatches if each.kind == "decision")
    if decided:
        seen.found = replace(tried, mismatches=decided)


def _only_by_crashes(bench: Bench, space: Space, tried: Experiment) -> bool:
    """Returns whether the same trial holds where the run is ended in order; that is a matter of another check."""
    if all(stop.kind != "crash" for stop in tried.trial.stops):
        return False
    orderly = tuple(replace(stop, kind="early-stop") for stop in tried.trial.stops)
    return not experiment(bench, space, replace(tried.trial, stops=orderly)).mismatches
