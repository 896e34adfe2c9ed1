"""Checks of what comes back when a state is loaded."""

from __future__ import annotations

from typing import Any

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import Finding, Force, Unjudged, check
from noether_testkit.contract.compare import Difference, differences, value_at
from noether_testkit.contract.diary import (
    Entry,
    Resumption,
    ordinary_diary,
    resumptions,
    unsteady_in_runs,
    unsteady_until_now,
)
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of_error
from noether_testkit.contract.stateful import (
    SAVED,
    left_out_of_comparison,
    load_error,
    more,
    place_of_method,
    refusal_to_resume,
    require_finished,
    require_state,
)


@check(
    force=Force.MUST,
    promise="answers the same state again after a fresh instance has loaded it.",
    why="What does not come back is lost at every resume: a best value, a patience counter, a window. The run goes on "
    "with wrong decisions, and nothing in the log shows it.",
    after=SAVED,
    explained_by=("fits-hook-signatures",),
)
def round_trips_its_state(bench: Bench) -> str | None:
    """Resumes from checkpoints, and compares what the fresh instance answers with what was saved."""
    require_state(bench)
    left_out = unsteady_in_runs(bench)
    for each in resumptions(bench):
        error = load_error(each)
        if error is not None and bench.refuses(error):
            return f"It refuses to load a state: {error_in_words(error)}."
        if error is not None:
            raise Finding(
                seen=f"A fresh instance was given the state saved after update {each.update}, and load_state_dict "
                f"raised {error_in_words(error)}.",
                expected="load_state_dict takes every state that state_dict has handed out.",
                fix="Read the keys that state_dict writes, under the same names.",
                location=place_of_error(error) or place_of_method(bench, "load_state_dict"),
            )
        _require_restored(bench, each, left_out)
    require_finished(bench)
    return left_out_of_comparison(left_out)


@check(
    force=Force.MUST,
    promise="still has the loaded state after before_training.",
    why="The trainer loads states first and calls before_training then. A start hook that sets its counters to zero "
    "throws the loaded state away at every resume: patience starts over, and the best value is forgotten.",
    after=SAVED,
    explained_by=("fits-hook-signatures",),
)
def keeps_loaded_state_at_start(bench: Bench) -> str | None:
    """Resumes from checkpoints, and compares the state before and after the start hook."""
    require_state(bench)
    left_out = unsteady_in_runs(bench)
    without_file = None
    for each in resumptions(bench):
        refusal = refusal_to_resume(bench, each)
        if refusal is not None:
            return refusal
        missing = _missing_file(each)
        if missing is None:
            _require_kept(bench, each, left_out)
        without_file = without_file or missing
    require_finished(bench)
    return without_file or left_out_of_comparison(left_out)


def _require_restored(bench: Bench, resumption: Resumption, left_out: frozenset[str]) -> None:
    found = _not_restored(resumption, left_out)
    found = found and _not_restored(resumption, unsteady_until_now(bench))
    if not found:
        return
    first = found[0]
    raise Finding(
        seen=f"{first.path} was {first.left} when it was saved after update {resumption.update}; a fresh instance that "
        f"loaded this state answers {first.right}.{more(found)}",
        expected="The same keys, values, types, shapes and dtypes.",
        fix="Set in load_state_dict every attribute that state_dict reads, from the entry of the same name, and keep "
        "its type.",
        location=place_of_method(bench, "load_state_dict"),
    )


def _not_restored(resumption: Resumption, left_out: frozenset[str]) -> list[Difference]:
    """Compares with what was saved after each of the two loads; what is right after one of them is restored.

    After the first load the weights are still fresh; the second one is a matter of its own. What is restored no later
    than by the start hook is restored, too: nothing is saved before it.
    """
    found: dict[str, Difference] | None = None
    for entry in (*resumption.loaded, *([resumption.started] if resumption.started else [])):
        wrong = {each.path: each for each in differences(resumption.saved, entry.state, ignore=left_out)}
        found = wrong if found is None else {path: wrong[path] for path in found if path in wrong}
    return list((found or {}).values())


def _missing_file(resumption: Resumption) -> str | None:
    """Returns in a sentence that a resume ended for lack of a file of the callback's, which is a refusal as well."""
    errors = (each.error for each in resumption.diary.outcome.hook_errors)
    missing = next((error for error in errors if isinstance(error, FileNotFoundError) and error.filename), None)
    if missing is None:
        return None
    return f"It cannot be resumed after update {resumption.update}: {error_in_words(missing)}."


def _require_kept(bench: Bench, resumption: Resumption, left_out: frozenset[str]) -> None:
    """Compares the state before and after the start hook of a resumed run."""
    started = resumption.started
    if started is None or not resumption.loaded:
        raise _not_started(resumption)
    found = _not_kept(bench, resumption, started, left_out)
    found = found and _not_kept(bench, resumption, started, unsteady_until_now(bench))
    if not found:
        return
    first = found[0]
    raise Finding(
        seen=f"In a run that was resumed after update {resumption.update}, {first.path} was {first.left} when it had "
        f"been loaded, and {first.right} after before_training.{more(found)}",
        expected="before_training leaves a loaded state as it is.",
        fix="Set start values in the constructor. Where only before_training can, do it only if nothing was loaded: "
        "let load_state_dict set self._loaded = True and ask for that.",
        location=place_of_method(bench, "before_training"),
    )


def _not_kept(bench: Bench, resumption: Resumption, started: Entry, left_out: frozenset[str]) -> list[Difference]:
    """Returns what the start hook took away: what differs from the loaded and from the saved state.

    A start hook, or `resume_from_checkpoint`, may go on from a value, as one that counts starts or resumes does.
    """
    fresh = [entry.state for entry in ordinary_diary(bench).entries[:2]]
    lost = {each.path for each in differences(resumption.saved, started.state, ignore=left_out)}
    found = differences(resumption.loaded[-1].state, started.state, ignore=left_out)
    return [each for each in found if each.path in lost and not _goes_on(each, fresh, resumption.update)]


def _goes_on(resumed: Difference, fresh: list[Any], update: int) -> bool:
    """Returns whether a value is continued rather than reset.

    A list goes on by more entries; a number by what is added in a fresh run, or by one more, unless it then is what a
    fresh run has; and the update at which a session starts is another one in each.
    """
    before, after = resumed.values
    if isinstance(before, list) and isinstance(after, list):
        return not differences(before, after[: len(before)])
    built, started = (value_at(state, resumed.path) for state in fresh)
    if not _are_numbers(before, after, built, started):
        return False
    added = (after - before) - (started - built)
    return (
        (added == 0 and started != built) or (added in (0, 1) and after != started) or (after, started) == (update, 0)
    )


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _not_started(resumption: Resumption) -> Finding | Unjudged:
    outcome = resumption.diary.outcome
    found = next(iter(outcome.failures), None)
    if found is None:
        return unfinished(outcome)
    return Finding(
        seen=f"In a run that was resumed after update {resumption.update}, {found.moment} raised "
        f"{error_in_words(found.error)}.",
        expected="A run that is resumed starts like any other.",
        fix="Mend the hook; it works in a fresh run, so look at what is only there, or not there yet, after a load.",
        location=place_of_error(found.error),
    )
