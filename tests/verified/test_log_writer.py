"""Verified behaviours of the log writer."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from tests.verified.worlds import World

START = {"epoch": 0, "update": 0, "sample": 0}


def sent_by(run: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Returns the list in which the tracker's entries will be found."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(run.tracker, "log", lambda data: sent.append(dict(data)))
    return sent


def logs(key: str, *updates: int) -> Any:
    """Returns a hook that logs the update, at each update or at these ones."""

    def hook(self: Any, *, update_counter: Any, **_: Any) -> None:
        if not updates or update_counter.update in updates:
            self.writer.add_scalar(key, update_counter.update)

    return hook


def test_there_is_no_entry_before_the_first_value(world: World) -> None:
    """The cache is `None`, and there are no entries."""
    writer = world.run().log_writer
    assert (writer.log_cache, writer.log_entries, writer.non_scalar_keys) == (None, [], set())


def test_an_entry_takes_its_counters_when_its_first_value_comes(world: World) -> None:
    """Later values join it, even when the counter has moved on."""
    run = world.run()
    run.log_writer.add_scalar("a", 1)
    run.update_counter.next_update()
    run.log_writer.add_scalar("b", 2)
    assert list(run.log_writer.log_cache.items()) == [*START.items(), ("a", 1), ("b", 2)]


@pytest.mark.parametrize("first", ["add_scalar", "add_nonscalar"])
@pytest.mark.parametrize("again", ["add_scalar", "add_nonscalar"])
def test_a_key_logged_twice_in_one_entry_is_refused(world: World, first: str, again: str) -> None:
    """Whether scalar or not, the first value stays."""
    writer = world.run().log_writer
    getattr(writer, first)("a", 1)
    with pytest.raises(KeyError, match="a"):
        getattr(writer, again)("a", 2)
    assert writer.log_cache == {**START, "a": 1}


@pytest.mark.parametrize("key", ["epoch", "update", "sample"])
def test_the_counters_of_an_entry_are_no_free_keys(world: World, key: str) -> None:
    """They stand in the entry before its first value."""
    with pytest.raises(KeyError):
        world.run().log_writer.add_scalar(key, 1)


@pytest.mark.parametrize(("given", "kept"), [("a/", "a"), ("a//", "a/"), ("/a", "/a"), ("", ""), ("a/b/", "a/b")])
def test_one_trailing_slash_of_a_key_is_cut_off(world: World, given: str, kept: str) -> None:
    """Nothing else of a key is changed."""
    writer = world.run().log_writer
    writer.add_scalar(given, 1)
    assert list(writer.log_cache)[3:] == [kept]


def test_a_key_with_a_slash_at_its_end_is_a_duplicate_of_the_one_without(world: World) -> None:
    """Scalars and others alike."""
    writer = world.run().log_writer
    writer.add_scalar("a/", 1)
    with pytest.raises(KeyError):
        writer.add_scalar("a", 1)
    with pytest.raises(KeyError):
        writer.add_nonscalar("a/", 1)


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (torch.tensor(1.5), 1.5),
        (torch.tensor([[3]]), 3),
        (torch.tensor(2.0, requires_grad=True), 2.0),
        (torch.tensor(True), True),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (True, True),
        (7, 7),
    ],
)
def test_tensors_and_numpy_scalars_become_python_values(world: World, value: Any, logged: Any) -> None:
    """The type is Python's own, too."""
    writer = world.run().log_writer
    writer.add_scalar("a", value)
    assert writer.log_cache["a"] == logged
    assert type(writer.log_cache["a"]) is type(logged)


@pytest.mark.parametrize("value", [None, "text", [1], {"a": 1}, 1j, float("inf")])
def test_whatever_else_is_given_as_a_scalar_is_taken_as_it_is(world: World, value: Any) -> None:
    """Nobody looks at its type."""
    writer = world.run().log_writer
    writer.add_scalar("a", value)
    assert writer.log_cache["a"] is value


def test_an_array_is_not_converted(world: World) -> None:
    """Not even one of a single number."""
    writer = world.run().log_writer
    value = np.ones(())
    writer.add_scalar("a", value)
    assert writer.log_cache["a"] is value


def test_a_tensor_of_two_elements_is_refused(world: World) -> None:
    """Nothing of it enters the log."""
    writer = world.run().log_writer
    with pytest.raises(RuntimeError):
        writer.add_scalar("a", torch.ones(2))
    assert writer.log_cache is None


