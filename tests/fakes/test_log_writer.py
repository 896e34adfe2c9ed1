"""Promises of the log writer."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from tests.fakes.recorder import Diary, logging_as, recorder

from noether_testkit.fakes import FakeLogWriter, FakeRun

START = {"epoch": 0, "update": 0, "sample": 0}


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


@pytest.fixture
def writer(run: FakeRun) -> FakeLogWriter:
    return run.log_writer


def train_logging(run: FakeRun, *hooks: str, beside: bool = False) -> list[dict[str, Any]]:
    """Trains with one callback that logs in some hooks, perhaps beside one that logs each update."""
    acts = {hook: logging_as("value") for hook in hooks}
    others = [recorder(Diary(), "B", acts={"periodic_callback": logging_as("other")})] if beside else []
    run.train(recorder(Diary(), acts=acts), *others)
    return run.log_writer.log_entries


def test_an_entry_takes_its_counters_when_the_first_value_comes(run: FakeRun, writer: FakeLogWriter) -> None:
    """Later values join it, even if the counter has moved on."""
    assert writer.log_cache is None
    writer.add_scalar("a", 1)
    run.update_counter.next_update()
    writer.add_scalar("b", 2)
    assert list(writer.log_cache.items()) == [*START.items(), ("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (torch.tensor(1.5), 1.5),
        (torch.tensor([[3]]), 3),
        (torch.tensor(2.0, requires_grad=True), 2.0),
        (torch.tensor(True), True),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (None, None),
        ("text", "text"),
    ],
)
def test_tensors_and_numpy_scalars_become_python_values(writer: FakeLogWriter, value: Any, logged: Any) -> None:
    """Everything else is taken as it is, without a look at its type."""
    writer.add_scalar("a", value)
    assert writer.log_cache["a"] == logged
    assert type(writer.log_cache["a"]) is type(logged)


def test_a_tensor_of_two_elements_is_no_scalar(writer: FakeLogWriter) -> None:
    """Nothing of it enters the log."""
    with pytest.raises(RuntimeError):
        writer.add_scalar("a", torch.ones(2))
    assert writer.log_cache is None


def test_one_trailing_slash_is_cut_off(writer: FakeLogWriter) -> None:
    """With the slash a key is a duplicate of the one without; a second slash stays."""
    writer.add_scalar("a/", 1)
    writer.add_scalar("b//", 2)
    assert list(writer.log_cache)[3:] == ["a", "b/"]
    with pytest.raises(KeyError):
        writer.add_scalar("a", 2)


@pytest.mark.parametrize("again", ["add_scalar", "add_nonscalar"])
def test_a_key_logged_twice_in_an_entry_is_refused(writer: FakeLogWriter, again: str) -> None:
    """The message names key, update and both values, and the first value stays."""
    writer.add_scalar("a", 1)
    with pytest.raises(KeyError, match="'a' was logged twice in the entry of update 0: 1 first, 2 now"):
        getattr(writer, again)("a", 2)
    assert writer.log_cache["a"] == 1


@pytest.mark.parametrize("key", ["epoch", "update", "sample"])
def test_the_counters_of_an_entry_are_no_free_keys(writer: FakeLogWriter, key: str) -> None:
    """They are there from the first value on."""
    with pytest.raises(KeyError):
        writer.add_scalar(key, 1)


def test_a_value_can_be_printed_as_well(writer: FakeLogWriter, caplog: pytest.LogCaptureFixture) -> None:
    """With a format only where there is a logger; a format that does not fit fails behind the logging."""
    logger = logging.getLogger("mine")
    with caplog.at_level(logging.INFO):
        writer.add_scalar("a", 0.123, logger, ".1f")
        writer.add_scalar("b", 0.123, logger)
        writer.add_scalar("c", 0.123, format_str="nonsense")
    assert [record.getMessage() for record in caplog.records] == ["a: 0.1", "b: 0.123"]
    with pytest.raises(ValueError, match="format"):
        writer.add_scalar("d", 0.1, logger, "nonsense")
    assert writer.log_cache["d"] == 0.1


def test_a_flush_hands_the_entry_to_the_tracker_and_keeps_its_scalars(run: FakeRun, writer: FakeLogWriter) -> None:
    """Other values go to the tracker only; the next value opens a new entry."""
    writer.add_scalar("a", 1)
    writer.add_nonscalar("b", [1])
    assert writer.non_scalar_keys == {"b"}
    assert writer.get_all_metric_values("a") == []
    writer.flush()
    assert run.tracker.calls[0].arguments["data"] == {**START, "a": 1, "b": [1]}
    assert writer.log_entries == [{**START, "a": 1}]
    assert (writer.log_cache, writer.non_scalar_keys) == (None, set())
    assert writer.get_all_metric_values("a") == [1]
    assert writer.get_all_metric_values("nothing") == []


def test_a_flush_of_nothing_does_nothing(run: FakeRun, writer: FakeLogWriter) -> None:
    """No entry, no call of the tracker."""
    writer.flush()
    assert (writer.log_entries, run.tracker.calls) == ([], [])


def test_an_entry_that_comes_too_late_fails_after_the_tracker_has_it(run: FakeRun, writer: FakeLogWriter) -> None:
    """The entry stays open, so that the next flush fails as well; the message says what to do."""
    writer.add_scalar("a", 1)
    writer.flush()
    writer.add_scalar("late", 2)
    for _ in range(2):
        with pytest.raises(
            AssertionError, match=r"entry of update 0 \(late\) comes after that of update 0.*set_summary"
        ):
            writer.flush()
    assert len(run.tracker.calls) == 3
    assert writer.log_cache == {**START, "late": 2}


def test_finishing_writes_all_series(run: FakeRun, writer: FakeLogWriter) -> None:
    """By key and update, as the framework's reader expects them."""
    writer.add_scalar("a", 1)
    run.update_counter.cur_iteration.update = 3
    writer.flush()
    writer.add_scalar("a", 2)
    writer.finish()
    series = torch.load(run.path_provider.basetracker_entries_uri)
    assert series == {"epoch": {0: 0, 3: 0}, "sample": {0: 0, 3: 0}, "a": {0: 1, 3: 2}}


