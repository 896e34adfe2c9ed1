"""Trials: how they read, where intervals end, which metrics are logged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.resume.benches import Bare, Idle, Reads, bench_of

from noether_testkit import TrainingPlan
from noether_testkit.contract.resume.trial import SERIES, Space, Trial, config_with, is_due, longest, space_of
from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.plan import Stop

PLAN = TrainingPlan(updates=12)


class EndsItsEpochs(PeriodicCallback):
    """Has a hook of its own at the end of an epoch."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)

    def after_epoch(self, update_counter: Any, **kwargs: Any) -> None:
        super().after_epoch(update_counter, **kwargs)


def space(callback: Any, **fields: Any) -> Space:
    with bench_of(callback, **fields) as bench:
        return space_of(bench)


@pytest.mark.parametrize(
    ("trial", "text"),
    [
        (
            Trial(plan=PLAN, stops=(Stop(after_update=6, kind="crash"),)),
            "12 updates, 4 an epoch, killed after update 6",
        ),
        (
            Trial(
                plan=TrainingPlan(updates=1),
                stops=(Stop(after_update=1, kind="signal"),),
                interval=("every_n_epochs", 1),
            ),
            "every epoch, 1 update, stopped by a signal after update 1",
        ),
        (
            Trial(
                plan=replace(PLAN, dataset_size=9, accumulation_steps=2),
                stops=(Stop(after_update=2, kind="early-stop"), Stop(after_update=4, kind="early-stop")),
                interval=("every_n_samples", 4),
                course="flat",
            ),
            (
                "every 4 samples, 12 updates, 4 an epoch, 2 accumulation steps, a ragged end of the training set, "
                "metrics flat, stopped by another callback after update 2, stopped by another callback after "
                "update 4"
            ),
        ),
        (
            Trial(plan=PLAN, stops=(Stop(after_update=4, kind="crash"),), lost=1),
            "12 updates, 4 an epoch, killed after update 5, 1 update after its checkpoint",
        ),
    ],
)
def test_a_trial_reads_like_a_sentence(trial: Trial, text: str) -> None:
    """Only what is unusual is told, and one of a thing is no plural."""
    assert str(trial) == text


@pytest.mark.parametrize(
    ("interval", "updates"),
    [
        (("every_n_updates", 1), [1, 2, 3, 4, 5, 6, 7, 8]),
        (("every_n_updates", 3), [3, 6]),
        (("every_n_epochs", 1), [4, 8]),
        (("every_n_epochs", 2), [8]),
        (("every_n_samples", 4), [2, 4, 6, 8]),
        (("every_n_samples", 5), [3, 5, 8]),
        (("every_n_samples", 1), [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_an_interval_is_due_where_the_trainer_says(interval: tuple[str, int], updates: list[int]) -> None:
    """Updates and epochs count as such; samples by the batch that goes past a multiple."""
    assert [update for update in range(1, 9) if is_due(interval, PLAN, update)] == updates


def test_boundaries_are_ends_of_intervals_before_the_end_of_the_run() -> None:
    """A run can be stopped where the callback has finished what it gathered, and something is left to train."""
    idle = space(Idle, config={"every_n_updates": 3})
    assert idle.boundaries(PLAN, None) == [3, 6, 9]
    assert idle.boundaries(PLAN, ("every_n_epochs", 1)) == [4, 8]


def test_a_callback_without_interval_has_its_boundaries_everywhere() -> None:
    """Nothing says when it would have finished."""
    assert space(Bare).boundaries(TrainingPlan(updates=4), None) == [1, 2, 3]


def test_a_callback_with_a_hook_at_the_end_of_epochs_has_its_boundaries_there() -> None:
    """It gathers over epochs, whatever its interval."""
    assert space(EndsItsEpochs, config={"every_n_updates": 1}).boundaries(PLAN, None) == [4, 8]


def test_no_signal_ends_a_run_at_an_epochs_last_update() -> None:
    """It would cost the round of the epoch, which nobody can make good."""
    idle = space(Idle)
    assert idle.kinds(PLAN, 4) == ("early-stop", "crash")
    assert idle.kinds(PLAN, 3) == ("signal", "early-stop", "crash")


def test_other_intervals_are_those_that_the_config_takes() -> None:
    """All units are tried, and a callback without interval has none."""
    assert space(Idle, config={"every_n_updates": 1}).intervals == (
        None,
        ("every_n_updates", 3),
        ("every_n_epochs", 1),
        ("every_n_samples", 4),
    )
    assert space(Bare).intervals == (None,)


def test_a_config_gets_another_interval_instead_of_its_own() -> None:
    """It has one interval, and the batch size that one in samples needs."""
    subject = space(Idle, config={"every_n_updates": 2}).subject
    config = config_with(subject, ("every_n_samples", 4))
    assert (config.every_n_updates, config.every_n_samples, config.batch_size) == (None, 4, 2)


@pytest.mark.parametrize(("course", "values"), [("flat", [0.5, 0.5]), ("getting better if low is good", [0.5, 1 / 3])])
def test_metrics_change_with_the_turns(course: str, values: list[float]) -> None:
    """A callback sees each value of a course, however long its interval."""
    reads = space(Reads, config={"every_n_updates": 3})
    subject = reads.subject_of(Trial(plan=PLAN, stops=(), course=course))
    metric = (subject.metrics or {})["mse"]
    assert [metric(3), metric(6)] == pytest.approx(values, abs=1e-6)


def test_a_trial_is_long_enough_for_some_turns_and_not_for_ever() -> None:
    """Six turns, and 64 updates at most."""
    assert longest(("every_n_updates", 2), 4, 2) == 12
    assert longest(("every_n_epochs", 1), 4, 2) == 24
    assert longest(("every_n_samples", 4), 4, 2) == 12
    assert longest(("every_n_updates", 500), 4, 2) == 64
    assert "in a wave" in SERIES
