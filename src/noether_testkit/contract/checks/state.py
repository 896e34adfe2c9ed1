"""Checks of the state that must survive a resume."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, Unjudged, check
from noether_testkit.contract.compare import Difference, differences, in_words, value_at
from noether_testkit.contract.diary import (
    Entry,
    Resumption,
    evaluation_diary,
    ordinary_diary,
    resumptions,
    unsteady_in_runs,
    unsteady_until_now,
)
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of, place_of_error
from noether_testkit.contract.untouched import Untouched

_SHAPED = (*BUILT, "has-state-of-the-right-shape")


@check(
    force=Force.MUST,
    promise="answers None or a mapping with string keys when it is asked for its state.",
    why="The trainer asks every callback for its state before the first update and at each checkpoint. An answer of "
    "another kind fails there, or is stored and cannot be matched when the run is resumed.",
    after=BUILT,
    explained_by=("fits-hook-signatures",),
)
def has_state_of_the_right_shape(bench: Bench) -> None:
    """Asks for the state after the constructor and after every hook."""
    for entry in ordinary_diary(bench).entries:
        wrong = _wrong_shape(entry)
        if wrong is not None:
            raise Finding(
                seen=f"Asked {entry.when}, state_dict() {wrong}.",
                expected="None for a callback without state, otherwise a mapping whose keys are strings.",
                fix="Return a dict with one entry a value, such as {'best': self.best, 'patience': self.patience}.",
                location=(place_of_error(entry.error) if entry.error else None) or _place(bench, "state_dict"),
            )


@check(
    force=Force.MUST,
    promise="overrides both state_dict and load_state_dict, or neither.",
    why="With one half missing nothing fails: the state is stored and never taken back, or a loader waits for a state "
    "that is never stored. The resumed run starts over in silence.",
    after=_SHAPED,
)
def saves_and_loads_as_a_pair(bench: Bench) -> None:
    """Compares which of the two methods the class overrides with what it answers."""
    callback, _ = bench.build()
    saves = is_overridden(callback, "state_dict") and any(entry.state for entry in ordinary_diary(bench).entries)
    loads = is_overridden(callback, "load_state_dict")
    if saves and not loads:
        raise Finding(
            seen="state_dict() hands out a state, but load_state_dict is the base class's, which does nothing.",
            expected="What state_dict hands out, load_state_dict takes back.",
            fix="Override load_state_dict(self, state_dict) and set each attribute from it.",
            location=_place(bench, "state_dict"),
        )
    if loads and not is_overridden(callback, "state_dict") and not _takes_nothing(bench):
        raise Finding(
            seen="load_state_dict is overridden, but state_dict is the base class's and answers None: the trainer "
            "passes over a callback whose state is None and never calls load_state_dict.",
            expected="What load_state_dict takes back, state_dict has handed out.",
            fix="Override state_dict(self) and return a dict with every attribute that load_state_dict reads.",
            location=_place(bench, "load_state_dict"),
        )


@check(
    force=Force.MUST,
    promise="answers None or not None for life, from the constructor on, with the same key.",
    why="On a resume the trainer asks a newly built callback for its state, to learn whether it has any. Where the "
    "answer is None at that time, or the key another one, the stored state is dropped: only a warning tells.",
    after=_SHAPED,
)
def is_stateful_from_construction(bench: Bench) -> None:
    """Compares what the callback answers after its constructor with what it answers at every later moment."""
    first, *later = ordinary_diary(bench).entries
    resumed = [entry for each in resumptions(bench) for entry in each.diary.entries]
    for entry in [*later, *resumed, *evaluation_diary(bench).entries]:
        if entry.error is None:
            _require_same_kind(bench, first, entry)
            _require_same_key(bench, first, entry)
    _require_finished(bench)


@check(
    force=Force.MUST,
    promise="has a state that survives torch.save and torch.load at the installed defaults.",
    why="Saving takes anything; loading, at the defaults of today, refuses all but tensors and plain types. The fault "
    "shows on the day when the run must be resumed, and then the checkpoint cannot be read at all.",
    after=_SHAPED,
)
def saves_what_loads_safely(bench: Bench) -> None:
    """Puts the state of every moment through torch.save and torch.load."""
    _require_state(bench)
    for entry in ordinary_diary(bench).entries:
        try:
            through_disk(entry.state)
        except Exception as error:  # noqa: BLE001 - torch raises many kinds
            raise Finding(
                seen=f"The state {entry.when} does not survive torch.save and torch.load: {_culprit(entry.state)} "
                f"({error_in_words(error).partition('. ')[0]}).",
                expected="Every value is a tensor, a number, a string, None, or a list, tuple or dict of these.",
                fix="Convert the value in state_dict (float(x), x.item(), list(x), dict(x), torch.as_tensor(x)) and "
                "back in load_state_dict.",
                location=_place(bench, "state_dict"),
            ) from None
    _require_finished(bench)


@check(
    force=Force.MUST,
    promise="answers the same state again after a fresh instance has loaded it.",
    why="What does not come back is lost at every resume: a best value, a patience counter, a window. The run goes on "
    "with wrong decisions, and nothing in the log shows it.",
    after=(*_SHAPED, "saves-and-loads-as-a-pair", "is-stateful-from-construction", "saves-what-loads-safely"),
    explained_by=("fits-hook-signatures",),
)
def round_trips_its_state(bench: Bench) -> str | None:
    """Resumes from checkpoints, and compares what the fresh instance answers with what was saved."""
    _require_state(bench)
    left_out = unsteady_in_runs(bench)
    for each in resumptions(bench):
        error = _load_error(each)
        if error is not None and bench.refuses(error):
            return f"It refuses to load a state: {error_in_words(error)}."
        if error is not None:
            raise Finding(
                seen=f"A fresh instance was given the state saved after update {each.update}, and load_state_dict "
                f"raised {error_in_words(error)}.",
                expected="load_state_dict takes every state that state_dict has handed out.",
                fix="Read the keys that state_dict writes, under the same names.",
                location=place_of_error(error) or _place(bench, "load_state_dict"),
            )
        _require_restored(bench, each, left_out)
    _require_finished(bench)
    return _left_out(left_out)


@check(
    force=Force.MUST,
    promise="still has the loaded state after before_training.",
    why="The trainer loads states first and calls before_training then. A start hook that sets its counters to zero "
    "throws the loaded state away at every resume: patience starts over, and the best value is forgotten.",
    after=(*_SHAPED, "saves-and-loads-as-a-pair", "is-stateful-from-construction", "saves-what-loads-safely"),
    explained_by=("fits-hook-signatures",),
)
def keeps_loaded_state_at_start(bench: Bench) -> str | None:
    """Resumes from checkpoints, and compares the state before and after the start hook."""
    _require_state(bench)
    left_out = unsteady_in_runs(bench)
    for each in resumptions(bench):
        error = _load_error(each)
        refused = next((found.error for found in each.diary.outcome.hook_errors if bench.refuses(found.error)), None)
        if refused is not None:
            return f"It refuses to be resumed: {error_in_words(refused)}."
        if error is not None:
            raise Unjudged("round-trips-its-state", f"load_state_dict raised {error_in_words(error)}")
        _require_kept(bench, each, left_out)
    _require_finished(bench)
    return _left_out(left_out)


def through_disk(state: Any) -> Any:
    """Returns a state as it comes back from a file, at torch's default settings."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


