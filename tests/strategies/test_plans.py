"""Promises of drawn training plans."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies.drawing import STEADY, smallest

from noether_testkit import FakeRun, TrainingPlan
from noether_testkit.errors import PlanError
from noether_testkit.strategies import training_plans


@settings(STEADY, max_examples=15)
@given(plan=training_plans())
def test_drawn_plans_can_be_trained(plan: TrainingPlan) -> None:
    """Each trains as many updates as it says, at least one and at most twenty."""
    with FakeRun(plan) as run:
        run.train()
    assert run.update_counter.update == plan.total_updates
    assert 1 <= plan.total_updates <= 20


@settings(STEADY)
@given(data=st.data(), bounds=st.tuples(st.integers(0, 25), st.integers(0, 25)).map(sorted))
def test_lengths_stay_within_their_bounds(data: st.DataObject, bounds: list[int]) -> None:
    """`min_updates` and `max_updates` hold for all three units."""
    first, last = bounds
    plan = data.draw(training_plans(min_updates=first, max_updates=last))
    assert first <= plan.total_updates <= last


REACHABLE: dict[str, Callable[[TrainingPlan], bool]] = {
    "a length in epochs": lambda plan: plan.epochs is not None,
    "a length in updates": lambda plan: plan.updates is not None,
    "a length in samples": lambda plan: plan.samples is not None,
    "less than a batch of samples": lambda plan: plan.samples is not None and plan.samples < plan.batch_size,
    "samples that fill no last batch": lambda plan: bool(plan.samples) and plan.samples % plan.batch_size > 0,
    "a ragged training set": lambda plan: plan.dataset_size % plan.batch_size > 0,
    "a ragged test set": lambda plan: plan.test_size % plan.batch_size > 0,
    "a test set of less than a batch": lambda plan: plan.test_size < plan.batch_size,
    "accumulation": lambda plan: plan.accumulation_steps > 1,
    "accumulation of larger parts": lambda plan: 1 < plan.accumulation_steps < plan.batch_size,
    "one update": lambda plan: plan.total_updates == 1,
    "twenty updates": lambda plan: plan.total_updates == 20,
    "one update an epoch": lambda plan: plan.updates_per_epoch == 1 and plan.total_updates > 1,
    "an end within an epoch": lambda plan: plan.total_updates % plan.updates_per_epoch > 0,
    "several epochs": lambda plan: plan.total_updates > 2 * plan.updates_per_epoch > 2,
}


@pytest.mark.parametrize("case", REACHABLE)
def test_odd_plans_are_drawn(case: str) -> None:
    """Whatever makes runs differ is within reach."""
    smallest(training_plans(), REACHABLE[case])


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"updates": 1}),
        ({"min_updates": 3}, {"updates": 3}),
        ({"min_updates": 0}, {"updates": 0}),
        ({"accumulation": False, "ragged": False}, {"updates": 1}),
    ],
)
def test_plans_shrink_to_the_smallest(options: dict[str, int], fields: dict[str, int]) -> None:
    """As few updates as allowed, one sample each."""
    assert smallest(training_plans(**options)) == TrainingPlan(**fields, dataset_size=1, test_size=1, batch_size=1)


def test_a_failing_plan_shrinks_to_what_makes_it_fail() -> None:
    """Beside a ragged end nothing is left that the failure does not need."""
    ragged = smallest(training_plans(), REACHABLE["a ragged training set"])
    assert ragged == TrainingPlan(updates=1, dataset_size=3, test_size=1, batch_size=2)


@settings(STEADY)
@given(plan=training_plans(ragged=False))
def test_without_ragged_ends_all_batches_are_full(plan: TrainingPlan) -> None:
    """Both data sets, and a length in samples, are whole numbers of batches."""
    sizes = (plan.dataset_size, plan.test_size, plan.samples or 0)
    assert [size % plan.batch_size for size in sizes] == [0, 0, 0]


@settings(STEADY)
@given(plan=training_plans(accumulation=False))
def test_accumulation_can_be_left_out(plan: TrainingPlan) -> None:
    """Then each update is one forward and backward pass."""
    assert plan.accumulation_steps == 1


@settings(STEADY)
@given(plan=training_plans())
def test_accumulation_comes_with_epochs_only(plan: TrainingPlan) -> None:
    """The framework refuses it with a length in updates, and runs out of batches with some in samples."""
    assert plan.accumulation_steps == 1 or plan.epochs is not None


@pytest.mark.parametrize("bounds", [{"min_updates": 21}, {"min_updates": 3, "max_updates": 2}, {"min_updates": -1}])
def test_bounds_that_leave_no_plan_are_refused(bounds: dict[str, int]) -> None:
    """At once, with the numbers."""
    with pytest.raises(PlanError, match=f"min_updates={bounds['min_updates']} and max_updates="):
        training_plans(**bounds)
