"""Checks of what a callback answers when it is asked for its state."""

from __future__ import annotations

from collections.abc import Mapping

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.compare import in_words
from noether_testkit.contract.diary import Entry, evaluation_diary, ordinary_diary, resumptions
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of, place_of_error
from noether_testkit.contract.stateful import SHAPED, place_of_method, require_finished
from noether_testkit.contract.untouched import Untouched


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
                location=(place_of_error(entry.error) if entry.error else None) or place_of_method(bench, "state_dict"),
            )


@check(
    force=Force.MUST,
    promise="overrides both state_dict and load_state_dict, or neither.",
    why="With one half missing nothing fails: the state is stored and never taken back, or a loader waits for a state "
    "that is never stored. The resumed run starts over in silence.",
    after=SHAPED,
)
def saves_and_loads_as_a_pair(bench: Bench) -> None:
    """Compares which of the two methods the class overrides with what it answers."""
    callback = bench.built
    saves = is_overridden(callback, "state_dict") and any(entry.state for entry in ordinary_diary(bench).entries)
    loads = is_overridden(callback, "load_state_dict")
    if saves and not loads:
        raise Finding(
            seen="state_dict() hands out a state, but load_state_dict is the base class's, which does nothing.",
            expected="What state_dict hands out, load_state_dict takes back.",
            fix="Override load_state_dict(self, state_dict) and set each attribute from it.",
            location=place_of_method(bench, "state_dict"),
        )
    if loads and not is_overridden(callback, "state_dict") and not _takes_nothing(bench):
        raise Finding(
            seen="load_state_dict is overridden, but state_dict is the base class's and answers None: the trainer "
            "passes over a callback whose state is None and never calls load_state_dict.",
            expected="What load_state_dict takes back, state_dict has handed out.",
            fix="Override state_dict(self) and return a dict with every attribute that load_state_dict reads.",
            location=place_of_method(bench, "load_state_dict"),
        )


@check(
    force=Force.MUST,
    promise="answers None or not None for life, from the constructor on, with the same key.",
    why="On a resume the trainer asks a newly built callback for its state, to learn whether it has any. Where the "
    "answer is None at that time, or the key another one, the stored state is dropped: only a warning tells.",
    after=SHAPED,
)
def is_stateful_from_construction(bench: Bench) -> None:
    """Compares what the callback answers after its constructor with what it answers at every later moment."""
    first, *later = ordinary_diary(bench).entries
    resumed = [entry for each in resumptions(bench) for entry in each.diary.entries]
    for entry in [*later, *resumed, *evaluation_diary(bench).entries]:
        if entry.error is None:
            _require_same_kind(bench, first, entry)
            _require_same_key(bench, first, entry)
    require_finished(bench)


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
        location=place_of_method(bench, "state_dict"),
    )


def _require_same_key(bench: Bench, first: Entry, entry: Entry) -> None:
    if first.key == entry.key:
        return
    raise Finding(
        seen=f"checkpoint_key was {first.key!r} after construction, and {entry.key!r} {entry.when}.",
        expected="One key for life: a state is stored under the key of the end and looked for under that of the start.",
        fix="Settle the name in the constructor, from the config or the class, and never change it.",
        location=place_of_method(bench, "checkpoint_key") or place_of(type(bench.built)),
    )


def _takes_nothing(bench: Bench) -> bool:
    """Returns whether a loader without a state only says that there is none, or hands on what it gets unseen."""
    callback, _ = bench.build()
    state, before = Untouched(), dict(vars(callback))
    try:
        callback.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 - whatever the callback raises is judged
        return bench.refuses(error)
    return not state.looked_into and vars(callback) == before


def _kind(entry: Entry) -> str:
    return "None" if entry.state is None else f"a mapping with {len(entry.state)} entries"