def _wrong_shape(entry: Entry) -> str | None:
    if entry.error is not None:
        return f"raised {error_in_words(entry.error)}"
    if entry.state is None:
        return None
    if not isinstance(entry.state, Mapping):
        return f"answered {in_words(entry.state)}"
    wrong = [key for key in entry.state if not isinstance(key, str)]
    return f"answered a mapping with the key {in_words(wrong[0])}" if wrong else None


def _require_same_kind(bench: Bench, first: Entry, entry: Entry) -> None:
    if (first.state is None) == (entry.state is None):
        return
    seen = f"state_dict() answered {_kind(first)} after construction, and {_kind(entry)} {entry.when}."
    raise Finding(
        seen=seen,
        expected="The same from the constructor to the end: always None, or never.",
        fix="Create the state in the constructor (empty or with start values) and always return it. A callback that "
        "keeps its state in files returns None for life.",
        location=_place(bench, "state_dict"),
    )


def _require_same_key(bench: Bench, first: Entry, entry: Entry) -> None:
    if first.key == entry.key:
        return
    raise Finding(
        seen=f"checkpoint_key was {first.key!r} after construction, and {entry.key!r} {entry.when}.",
        expected="One key for life: a state is stored under the key of the end and looked for under that of the start.",
        fix="Settle the name in the constructor, from the config or the class, and never change it.",
        location=_place(bench, "checkpoint_key") or place_of(type(bench.build()[0])),
    )


