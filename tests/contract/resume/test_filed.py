"""Files of a resumed run beside those of its twin."""

from __future__ import annotations

from typing import Any

import pytest

from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.resume.filed import file_mismatches
from noether_testkit.contract.resume.files import Digest, Lines
from noether_testkit.contract.resume.mismatch import Session

RAN = Outcome(error=None)


def told(twin: dict[str, Any], last: dict[str, Any], earlier: dict[str, Any] | None = None, **more: Any) -> list[str]:
    resumed = Session(
        outcome=RAN,
        files={**(earlier or {}), **last},
        last=last,
        earlier=earlier or {},
        start=(1, 4, 8),
        number=1,
        notes=frozenset(more.get("notes", ())),
    )
    whole = Session(outcome=RAN, files=twin, notes=frozenset(more.get("of_twin", ())))
    return [f"{each.what}: {each.twin} / {each.resumed}" for each in file_mismatches(whole, resumed)]


def test_a_file_that_only_the_resumed_run_leaves_is_told() -> None:
    """The twin has never written it, or deleted it again."""
    assert told({"a_2.pt": 1}, {"a_6.pt": 1}, {"a_2.pt": 1}) == ["the file a_6.pt: not there at the end / written"]


@pytest.mark.parametrize(("first", "name"), [("a_0.csv", "a_4.csv"), ("E0_U0_S0.pt", "E1_U4_S8.pt"), ("s1", "s2")])
def test_a_name_may_hold_the_start_or_the_number_of_a_session(first: str, name: str) -> None:
    """It is the same file for another session."""
    assert told({first: 1}, {name: 1}, {first: 1}) == []


def test_what_the_start_of_a_session_writes_is_its_own() -> None:
    """Under a name of its own, or over the note of the session before."""
    assert told({"note": 1}, {"note": 2}, {"note": 1}, notes=["note"], of_twin=["note"]) == []
    assert told({}, {"other": 2}, notes=["other"]) == []


def test_a_table_that_goes_on_is_left_alone() -> None:
    """It has grown since the stop, or is a part of the whole one; texts and lists alike."""
    for rows in (Lines, list):
        assert told({"t": rows("abcd")}, {"t": rows("xy")}, {"t": rows("ab")}) == []
        assert told({"t": rows("abcd")}, {"t": rows("acd")}) == []
    assert told({"t": Lines("ab")}, {"t": Lines("ax")}, {"t": Lines("ab")}) == ["line 2 of the file t: 'b' / 'x'"]


def test_a_text_that_is_a_number_is_one_and_may_be_the_first_row_of_a_table() -> None:
    """Numbers are compared but for rounding, and a table of numbers goes on as any other."""
    one, close, other = Lines(("0.5",)), Lines(("0.5000000001",)), Lines(("0.6",))
    assert told({"n": one}, {"n": close}, {"n": one}) == []
    assert told({"n": one}, {"n": other}, {"n": one}) == ["the content of the file n: 0.5 (float) / 0.6 (float)"]
    assert told({"n": Lines("24")}, {"n": Lines("4")}, {"n": Lines("2")}) == []


def test_bytes_are_compared_unless_they_grow() -> None:
    """A file of the same size was written as a whole."""
    one, other, longer = Digest("2 bytes (a)"), Digest("2 bytes (b)"), Digest("9 bytes (c)")
    assert told({"b": one}, {"b": other}, {"b": one}) != []
    assert told({"b": longer}, {"b": other}, {"b": one}) == []
