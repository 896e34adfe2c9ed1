"""Places and refusals: where something came from, and whether it was meant."""

from __future__ import annotations

import functools
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from noether_testkit.contract.locate import (
    capitalised,
    entered,
    in_words,
    is_refusal,
    place_of,
    place_of_error,
    short_path,
    steady,
)


class Callback:
    """Stands for the user's class."""

    best: float | None = None

    def refuse(self) -> None:
        raise ValueError("Cannot resume without a best value.")

    def refuse_from_another(self) -> None:
        try:
            {}["best"]
        except KeyError as error:
            raise ValueError("The state has no best value.") from error

    def not_implemented(self) -> None:
        raise NotImplementedError

    def assert_with_a_reason(self) -> None:
        assert self.best is not None, "needs a best value"

    def miss_a_key(self) -> None:
        {}["best value"]

    def raise_a_bare_name(self) -> None:
        raise KeyError("best")

    def raise_nothing_said(self) -> None:
        raise ValueError

    def assert_without_a_reason(self) -> None:
        assert self.best is not None

    def raise_again(self) -> None:
        try:
            {}["best value"]
        except KeyError:  # noqa: TRY203 - that is the point
            raise

    def raise_what_it_caught(self) -> None:
        caught: BaseException = ValueError("nothing was caught")
        try:
            {}["best value"]
        except KeyError as error:
            caught = error
        raise caught

    def divide(self) -> None:
        _ = 1 / 0

    def call_python(self) -> None:
        json.loads("{not json")

    def call_statistics(self) -> None:
        statistics.mean([])

    def call_torch(self) -> None:
        torch.nn.Linear(1, 1).load_state_dict({})


def error_of(name: str) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        getattr(Callback(), name)()
    return caught.value


@pytest.mark.parametrize("name", ["refuse", "refuse_from_another", "not_implemented", "assert_with_a_reason"])
def test_an_own_raise_with_a_reason_is_a_refusal(name: str) -> None:
    """Who says in words that something cannot be done, has decided so."""
    assert is_refusal(error_of(name), Callback)


@pytest.mark.parametrize(
    "name",
    [
        "miss_a_key",
        "raise_a_bare_name",
        "raise_nothing_said",
        "assert_without_a_reason",
        "raise_again",
        "raise_what_it_caught",
        "divide",
        "call_python",
        "call_statistics",
        "call_torch",
    ],
)
def test_an_accident_is_no_refusal(name: str) -> None:
    """An error that happened, that says nothing, or that a library raised, was not meant."""
    assert not is_refusal(error_of(name), Callback)


@pytest.mark.parametrize("name", ["call_torch", "call_python", "divide"])
def test_the_place_of_an_error_is_in_the_users_code(name: str) -> None:
    """Frames of torch and of Python are passed over, the user's innermost line stays."""
    line = getattr(Callback, name).__code__.co_firstlineno + 1
    assert place_of_error(error_of(name)) == f"{short_path(__file__)}:{line} in Callback.{name}"


def test_an_error_without_a_traceback_has_no_place() -> None:
    """An error that was never raised came from nowhere."""
    assert place_of_error(ValueError("made, not raised")) is None
    assert not is_refusal(ValueError("made, not raised"), Callback)


def wrapped(function: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(function)
    def wrapper() -> None:
        function()

    return wrapper


@wrapped
def decorated() -> None:
    """Does nothing."""


def test_the_place_of_a_function_is_where_it_is_written() -> None:
    """A decorator does not hide the function, and a bound method is found as well as a class."""
    assert str(place_of(decorated)).endswith("in decorated")
    assert str(place_of(Callback().refuse)).endswith("in Callback.refuse")
    assert str(place_of(Callback)).endswith("in Callback")


@pytest.mark.parametrize("thing", [len, 3, None, "text"])
def test_what_has_no_source_has_no_place(thing: object) -> None:
    """Built-in functions and plain values are nowhere."""
    assert place_of(thing) is None


def test_a_call_that_does_not_bind_never_entered_the_body() -> None:
    """A wrong signature can be told from a TypeError inside of the hook."""
    with pytest.raises(TypeError) as unbound:
        Callback().refuse(3)  # type: ignore[call-arg]
    assert not entered(unbound.value, Callback.refuse)
    assert entered(error_of("refuse"), Callback.refuse)


def test_an_error_is_told_on_one_line_of_bearable_length() -> None:
    """Line breaks become spaces, long texts are cut, and no full stop is doubled by a sentence around it."""
    assert in_words(ValueError("first\n   second")) == "ValueError: first second"
    assert in_words(ValueError()) == "ValueError"
    assert len(in_words(ValueError("x" * 1000))) < 330
    assert not in_words(ValueError("It ended.")).endswith(".")


def test_texts_are_the_same_in_every_run() -> None:
    """Addresses and temporary folders are taken out."""
    assert steady("<object at 0x7f12ab34cd56>") == "<object at 0x…>"
    assert steady("/tmp/noether-testkit-abc_12/run-3/file") == "<temporary folder>/run-3/file"


def test_paths_are_short_below_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies elsewhere keeps its whole path."""
    monkeypatch.chdir(tmp_path)
    assert short_path(str(tmp_path / "package/module.py")) == "package/module.py"
    assert short_path("/elsewhere/module.py") == "/elsewhere/module.py"


def test_a_sentence_begins_with_a_capital_unless_it_begins_with_a_name() -> None:
    """A phrase is capitalised; the name of a hook stays as it is written."""
    assert capitalised("the constructor") == "The constructor"
    assert capitalised("before_training (update 0)") == "before_training (update 0)"
