"""Verified behaviours of callback states: how they are collected, and how a checkpoint's are matched."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.verified.worlds import World

LOGGER = logging.getLogger("matching")


def keeper(world: World, name: str | None = None, state: Any = 1, loaded: list[Any] | None = None) -> Any:
    """Returns a callback with a state, which notes what it is loaded with."""
    factory = world.callback(
        "CallbackBase",
        class_name="Keeper",
        name=name,
        state_dict=lambda self: state,
        load_state_dict=lambda self, state_dict: None if loaded is None else loaded.append((name, state_dict)),
    )
    return factory(**dict.fromkeys(world.run().callback_kwargs))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "matching"]


def load(world: World, callbacks: list[Any], data: Any) -> None:
    world.callbacks.CallbackBase.load_callback_state_dicts(callbacks, data, LOGGER)


def test_a_key_is_the_name_or_else_the_class(world: World) -> None:
    """An empty name is a name here."""
    assert [keeper(world, name).checkpoint_key for name in (None, "a", "")] == ["Keeper", "a", ""]


@pytest.mark.parametrize(
    ("config", "name", "key"),
    [({}, None, "Own"), ({}, "a", "a"), ({"id": "b"}, "a", "b"), ({"id": ""}, "a", "a"), ({"id": ""}, None, "Own")],
)
def test_the_id_of_a_config_wins_over_the_name(
    world: World, config: dict[str, str], name: str | None, key: str
) -> None:
    """Unless it is empty."""
    factory = world.callback(config={"every_n_updates": 1, **config}, name=name)
    assert factory(**dict.fromkeys(world.run().callback_kwargs)).checkpoint_key == key


def test_states_are_collected_by_key(world: World) -> None:
    """Stateless callbacks are left out, empty states are not."""
    callbacks = [keeper(world, "a", 1), keeper(world, "b", None), keeper(world, "c", {})]
    assert world.callbacks.CallbackBase.build_callback_state_dict(callbacks) == {"a": 1, "c": {}}


def test_each_state_is_asked_for_twice_when_states_are_collected(world: World) -> None:
    """Once to compare the keys."""
    asked: list[int] = []
    factory = world.callback("CallbackBase", state_dict=lambda self: asked.append(1))
    callback = factory(**dict.fromkeys(world.run().callback_kwargs))
    world.callbacks.CallbackBase.build_callback_state_dict([callback])
    assert len(asked) == 2


@pytest.mark.parametrize("states", [(1, 1), (1, {}), ({}, {})])
def test_two_stateful_callbacks_with_one_key_are_refused(world: World, states: tuple[Any, Any]) -> None:
    """When they are compared, collected or loaded."""
    base = world.callbacks.CallbackBase
    twins = [keeper(world, "a", state) for state in states]
    with pytest.raises(ValueError, match="Keeper"):
        base.validate_checkpoint_keys(twins)
    with pytest.raises(ValueError, match="Keeper"):
        base.build_callback_state_dict(twins)
    with pytest.raises(ValueError, match="Keeper"):
        load(world, twins, {})


@pytest.mark.parametrize("states", [(1, None), (None, None), (None, 1)])
def test_one_key_is_shared_with_stateless_callbacks(world: World, states: tuple[Any, Any]) -> None:
    """They store nothing."""
    world.callbacks.CallbackBase.validate_checkpoint_keys([keeper(world, "a", state) for state in states])


def test_a_run_with_twins_ends_before_it_starts(world: World) -> None:
    """While the callbacks are built."""
    called: list[int] = []
    twin = world.callback("CallbackBase", state_dict=lambda self: 1, before_training=lambda self, **_: called.append(1))
    with pytest.raises(ValueError, match="Own"):
        world.run().train(twin, twin)
    assert called == []


def test_an_evaluation_run_does_not_look_for_twins(world: World) -> None:
    """It saves nothing."""
    evaluated: list[int] = []
    twin = world.callback(state_dict=lambda self: 1, at_eval=lambda self, *_, **__: evaluated.append(1))
    world.run().evaluate(twin, twin)
    assert evaluated == [1, 1]


def test_states_are_loaded_by_key(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """In whatever order, and without a word where all match."""
    loaded: list[Any] = []
    load(world, [keeper(world, "a", 1, loaded), keeper(world, "b", 1, loaded)], {"b": 2, "a": 3})
    assert sorted(loaded) == [("a", 3), ("b", 2)]
    assert warnings_of(caplog) == []


def test_a_state_of_an_unknown_callback_warns(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The others are loaded."""
    loaded: list[Any] = []
    load(world, [keeper(world, "a", 1, loaded)], {"a": 2, "gone": 3})
    assert loaded == [("a", 2)]
    (warning,) = warnings_of(caplog)
    assert "gone" in warning


def test_a_callback_without_a_state_in_the_checkpoint_warns(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is not loaded."""
    loaded: list[Any] = []
    load(world, [keeper(world, "a", 1, loaded), keeper(world, "new", 1, loaded)], {"a": 2})
    assert loaded == [("a", 2)]
    (warning,) = warnings_of(caplog)
    assert "new" in warning


def test_keys_without_a_partner_on_either_side_warn_once_each_side(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is loaded then."""
    loaded: list[Any] = []
    load(world, [keeper(world, "new", 1, loaded)], {"gone": 1})
    assert loaded == []
    assert len(warnings_of(caplog)) == 2


def test_a_callback_that_is_stateless_at_that_time_is_not_loaded(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its state in the checkpoint is warned about, as that of an unknown callback."""
    loaded: list[Any] = []
    load(world, [keeper(world, "a", None, loaded)], {"a": 1})
    assert loaded == []
    (warning,) = warnings_of(caplog)
    assert "a" in warning


def test_stateless_callbacks_and_no_states_match(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Without a word."""
    load(world, [keeper(world, "a", None)], {})
    assert warnings_of(caplog) == []


def test_an_old_list_of_states_is_matched_by_position(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Among stateful callbacks; entries that are `None` do not count."""
    loaded: list[Any] = []
    callbacks = [keeper(world, "a", 1, loaded), keeper(world, "b", None, loaded), keeper(world, "c", 1, loaded)]
    load(world, callbacks, [5, None, None, 6])
    assert sorted(loaded) == [("a", 5), ("c", 6)]
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("states", [[], [5], [5, 6, 7]])
def test_an_old_list_of_another_length_is_refused(world: World, states: list[int]) -> None:
    """There is nothing else to match by."""
    with pytest.raises(ValueError, match=r"."):
        load(world, [keeper(world, "a"), keeper(world, "b")], states)


def test_each_state_is_asked_for_twice_before_it_is_loaded(world: World) -> None:
    """Keys first, then the stateful ones."""
    calls: list[str] = []
    factory = world.callback(
        "CallbackBase",
        state_dict=lambda self: calls.append("state_dict") or 1,
        load_state_dict=lambda self, state_dict: calls.append("load_state_dict"),
    )
    load(world, [factory(**dict.fromkeys(world.run().callback_kwargs))], {"Own": 2})
    assert calls == ["state_dict", "state_dict", "load_state_dict"]
