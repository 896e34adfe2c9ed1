"""Promises of the base class of all callbacks."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from noether_testkit.core.callbacks import CallbackBase, EarlyStopIteration

SEVEN = (
    "trainer",
    "model",
    "data_container",
    "tracker",
    "log_writer",
    "checkpoint_writer",
    "metric_property_provider",
)
LOGGER = logging.getLogger("loading")


class Stateful(CallbackBase):
    """Has a state, and counts how often it is asked for."""

    def __init__(self, name: str | None = None, state: Any = None) -> None:
        super().__init__(**dict.fromkeys(SEVEN), name=name)
        self.state = {"n": 1} if state is None else state
        self.asked = 0
        self.loaded: list[Any] = []

    def state_dict(self) -> Any:
        self.asked += 1
        return self.state

    def load_state_dict(self, state_dict: Any) -> None:
        self.loaded.append(state_dict)


class Stateless(Stateful):
    """Is asked in vain."""

    def state_dict(self) -> None:
        self.asked += 1


def load(callbacks: list[Any], data: Any) -> None:
    CallbackBase.load_callback_state_dicts(callbacks, data, LOGGER)


def test_the_collaborators_are_attributes() -> None:
    """The log writer is called `writer`; there is nothing else."""
    callback = CallbackBase(**{name: name for name in SEVEN})
    kept = {("writer" if name == "log_writer" else name): name for name in SEVEN}
    assert vars(callback) == {**kept, "name": None}


def test_each_collaborator_must_be_given() -> None:
    """Only the name has a default."""
    for missing in SEVEN:
        with pytest.raises(TypeError, match=missing):
            CallbackBase(**{name: None for name in SEVEN if name != missing})


@pytest.mark.parametrize(("name", "key"), [(None, "Stateful"), ("mine", "mine"), ("", "")])
def test_the_key_is_the_name_or_the_class(name: str | None, key: str) -> None:
    """An empty name is a name."""
    callback = Stateful(name)
    assert callback.checkpoint_key == key
    assert str(callback) == repr(callback) == "Stateful"


def test_the_logger_is_made_on_first_use() -> None:
    """It is named after the callback."""
    callback = Stateful()
    assert "_logger" not in vars(callback)
    assert callback.logger is logging.getLogger("Stateful")
    assert callback.logger is callback.logger


def test_hooks_of_the_base_class_do_nothing() -> None:
    """A callback overrides what it needs."""
    callback = CallbackBase(**dict.fromkeys(SEVEN))
    before = dict(vars(callback))
    assert callback.get_children() == []
    assert callback.state_dict() is None
    callback.load_state_dict({})
    callback.resume_from_checkpoint(resumption_paths=None, model=None)
    callback.before_training(update_counter=None)  # type: ignore[arg-type]
    callback.after_training(update_counter=None)  # type: ignore[arg-type]
    assert vars(callback) == before


def test_two_states_under_one_key_are_refused() -> None:
    """The message names both callbacks, the key and the way out."""
    with pytest.raises(ValueError, match=r"Stateful and Stateful .* 'Stateful'.* 'id'"):
        CallbackBase.validate_checkpoint_keys([Stateful(), Stateful()])
    CallbackBase.validate_checkpoint_keys([Stateful(), Stateful("other"), Stateless("Stateful")])


def test_states_are_collected_by_key() -> None:
    """Each callback is asked twice; `None` is left out, an empty state of any type is kept."""
    callbacks = [Stateful(), Stateful("list", state=[]), Stateless("none")]
    assert CallbackBase.build_callback_state_dict(callbacks) == {"Stateful": {"n": 1}, "list": []}
    assert [callback.asked for callback in callbacks] == [2, 2, 2]


@pytest.mark.parametrize("call", [1, 2])
def test_an_early_stop_from_a_state_stays_one(call: int) -> None:
    """It derives from `StopIteration`, which a generator on the way would turn into a `RuntimeError`."""

    class Stops(Stateful):
        def state_dict(self) -> Any:
            self.asked += 1
            if self.asked == call:
                raise EarlyStopIteration
            return {}

    with pytest.raises(EarlyStopIteration):
        CallbackBase.build_callback_state_dict([Stops()])


def test_states_are_loaded_by_key() -> None:
    """The order of the checkpoint does not count, and each callback is asked for its state twice before."""
    one, two = Stateful("one"), Stateful("two")
    load([one, two], {"two": 2, "one": 1})
    assert (one.loaded, two.loaded) == ([1], [2])
    assert (one.asked, two.asked) == (2, 2)


def test_a_stateless_callback_is_passed_over_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Its state in the checkpoint belongs to nobody then."""
    callback = Stateless("one")
    with caplog.at_level(logging.WARNING):
        load([callback], {"one": 1})
    assert callback.loaded == []
    assert [record.getMessage() for record in caplog.records] == [
        "The checkpoint holds states of no stateful callback in this run: one."
    ]


def test_a_state_that_is_missing_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """The others are loaded all the same."""
    one, two = Stateful("one"), Stateful("two")
    with caplog.at_level(logging.WARNING):
        load([one, two], {"one": 1})
    assert (one.loaded, two.loaded) == ([1], [])
    assert "no state for: two" in caplog.text


def test_loading_refuses_two_states_under_one_key() -> None:
    """It could not tell whom a state belongs to."""
    with pytest.raises(ValueError, match="would both store"):
        load([Stateful(), Stateful()], {"Stateful": 1})


def test_an_old_list_of_states_is_matched_by_position() -> None:
    """Stateless callbacks have no place in it, on either side."""
    one, none, two = Stateful("one"), Stateless("none"), Stateful("two")
    load([one, none, two], [1, None, 2])
    assert (one.loaded, none.loaded, two.loaded) == ([1], [], [2])


def test_an_old_list_of_another_length_is_refused() -> None:
    """The message counts both sides."""
    with pytest.raises(ValueError, match="lists 1 callback states, this run has 2"):
        load([Stateful("one"), Stateful("two")], [1])
