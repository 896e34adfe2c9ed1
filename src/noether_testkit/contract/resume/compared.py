"""Compares what came of a resumed run with what came of its twin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from noether_testkit.contract.compare import differences, in_words
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.resume.closeness import is_close, rounding_of
from noether_testkit.contract.resume.draws import ENOUGH_TO_TELL
from noether_testkit.contract.resume.filed import file_mismatches
from noether_testkit.contract.resume.mismatch import Mismatch, Session, of_leaves
from noether_testkit.fakes.lineage import is_early_stop

COUNTERS = ("epoch", "update", "sample")
_AT_END = "the value at the end of {path}"
_SERIES = {
    "log": "the log value {key!r} of update {update}",
    "nonscalar": "the non-scalar log value {key!r} of update {update}",
    "tracker": "the value {key!r} that the tracker was given at update {update}",
}


def unsteady_between(left: Session, right: Session) -> frozenset[tuple[str, str]]:
    """Returns kind and path of what differs between two equal runs."""
    return frozenset((each.kind, each.path) for each in mismatches(left, right, 0))


def mismatches(twin: Session, resumed: Session, last: int, ignored: Collection[str] = ()) -> Iterator[Mismatch]:
    """Yields what differs after the last stop, the most telling first."""
    mine, theirs = resumed.outcome, twin.outcome
    errors = list(_of_errors(theirs, mine))
    if errors:
        yield from errors
        return
    rounding = rounding_of(theirs.state)
    yield from of_decisions(theirs, mine)
    yield from _of_series("log", theirs.log, mine.log, last, rounding)
    yield from _of_series("nonscalar", theirs.nonscalars, mine.nonscalars, last, rounding)
    yield from _of_series("tracker", theirs.tracked, mine.tracked, last, rounding)
    yield from of_leaves("summary", "the summary value {path}", theirs.summary, mine.summary, rounding=rounding)
    yield from of_leaves("state", _AT_END, theirs.state, mine.state, rounding=rounding)
    yield from file_mismatches(twin, resumed, ignored)
    yield from of_leaves("optimizer", _AT_END, _groups_of(theirs), _groups_of(mine))
    yield from of_leaves("weights", _AT_END, theirs.weights, mine.weights)
    yield from of_leaves("optimizer", _AT_END, theirs.optimizer, mine.optimizer)


def of_early_end(outcome: Outcome, twin: Outcome) -> tuple[Mismatch, ...]:
    """Returns what is wrong with a session that ended before its next stop."""
    return tuple(_of_errors(twin, outcome)) or tuple(of_decisions(twin, outcome))


def _groups_of(outcome: Outcome) -> dict[str, Any]:
    """Returns the options of the optimiser, such as learning rates; where they differ, weights do for that reason."""
    return {"param_groups": (outcome.optimizer or {}).get("param_groups")}


def _of_errors(twin: Outcome, resumed: Outcome) -> Iterator[Mismatch]:
    if resumed.error is None:
        return
    hook = next((str(found.moment) for found in resumed.hook_errors), "the trainer")
    yield Mismatch(
        kind="error",
        what=hook,
        path="error",
        twin="nothing unusual" if twin.error is None else error_in_words(twin.error),
        resumed=f"raised {error_in_words(resumed.error)}",
        error=resumed.error,
    )


def of_decisions(twin: Outcome, resumed: Outcome) -> Iterator[Mismatch]:
    """Yields a mismatch where only one of two runs was ended by the callback, or at another update."""
    left, right = _end_of(twin), _end_of(resumed)
    if left == right:
        return
    if _is_stopped(twin) and not _is_stopped(resumed):
        right = f"it did not, up to update {resumed.updates}"
    yield Mismatch(kind="decision", what="the end of the run", path="end", twin=left, resumed=right)


def _is_stopped(outcome: Outcome) -> bool:
    return any(is_early_stop(found.error) for found in outcome.hook_errors)


def _end_of(outcome: Outcome) -> str:
    if _is_stopped(outcome):
        return f"the callback stopped the run after update {outcome.updates}"
    return f"the run went on to its end after update {outcome.updates}"


def _of_series(
    kind: str, twin: Iterable[Mapping[str, Any]], resumed: Iterable[Mapping[str, Any]], last: int, rounding: float
) -> Iterator[Mismatch]:
    left, right = by_key(twin, last), by_key(resumed, last)
    for key in [*left, *(key for key in right if key not in left)]:
        yield from _of_one_series(kind, key, left.get(key, {}), right.get(key, {}), rounding)


def _of_one_series(
    kind: str, key: str, left: Mapping[int, Any], right: Mapping[int, Any], rounding: float
) -> Iterator[Mismatch]:
    updates = sorted({*left, *right})
    wrong = [update for update in updates if not _agree(left, right, update, rounding)]
    if not wrong:
        return
    first = wrong[0]
    yield Mismatch(
        kind=kind,
        what=_SERIES[kind].format(key=key, update=first),
        path=key,
        twin=in_words(left[first]) if first in left else "not logged",
        resumed=in_words(right[first]) if first in right else "not logged",
        passes=len(updates) >= ENOUGH_TO_TELL and len(updates) - updates.index(wrong[-1]) > 2,
        is_short=len(updates) < ENOUGH_TO_TELL,
        wrong=len(wrong),
    )


def _agree(left: Mapping[int, Any], right: Mapping[int, Any], update: int, rounding: float) -> bool:
    if update not in left or update not in right:
        return False
    return all(is_close(*each.values, rounding) for each in differences(left[update], right[update]))


def by_key(log: Iterable[Mapping[str, Any]], last: int) -> dict[str, dict[int, Any]]:
    """Returns the values of each key by update, after the last stop."""
    found: dict[str, dict[int, Any]] = {}
    for entry in log:
        if entry["update"] > last:
            for key, value in entry.items():
                if key not in COUNTERS:
                    found.setdefault(key, {})[entry["update"]] = value
    return found
