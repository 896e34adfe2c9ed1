"""Promises of drawn interruptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from tests.strategies.drawing import STEADY, drawn, smallest

from noether_testkit import Subject, TrainingPlan
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.subject import COLLABORATORS
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter
from noether_testkit.errors import PlanError, UnknownNameError
from noether_testkit.plan import Stop, StopKind
from noether_testkit.strategies import interruptions, training_plans

PLAN = TrainingPlan(epochs=3, dataset_size=9, batch_size=2)


class Acts(PeriodicCallback):
    """Writes down after which updates it acts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.acts: list[int] = []

    def periodic_callback(self, *, update_counter: Any, **_: Any) -> None:
        self.acts.append(update_counter.update)


def acts_of(plan: TrainingPlan, interval: dict[str, int]) -> list[int]:
    """Returns after which updates of a run a callback of that interval acts."""
    callback = Acts(
        callback_config=CallBackBaseConfig(**interval, batch_size=plan.batch_size), **dict.fromkeys(COLLABORATORS)
    )
    start, end = TrainingIteration(0, 0, 0), TrainingIteration(update=plan.total_updates)
    counter = UpdateCounter(start, end, plan.updates_per_epoch, plan.batch_size)
    while not counter.is_finished:
        counter.add_samples(plan.batch_size)
        counter.next_update()
        callback.after_update(update_counter=counter)
        if counter.is_full_epoch:
            counter.next_epoch()
            callback.after_epoch(update_counter=counter)
    return callback.acts


@settings(STEADY)
@given(data=st.data(), plan=training_plans(min_updates=2))
def test_stops_lie_strictly_inside_the_run_and_ascend(data: st.DataObject, plan: TrainingPlan) -> None:
    """No stop comes twice, none before the first or after the last update but one."""
    updates = [stop.after_update for stop in data.draw(interruptions(plan))]
    assert updates
    assert updates == sorted(set(updates))
    assert set(updates) <= set(range(1, plan.total_updates))


@settings(STEADY, max_examples=8)
@given(data=st.data(), plan=training_plans(min_updates=2, max_updates=8))
def test_each_stop_is_one_that_a_harness_understands(
    data: st.DataObject, plan: TrainingPlan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A run with it ends after that update."""
    for stop in data.draw(interruptions(plan)):
        folder: Path = tmp_path_factory.mktemp("runs")
        outcome = FakeHarness().train(Subject(CallbackBase), replace(plan, stop=stop), folder=folder)
        assert (outcome.error, outcome.updates) == (None, stop.after_update)


@settings(STEADY, max_examples=50)
@given(
    data=st.data(),
    plan=training_plans(min_updates=2),
    unit=st.sampled_from(["every_n_epochs", "every_n_updates", "every_n_samples"]),
    number=st.integers(1, 7),
)
def test_boundaries_are_where_a_callback_of_that_interval_acts(
    data: st.DataObject, plan: TrainingPlan, unit: str, number: int
) -> None:
    """For all three units, ragged epochs and intervals that are no whole number of updates included."""
    inside = {update for update in acts_of(plan, {unit: number}) if update < plan.total_updates}
    strategy = interruptions(plan, max_stops=20, **{unit: number})
    assert strategy.is_empty == (not inside)
    if inside:
        assert {stop.after_update for stop in data.draw(strategy)} <= inside


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ({"every_n_epochs": 1}, [4, 8]),
        ({"every_n_updates": 3}, [3, 6, 9]),
        ({"every_n_samples": 5}, [3, 5, 8, 10]),
        ({"every_n_samples": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ],
)
def test_every_boundary_is_drawn(interval: dict[str, int], ends: list[int]) -> None:
    """At the updates at which the interval is due, the end of the run left out, and nowhere else."""
    stops = [stop for stops in drawn(interruptions(PLAN, **interval), 200) for stop in stops]
    assert sorted({stop.after_update for stop in stops}) == ends


@pytest.mark.parametrize("kind", get_args(StopKind))
def test_every_kind_of_stop_is_drawn(kind: StopKind) -> None:
    """Whatever kind a plan knows."""
    assert smallest(interruptions(PLAN), lambda stops: stops[0].kind == kind) == (Stop(after_update=1, kind=kind),)


def test_several_stops_of_different_kinds_are_drawn() -> None:
    """Three of them at most, where nothing else is said."""
    stops = smallest(interruptions(PLAN), lambda stops: len(stops) == 3 and len({stop.kind for stop in stops}) == 2)
    assert [stop.after_update for stop in stops] == [1, 2, 3]
    assert {len(stops) for stops in drawn(interruptions(PLAN), 200)} == {1, 2, 3}


def test_the_last_update_but_one_is_drawn() -> None:
    """The run has one update left then."""
    assert smallest(interruptions(PLAN), lambda stops: stops[-1].after_update == PLAN.total_updates - 1)


def test_stops_shrink_to_the_earliest_signal() -> None:
    """At the first boundary, where boundaries are asked for."""
    assert smallest(interruptions(PLAN)) == (Stop(after_update=1, kind="signal"),)
    assert smallest(interruptions(PLAN, every_n_epochs=2)) == (Stop(after_update=8, kind="signal"),)


@settings(STEADY, max_examples=30)
@given(stops=interruptions(PLAN, max_stops=1, kinds=("crash",)))
def test_number_and_kinds_can_be_restricted(stops: tuple[Stop, ...]) -> None:
    """To one crash, for example."""
    assert [stop.kind for stop in stops] == ["crash"]


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (TrainingPlan(updates=0), {}),
        (TrainingPlan(updates=1), {}),
        (TrainingPlan(epochs=1), {"every_n_epochs": 1}),
        (TrainingPlan(evaluate=True), {}),
    ],
)
def test_a_run_without_a_place_to_stop_draws_nothing(plan: TrainingPlan, options: dict[str, int]) -> None:
    """So it is discarded where plans are drawn, and never interrupted at a wrong place."""
    assert interruptions(plan, **options).is_empty
    with pytest.raises(Unsatisfiable):
        settings(STEADY)(given(interruptions(plan, **options).filter(bool))(lambda _: None))()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_n_epochs": 1, "every_n_updates": 2}, "only one of the three"),
        ({"every_n_samples": 0}, "'samples': 0"),
        ({"max_stops": 0}, "max_stops is 0"),
        ({"kinds": ()}, r"kinds \(\)"),
    ],
)
def test_options_that_contradict_themselves_are_refused(options: dict[str, Any], message: str) -> None:
    """At once, with what was given."""
    with pytest.raises(PlanError, match=message):
        interruptions(PLAN, **options)


def test_an_unknown_kind_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(UnknownNameError, match="Did you mean 'crash'"):
        interruptions(PLAN, kinds=("crashes",))  # type: ignore[arg-type]
