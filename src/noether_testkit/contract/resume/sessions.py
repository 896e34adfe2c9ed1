"""Log values that tell of a session by intention: a count of sessions, or what is logged once in each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from noether_testkit.contract.compare import differences
from noether_testkit.contract.resume.compared import by_key
from noether_testkit.contract.resume.mismatch import Mismatch, Session
from noether_testkit.contract.resume.trial import Space, Trial, is_due


def notes_of_sessions(
    space: Space, trial: Trial, twin: Session, resumed: Session, found: Collection[Mismatch], moved_on: Collection[str]
) -> dict[str, str]:
    """Returns what is said about log keys that differ only because there are several sessions, by key.

    Args:
        space: Where the trial is from.
        trial: What was tried.
        twin: The run that was never stopped.
        resumed: The run that was.
        found: What differs.
        moved_on: Paths of the state that the start hook changes.
    """
    last = trial.stops[-1].after_update
    whole, left, right = (by_key(log, at) for log, at in _logs(twin, resumed, last))
    told: dict[str, str] = {}
    for key in (each.path for each in found if each.kind == "log"):
        mine, theirs = right.get(key, {}), left.get(key, {})
        if _copies(theirs, mine, twin, resumed, moved_on):
            told[key] = f"The log value {key!r} copies what the start hook moves on in the state, and differs."
        elif not theirs and _is_once(mine, whole.get(key, {}), _first_turns(space, trial, last), space, trial):
            told[key] = f"The log value {key!r} is logged once at the start of each session."
    return told


def _logs(twin: Session, resumed: Session, last: int) -> tuple[tuple[Any, int], ...]:
    return (twin.outcome.log, 0), (twin.outcome.log, last), (resumed.outcome.log, last)


def _copies(
    theirs: Mapping[int, Any], mine: Mapping[int, Any], twin: Session, resumed: Session, moved_on: Collection[str]
) -> bool:
    """Returns whether a series shows, in both runs, the value of one path of the state that moved on."""
    pairs = [each.values for each in differences(twin.outcome.state, resumed.outcome.state) if each.path in moved_on]
    return theirs.keys() == mine.keys() and any(
        set(map(repr, theirs.values())) == {repr(left)} and set(map(repr, mine.values())) == {repr(right)}
        for left, right in pairs
    )


def _is_once(
    mine: Mapping[int, Any], whole: Mapping[int, Any], first: Collection[int], space: Space, trial: Trial
) -> bool:
    """Returns whether a value is logged at the first turn after a start only, the same one or only after a resume."""
    if len(mine) != 1 or not mine.keys() <= set(first):
        return False
    is_at_start = len(whole) == 1 and whole.keys() <= set(_first_turns(space, trial, 0))
    return not whole or (is_at_start and repr(list(mine.values())) == repr(list(whole.values())))


def _first_turns(space: Space, trial: Trial, after: int) -> tuple[int, ...]:
    """Returns the updates at which a session may speak first: its first one, and that of the first turn."""
    intervals = (trial.interval,) if trial.interval is not None else space.own
    updates = range(after + 1, trial.plan.total_updates + 1)
    turns = (update for update in updates if any(is_due(each, trial.plan, update) for each in intervals))
    return (after + 1, next(turns, after + 1))
