"""What the checks of the resume share: what they come after, and the trials that make sense."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT
from noether_testkit.contract.resume import Draws, Space, space_of
from noether_testkit.contract.resume.culprit import has_nothing_to_lose
from noether_testkit.contract.resume.experiment import twin_of

SOUND_STATE = (
    *BUILT,
    "fits-hook-signatures",
    "has-state-of-the-right-shape",
    "saves-and-loads-as-a-pair",
    "is-stateful-from-construction",
    "saves-what-loads-safely",
    "round-trips-its-state",
    "keeps-loaded-state-at-start",
)
EXPLAINED = (
    "leaves-grad-mode-alone",
    "leaves-weights-untouched",
    "leaves-modes-untouched",
    "survives-a-zero-update-run",
    "completes-an-ordinary-run",
    "stops-only-from-periodic-hooks",
    "reads-state-without-effect",
    "loads-twice-like-once",
)
AS_IF = "resumes-as-if-uninterrupted"
SOURCE = "resumes-from-its-source"


def space_for(bench: Bench) -> Space:
    """Returns the trials that make sense for the subject.

    Raises:
        Unjudged: An ordinary run broke.
    """
    if bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    space = bench.once("space of trials", lambda: space_of(bench))
    return replace(space, subject=bench.subject)


def sized(bench: Bench, draws: Draws) -> Draws:
    """Returns what to try, which is less where nothing can be lost: one trial shows that the run goes through.

    A callback that ends runs by itself is tried as often as others: the one trial could be over before its stop.
    """
    space, first = draws.space, list(islice(Draws(space=draws.space).laid_out(), 2))
    ends = any(twin_of(bench, space, each).outcome.updates < each.plan.total_updates for each in first)
    is_bare = not ends and bench.once("nothing to lose", lambda: has_nothing_to_lose(bench, space, first))
    return replace(draws, laid=1, count=0) if is_bare else draws
