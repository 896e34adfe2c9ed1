"""Promises of training plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from noether_testkit.errors import PlanError
from noether_testkit.plan import Checkpoint, Fault, Stop, TrainingPlan


@pytest.mark.parametrize(
    ("fields", "updates"),
    [
        ({}, 8),
        ({"epochs": 3}, 12),
        ({"updates": 5}, 5),
        ({"samples": 7}, 3),
        ({"samples": 1}, 1),
        ({"epochs": 1, "dataset_size": 7, "batch_size": 3}, 2),
        ({"updates": 0}, 0),
    ],
)
def test_a_plan_counts_its_updates(fields: dict[str, int], updates: int) -> None:
    """Ragged batches are dropped in training, and less than a batch of samples still is one update."""
    assert TrainingPlan(**fields).total_updates == updates


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 1, "updates": 2}, "one length"),
        ({"epochs": -1}, "cannot be negative"),
        ({"samples": 0}, "give updates=0"),
        ({"batch_size": 0}, "start at 1"),
        ({"test_size": -1}, "start at 1"),
        ({"batch_size": 9}, "cannot be filled from 8"),
        ({"batch_size": 4, "accumulation_steps": 3}, "equal accumulation steps"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(fields: dict[str, int], message: str) -> None:
    """With a sentence on what is wrong."""
    with pytest.raises(PlanError, match=message):
        TrainingPlan(**fields)


def test_a_resumed_plan_has_the_same_end_and_nothing_that_happens_on_the_way() -> None:
    """Stops, faults and checkpoints were those of the first run."""
    checkpoint = Checkpoint(output_root=Path("root"), run_id="run", tag="latest")
    kept: dict[str, Any] = {"epochs": 3, "batch_size": 4, "accumulation_steps": 2, "seed": 5}
    plan = TrainingPlan(
        **kept, stop=Stop(after_update=2), checkpoint_after=(2,), faults=(Fault(call="model.forward", error=OSError),)
    )
    assert plan.resumed(checkpoint) == TrainingPlan(**kept, resume_from=checkpoint)
