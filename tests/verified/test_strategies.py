"""What the strategies draw: the framework trains it, too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.silence import silence
from tests.verified.tracing import bases

from noether_testkit import Subject, TrainingPlan
from noether_testkit.adapters.noether import FrameworkHarness
from noether_testkit.contract.harness import Outcome
from noether_testkit.strategies import interruptions, models, training_plans

STEADY = settings(
    derandomize=True, database=None, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)


def train(plan: TrainingPlan, **subject_fields: Any) -> Outcome:
    """Returns what comes of a run in the framework, with a callback that does nothing."""
    subject = Subject(bases("noether").callbacks.CallbackBase, **subject_fields)
    with silence(), tempfile.TemporaryDirectory() as folder:
        return FrameworkHarness().train(subject, plan, folder=Path(folder))


@settings(STEADY)
@given(plan=training_plans())
def test_the_framework_trains_drawn_plans(plan: TrainingPlan) -> None:
    """Each has as many updates there as it says."""
    outcome = train(plan)
    assert (outcome.error, outcome.updates) == (None, plan.total_updates)


@settings(STEADY)
@given(data=st.data(), plan=training_plans(min_updates=2))
def test_the_framework_stops_at_drawn_interruptions(data: st.DataObject, plan: TrainingPlan) -> None:
    """A run with one of the stops ends after its update."""
    stop = data.draw(interruptions(plan))[0]
    outcome = train(replace(plan, stop=stop))
    assert (outcome.error, outcome.updates) == (None, stop.after_update)


@settings(STEADY)
@given(factory=models())
def test_the_framework_trains_drawn_models(factory: Callable[[], nn.Module]) -> None:
    """Two updates, whatever the model's traits."""
    outcome = train(TrainingPlan(updates=2), model=factory)
    assert (outcome.error, outcome.updates) == (None, 2)
