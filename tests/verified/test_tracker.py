"""Verified behaviours of the tracker."""

from __future__ import annotations

import pytest
from tests.verified.worlds import World


def test_the_summary_starts_empty(world: World) -> None:
    """A plain mapping."""
    assert world.run().tracker.summary == {}


def test_a_summary_value_is_kept_by_its_key(world: World) -> None:
    """The last one wins, and nothing is converted."""
    tracker = world.run().tracker
    value = [1]
    tracker.set_summary("a", 0)
    tracker.set_summary("a", value)
    assert tracker.summary == {"a": [1]}
    assert tracker.summary["a"] is value


def test_several_summary_values_are_set_at_once(world: World) -> None:
    """Those that were there stay."""
    tracker = world.run().tracker
    tracker.set_summary("a", 1)
    tracker.set_summary("b", 1)
    tracker.update_summary({"b": 2, "c": 3})
    assert tracker.summary == {"a": 1, "b": 2, "c": 3}


def test_a_summary_after_training_is_no_entry_of_the_series(world: World) -> None:
    """So it breaks no flush."""

    def summarise(self: object, *, update_counter: object) -> None:
        self.tracker.set_summary("updates", update_counter.update)

    run = world.run().train(
        world.callback("CallbackBase", after_training=summarise),
        world.callback(periodic_callback=lambda self, **_: self.writer.add_scalar("a", 1)),
    )
    assert run.tracker.summary == {"updates": 8}
    assert all("updates" not in entry for entry in run.log_writer.log_entries)


def test_the_trainer_calls_nothing_but_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning and end of the tracking are the launcher's."""
    run, called = world.run(), []
    for name in ("init", "log", "set_summary", "update_summary", "summarize_logvalues", "close"):
        monkeypatch.setattr(run.tracker, name, lambda *_, _name=name, **__: called.append(_name))
    run.train(world.callback(periodic_callback=lambda self, **_: self.writer.add_scalar("a", 1)))
    assert called == ["log"] * 8