def test_finishing_without_entries_writes_no_file(run: FakeRun, writer: FakeLogWriter) -> None:
    """Not even the folder is made."""
    writer.finish()
    assert list(run.path_provider.run_output_path.iterdir()) == []


def test_values_of_both_rounds_share_the_entry_of_an_epoch_s_last_update(run: FakeRun) -> None:
    """The round of the update leaves the flush to that of the epoch."""
    acts = {"periodic_callback": logging_as("up"), "after_epoch": logging_as("epoch_end")}
    run.train(recorder(Diary(), acts=acts))
    assert run.log_writer.log_entries[3] == {"epoch": 1, "update": 4, "sample": 8, "up": 4, "epoch_end": 4}
    assert len(run.log_writer.log_entries) == 8


@pytest.mark.parametrize("beside", [False, True])
def test_a_value_of_the_start_hook_opens_an_entry_at_update_0(run: FakeRun, beside: bool) -> None:
    """Whatever is logged at the first update lands in it, too."""
    first, *rest = train_logging(run, "before_training", beside=beside)
    assert first == {**START, "value": 0, **({"other": 1} if beside else {})}
    assert len(rest) == (7 if beside else 0)


def test_a_value_of_a_tracking_hook_opens_its_entry_one_update_early(run: FakeRun) -> None:
    """The counter has not moved yet."""
    entries = train_logging(run, "track_after_accumulation_step", beside=True)
    assert [(entry["update"], entry["other"]) for entry in entries[:2]] == [(0, 1), (1, 2)]


def test_a_value_of_some_tracking_hooks_breaks_the_flush(run: FakeRun) -> None:
    """An early entry after a timely one is not later than it."""

    def act(callback: Any) -> None:
        if callback.trainer.update_counter.update == 1:
            logging_as("value")(callback)

    other = recorder(Diary(), "B", acts={"periodic_callback": logging_as("other")})
    with pytest.raises(AssertionError, match=r"update 1 .* after that of update 1"):
        run.train(recorder(Diary(), acts={"track_after_accumulation_step": act}), other)


def test_a_value_of_the_end_hook_is_fine_alone(run: FakeRun) -> None:
    """If nothing was logged at the last update, it gets an entry of its own."""
    assert train_logging(run, "after_training") == [{"epoch": 2, "update": 8, "sample": 16, "value": 8}]


def test_a_value_of_the_end_hook_breaks_the_final_flush_beside_others(run: FakeRun) -> None:
    """The run dies behind its end, and no series is written."""
    with pytest.raises(AssertionError, match=r"\(value\)"):
        train_logging(run, "after_training", beside=True)
    assert list(run.path_provider.run_output_path.iterdir()) == []


def test_a_failing_final_flush_replaces_the_error_of_the_run(run: FakeRun) -> None:
    """The first error is kept as its context."""

    def act(callback: Any) -> None:
        logging_as("late")(callback)
        raise ValueError("first")

    other = recorder(Diary(), "B", acts={"periodic_callback": logging_as("other")})
    with pytest.raises(AssertionError) as caught:
        run.train(other, recorder(Diary(), acts={"after_training": act}))
    assert str(caught.value.__context__) == "first"