def test_a_key_that_is_no_text_is_refused(world: World) -> None:
    """It has no end to look at."""
    with pytest.raises(AttributeError):
        world.run().log_writer.add_scalar(3, 1)


def test_a_value_is_printed_where_a_logger_is_given(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """In its format, which does nothing without the logger."""
    writer, logger = world.run().log_writer, logging.getLogger("mine")
    with caplog.at_level(logging.INFO, logger="mine"):
        writer.add_scalar("a", 0.123, logger, ".1f")
        writer.add_scalar("b", 0.123, logger)
        writer.add_scalar("c", 0.123, format_str="nonsense")
    assert [each.getMessage() for each in caplog.records if each.name == "mine"] == ["a: 0.1", "b: 0.123"]


def test_a_format_that_does_not_fit_fails_behind_the_logging(world: World) -> None:
    """The value is in the entry all the same."""
    writer = world.run().log_writer
    with pytest.raises(ValueError, match="format"):
        writer.add_scalar("a", 0.5, logging.getLogger("mine"), ".2q")
    assert writer.log_cache["a"] == 0.5


def test_a_flush_hands_the_entry_to_the_tracker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that are no scalars included."""
    run = world.run()
    sent = sent_by(run, monkeypatch)
    run.log_writer.add_scalar("a", 1)
    run.log_writer.add_nonscalar("b", [1])
    run.log_writer.flush()
    assert sent == [{**START, "a": 1, "b": [1]}]


def test_a_flushed_entry_holds_scalars_only(world: World) -> None:
    """The cache is empty then, and the names of what was no scalar are forgotten."""
    writer = world.run().log_writer
    writer.add_nonscalar("b/", [1])
    writer.add_scalar("a", 1)
    assert writer.non_scalar_keys == {"b"}
    writer.flush()
    assert writer.log_entries == [{**START, "a": 1}]
    assert (writer.log_cache, writer.non_scalar_keys) == (None, set())


def test_a_flush_of_nothing_does_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no empty entry."""
    run = world.run()
    sent = sent_by(run, monkeypatch)
    run.log_writer.flush()
    assert (sent, run.log_writer.log_entries) == ([], [])


def test_an_entry_of_an_update_that_was_flushed_before_is_refused(world: World) -> None:
    """It stays open, so that the next flush is refused as well."""
    writer = world.run().log_writer
    writer.add_scalar("a", 1)
    writer.flush()
    writer.add_scalar("b", 1)
    for _ in range(2):
        with pytest.raises(AssertionError):
            writer.flush()
    assert writer.log_cache == {**START, "b": 1}
    assert writer.log_entries == [{**START, "a": 1}]


def test_the_tracker_has_got_an_entry_before_it_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order counts updates only afterwards."""
    run = world.run()
    sent = sent_by(run, monkeypatch)
    run.log_writer.add_scalar("a", 1)
    run.log_writer.flush()
    run.log_writer.add_scalar("b", 1)
    with pytest.raises(AssertionError):
        run.log_writer.flush()
    assert sent == [{**START, "a": 1}, {**START, "b": 1}]


def test_metric_values_are_those_of_flushed_entries(world: World) -> None:
    """The counters are among them; a key is taken as it is, and an unknown one has no values."""
    run = world.run()
    run.log_writer.add_scalar("a/", 1)
    assert run.log_writer.get_all_metric_values("a") == []
    run.log_writer.flush()
    run.update_counter.next_update()
    run.log_writer.add_scalar("a", 2)
    run.log_writer.flush()
    assert run.log_writer.get_all_metric_values("a") == [1, 2]
    assert run.log_writer.get_all_metric_values("update") == [0, 1]
    assert run.log_writer.get_all_metric_values("a/") == []
    assert run.log_writer.get_all_metric_values("b") == []


def test_finishing_flushes_and_writes_the_series_to_disk(world: World) -> None:
    """Each key with its values by update; the updates themselves are no series."""
    run = world.run()
    run.log_writer.add_scalar("a", 1)
    run.log_writer.finish()
    run.update_counter.next_update()
    run.log_writer.add_scalar("b", 2.5)
    run.log_writer.finish()
    assert run.log_writer.log_cache is None
    assert torch.load(run.path_provider.basetracker_entries_uri) == {
        "epoch": {0: 0, 1: 0},
        "sample": {0: 0, 1: 0},
        "a": {0: 1},
        "b": {1: 2.5},
    }


def test_finishing_without_a_value_writes_no_file(world: World) -> None:
    """Nor a folder for it."""
    run = world.run()
    run.log_writer.finish()
    assert not list(run.path_provider.run_output_path.rglob("entries.th"))


def test_leaving_its_context_finishes_even_after_an_error(world: World) -> None:
    """The error goes on."""
    run = world.run()
    with pytest.raises(ZeroDivisionError):
        _log_and_fail(run.log_writer)
    assert run.path_provider.basetracker_entries_uri.exists()


def _log_and_fail(log_writer: Any) -> None:
    with log_writer as writer:
        assert writer is log_writer
        writer.add_scalar("a", 1)
        raise ZeroDivisionError


def test_each_update_has_one_entry_of_both_its_rounds(world: World) -> None:
    """The round of an epoch joins that of its last update."""
    by_update = world.callback(periodic_callback=logs("update_value"))
    by_epoch = world.callback(config={"every_n_epochs": 1}, periodic_callback=logs("epoch_value"))
    run = world.run().train(by_epoch, by_update)
    assert [entry["update"] for entry in run.log_writer.log_entries] == list(range(1, 9))
    assert [list(entry)[3:] for entry in run.log_writer.log_entries][2:4] == [
        ["update_value"],
        ["update_value", "epoch_value"],
    ]


def test_a_scalar_before_training_opens_the_first_entry_with_update_0(world: World) -> None:
    """The values of the first update land in it."""
    early = world.callback("CallbackBase", before_training=logs("early"))
    run = world.run().train(early, world.callback(periodic_callback=logs("value")))
    assert run.log_writer.log_entries[0] == {**START, "early": 0, "value": 1}
    assert [entry["update"] for entry in run.log_writer.log_entries] == [0, *range(2, 9)]


def test_a_scalar_after_training_breaks_a_run_that_logged_at_its_last_update(world: World) -> None:
    """At its very end, and without a file of the series."""
    late = world.callback("CallbackBase", after_training=logs("late"))
    run = world.run()
    with pytest.raises(AssertionError):
        run.train(late, world.callback(periodic_callback=logs("value")))
    assert not list(run.path_provider.run_output_path.rglob("entries.th"))


def test_a_scalar_after_training_survives_where_the_last_update_logged_nothing(world: World) -> None:
    """It is an entry of its own."""
    late = world.callback("CallbackBase", after_training=logs("late"))
    run = world.run().train(late, world.callback(periodic_callback=logs("value", 3)))
    assert [list(entry.items())[1:] for entry in run.log_writer.log_entries] == [
        [("update", 3), ("sample", 6), ("value", 3)],
        [("update", 8), ("sample", 16), ("late", 8)],
    ]


def test_a_scalar_at_each_accumulation_step_makes_all_entries_one_update_early(world: World) -> None:
    """Other values land in them, and nothing breaks."""
    tracks = world.callback(track_after_accumulation_step=logs("tracked"))
    run = world.run().train(tracks, world.callback(periodic_callback=logs("value")))
    assert [entry["update"] for entry in run.log_writer.log_entries] == list(range(8))
    assert run.log_writer.log_entries[1] == {"epoch": 0, "update": 1, "sample": 2, "tracked": 1, "value": 2}


def test_a_scalar_at_some_accumulation_steps_breaks_a_run_that_logs_at_each_update(world: World) -> None:
    """Its entry is of an update that has an entry already."""
    tracks = world.callback(track_after_accumulation_step=logs("tracked", 3))
    run = world.run()
    with pytest.raises(AssertionError):
        run.train(tracks, world.callback(periodic_callback=logs("value")))


def test_the_series_of_a_run_that_died_holds_the_open_entry(world: World) -> None:
    """What a callback logged before its error is not lost."""

    def fails(self: Any, *, update_counter: Any, **_: Any) -> None:
        self.writer.add_scalar("a", update_counter.update)
        if update_counter.update == 2:
            raise ZeroDivisionError

    run = world.run()
    with pytest.raises(ZeroDivisionError):
        run.train(world.callback(track_after_update_step=fails))
    assert torch.load(run.path_provider.basetracker_entries_uri)["a"] == {1: 1, 2: 2}