def _require_state(bench: Bench) -> None:
    diary = ordinary_diary(bench)
    if diary.is_stateless:
        seen = f"state_dict() answered None at all {len(diary.entries)} moments of a run"
        if is_overridden(bench.build()[0], "state_dict"):
            raise NotApplicable(f"{seen}, although it is overridden: the run never led to a state, or there is none.")
        raise NotApplicable(f"{seen}: there is no state.")


def _require_finished(bench: Bench) -> None:
    outcome = ordinary_diary(bench).outcome
    if outcome.error is not None:
        raise unfinished(outcome)


def _load_error(resumption: Resumption) -> BaseException | None:
    errors = resumption.diary.outcome.hook_errors
    return next((each.error for each in errors if each.moment.hook == "load_state_dict"), None)


def _require_restored(bench: Bench, resumption: Resumption, left_out: frozenset[str]) -> None:
    found = _not_restored(resumption, left_out)
    found = found and _not_restored(resumption, unsteady_until_now(bench))
    if not found:
        return
    first = found[0]
    raise Finding(
        seen=f"{first.path} was {first.left} when it was saved after update {resumption.update}; a fresh instance that "
        f"loaded this state answers {first.right}.{_more(found)}",
        expected="The same keys, values, types, shapes and dtypes.",
        fix="Set in load_state_dict every attribute that state_dict reads, from the entry of the same name, and keep "
        "its type.",
        location=_place(bench, "load_state_dict"),
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
        f"been loaded, and {first.right} after before_training.{_more(found)}",
        expected="before_training leaves a loaded state as it is.",
        fix="Set start values in the constructor. Where only before_training can, do it only if nothing was loaded: "
        "let load_state_dict set self._loaded = True and ask for that.",
        location=_place(bench, "before_training"),
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


def _takes_nothing(bench: Bench) -> bool:
    """Returns whether a loader without a state only says that there is none, or hands on what it gets unseen."""
    callback, _ = bench.build()
    state, before = Untouched(), dict(vars(callback))
    try:
        callback.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 - whatever the callback raises is judged
        return bench.refuses(error)
    return not state.looked_into and vars(callback) == before


def _not_started(resumption: Resumption) -> Finding | Unjudged:
    outcome = resumption.diary.outcome
    found = next(iter(outcome.hook_errors), None)
    if found is None:
        return unfinished(outcome)
    return Finding(
        seen=f"In a run that was resumed after update {resumption.update}, {found.moment} raised "
        f"{error_in_words(found.error)}.",
        expected="A run that is resumed starts like any other.",
        fix="Mend the hook; it works in a fresh run, so look at what is only there, or not there yet, after a load.",
        location=place_of_error(found.error),
    )


def _more(found: list[Difference]) -> str:
    if len(found) == 1:
        return ""
    return " One more entry differs." if len(found) == 2 else f" {len(found) - 1} more entries differ."


def _culprit(state: Any, path: str = "state") -> str:
    """Returns the first entry that does not survive on its own."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            if not _survives(value):
                return _culprit(value, f"{path}[{key!r}]")
    elif isinstance(state, list | tuple):
        for index, value in enumerate(state):
            if not _survives(value):
                return _culprit(value, f"{path}[{index}]")
    return f"{path} is {in_words(state)}"


def _survives(value: Any) -> bool:
    try:
        through_disk(value)
    except Exception:  # noqa: BLE001 - torch raises many kinds
        return False
    return True


def _kind(entry: Entry) -> str:
    return "None" if entry.state is None else f"a mapping with {len(entry.state)} entries"


def _left_out(paths: frozenset[str]) -> str | None:
    return f"Not compared, because it differs between two equal runs: {', '.join(sorted(paths))}." if paths else None


def _place(bench: Bench, name: str) -> str | None:
    """Returns the place of the callback's own method, or of its class where the method is the base class's."""
    callback, _ = bench.build()
    method = getattr(type(callback), name, None) if is_overridden(callback, name) else type(callback)
    return place_of(method.fget if isinstance(method, property) else method)


CHECKS = (
    has_state_of_the_right_shape,
    saves_and_loads_as_a_pair,
    is_stateful_from_construction,
    saves_what_loads_safely,
    round_trips_its_state,
    keeps_loaded_state_at_start,
)
