"""Promises about faults that a plan asks for."""

from __future__ import annotations

import pytest
from tests.fakes.recorder import Diary, logging_as, recorder

from noether_testkit.errors import UnknownNameError
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import Fault, TrainingPlan


def disk_full() -> OSError:
    return OSError("disk full")


def plan(*faults: Fault) -> TrainingPlan:
    return TrainingPlan(faults=faults)


def test_the_call_that_was_asked_for_fails() -> None:
    """Calls are counted from 1, each method on its own."""
    diary = Diary()
    with (
        FakeRun(plan(Fault(call="log_writer.add_scalar", error=disk_full, at=3))) as run,
        pytest.raises(OSError, match="disk full"),
    ):
        run.train(recorder(diary, acts={"periodic_callback": logging_as("value")}))
    assert run.log_writer.get_all_metric_values("value") == [1, 2]


def test_a_forward_pass_can_fail() -> None:
    """The model fails as any other collaborator does."""
    with (
        FakeRun(plan(Fault(call="model.forward", error=disk_full, at=6))) as run,
        pytest.raises(OSError, match="disk full"),
    ):
        run.train()
    assert run.update_counter.update == 5


def test_several_faults_live_side_by_side() -> None:
    """Two methods of one collaborator, and another collaborator."""
    faults = (
        Fault(call="log_writer.add_scalar", error=disk_full),
        Fault(call="log_writer.add_nonscalar", error=disk_full, at=2),
        Fault(call="tracker.set_summary", error=disk_full),
    )
    run = FakeRun(plan(*faults))
    run.log_writer.add_nonscalar("a", [])
    for call in (run.log_writer.add_scalar, run.log_writer.add_nonscalar, run.tracker.set_summary):
        with pytest.raises(OSError, match="disk full"):
            call("b", 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("log_wrter.add_scalar", "no collaborator that can fail 'log_wrter'. Did you mean 'log_writer'"),
        ("log_writer.add_scaler", "no method of log_writer that can fail 'add_scaler'. Did you mean 'add_scalar'"),
        ("trainer.train", "no collaborator that can fail 'trainer'"),
        ("model.train", "no method of model that can fail 'train'"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(call: str, message: str) -> None:
    """A slip in a plan is an error at once, not a run without a fault."""
    with pytest.raises(UnknownNameError, match=message):
        FakeRun(plan(Fault(call=call, error=disk_full)))
