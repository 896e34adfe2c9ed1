"""Errors say what is wrong, and name what would be right."""

from __future__ import annotations

import pickle

import pytest

from noether_testkit import errors
from noether_testkit.errors import UnknownNameError, nearest_names, nearest_sentence

NAMES = ["leaves-modes-untouched", "leaves-weights-untouched", "round-trips-its-state"]


@pytest.mark.parametrize("error", [errors.TargetError, errors.SubjectError, errors.UnknownNameError, errors.PlanError])
def test_wrong_use_can_be_caught_as_one(error: type) -> None:
    """Whatever is asked for wrongly is a `UsageError`, and no failure of a test."""
    assert issubclass(error, errors.UsageError)
    assert not issubclass(error, AssertionError)


def test_all_errors_have_one_root() -> None:
    """What the kit raises on purpose can be caught as a whole."""
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert tree
    assert all(issubclass(each, errors.TestkitError) for each in tree)


def test_pytest_collects_no_error_as_a_test() -> None:
    """The root's name begins like that of a test class."""
    assert not errors.TestkitError.__test__


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("leaves-mode-untouched", "Did you mean 'leaves-modes-untouched' or 'leaves-weights-untouched'?"),
        ("Round-Trips-Its-State", "Did you mean 'round-trips-its-state'?"),
        ("zzz", "Known: leaves-modes-untouched, leaves-weights-untouched, round-trips-its-state."),
    ],
)
def test_an_unknown_name_is_answered(name: str, sentence: str) -> None:
    """The nearest names are offered, upper or lower case; where none is near, all are."""
    assert str(UnknownNameError("check", name, NAMES)) == f"There is no check {name!r}. {sentence}"


def test_three_names_are_read_as_a_sentence() -> None:
    """Commas and an "or" stand where a reader expects them."""
    assert nearest_sentence("abc", ["abd", "abe", "abf"]) == "Did you mean 'abf', 'abe' or 'abd'?"


def test_a_long_list_is_cut() -> None:
    """Where nothing is near, a hundred names are no help."""
    sentence = nearest_sentence("zzz", [f"name-{number:03}" for number in range(100)])
    assert sentence.endswith("name-019 and 80 more.")


def test_nothing_known_is_said() -> None:
    """An empty choice is told as such."""
    assert nearest_sentence("zzz", []) == "None is known here."


def test_a_name_may_be_of_any_type() -> None:
    """A number in place of a name is answered, too."""
    assert nearest_names(3, ["3a"]) == ["3a"]  # type: ignore[arg-type]


def test_the_cutoff_says_how_near_is_near() -> None:
    """A stricter cutoff leaves out what a laxer one offers."""
    assert nearest_names("cbz", ["cbs"]) == ["cbs"]
    assert nearest_names("cbz", ["cbs"], cutoff=0.9) == []


def test_an_unknown_name_survives_a_process() -> None:
    """Errors cross from worker processes whole."""
    error = UnknownNameError("check", "zzz", NAMES)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.kind, copy.name) == (str(error), "check", "zzz")
