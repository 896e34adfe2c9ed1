"""Promises of the tracker."""

from __future__ import annotations

import pytest
from tests.fakes.recorder import Diary, logging_as, recorder

from noether_testkit.fakes import Call, FakeRun, FakeTracker


@pytest.fixture
def tracker() -> FakeTracker:
    return FakeRun().tracker


def test_the_summary_is_kept_by_key(tracker: FakeTracker) -> None:
    """Later values win."""
    tracker.set_summary("best", 1)
    tracker.update_summary({"best": 2, "last": 3})
    assert tracker.summary == {"best": 2, "last": 3}


def test_a_recorded_entry_does_not_change_any_more(tracker: FakeTracker) -> None:
    """What was sent stays as it was sent."""
    data = {"a": 1}
    tracker.log(data)
    data["a"] = 2
    assert tracker.calls == [Call("log", {"data": {"a": 1}})]


def test_the_trainer_calls_nothing_but_log() -> None:
    """Beginning and end of the tracking are the launcher's."""
    run = FakeRun()
    run.train(recorder(Diary(), acts={"periodic_callback": logging_as("value")}))
    assert [call.method for call in run.tracker.calls] == ["log"] * 8


def test_tracking_begins_with_the_arguments_of_the_launcher(tracker: FakeTracker) -> None:
    """Others are refused, as the framework refuses them."""
    launch = {
        "accelerator": "cpu",
        "run_name": "a",
        "stage_name": None,
        "stage_hp": {},
        "run_id": "b",
        "output_uri": "c",
    }
    tracker.init(**launch)
    assert tracker.calls == [Call("init", launch)]
    with pytest.raises(TypeError, match="project"):
        tracker.init(**launch, project="d")
