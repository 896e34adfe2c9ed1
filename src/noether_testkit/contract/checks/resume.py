"""Checks of the resume: what a run does that was stopped and goes on."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.resume import search, space_of
from noether_testkit.contract.resume.culprit import culprit_of

_SOUND_STATE = (
    *BUILT,
    "has-state-of-the-right-shape",
    "saves-and-loads-as-a-pair",
    "is-stateful-from-construction",
    "saves-what-loads-safely",
    "round-trips-its-state",
    "keeps-loaded-state-at-start",
)


@check(
    force=Force.MUST,
    promise="leaves the same log, files, decisions, weights and state when a run is stopped and resumed.",
    why="A run of days is resumed several times: after a time limit, a crash, a better offer for the machine. What the "
    "callback forgets at that moment (a best value, a patience, an average) is wrong from then on, and no error tells.",
    after=_SOUND_STATE,
)
def resumes_as_if_uninterrupted(bench: Bench) -> str | None:
    """Trains once without a stop and once with stops at the ends of intervals, and compares."""
    if bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    space = space_of(bench)
    seen = search(bench, space)
    if seen.found is None:
        return f"It refuses to be resumed: {error_in_words(seen.refusals[0])}." if seen.refusals else None
    trial, first = seen.found.trial, seen.found.mismatches[0]
    culprit = culprit_of(bench, space, trial)
    raise Finding(
        seen=f"{trial}: {first.what} is {first.twin} in a run that was never stopped, and {first.resumed} in the "
        f"resumed one. {culprit.sentence}".rstrip(),
        expected="A resumed run leaves what a run leaves that was never stopped.",
        fix="Hand out in state_dict everything that later hooks read, and set it again in load_state_dict; what is "
        "too large for a state goes into files, and comes back in resume_from_checkpoint.",
        location=culprit.location,
    )


CHECKS = (resumes_as_if_uninterrupted,)
