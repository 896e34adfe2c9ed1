"""Draws: what is laid out, what is drawn, and that it is the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.resume.benches import Bare, Idle, Reads, bench_of

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume import Draws, Space, Trial, space_of
from noether_testkit.core.callbacks import PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import PeriodicDataIteratorCallbackConfig


class CountsABatch(PeriodicDataIteratorCallback):
    """Iterates over the test set."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)

    def process_data(self, batch: Any, *, trainer_model: Any) -> Any:
        return batch["y"].flatten()

    def process_results(self, results: Any, **_: Any) -> None:
        self.writer.add_scalar("mean", results.mean())


SUBJECTS: list[tuple[Any, dict[str, Any]]] = [
    (Idle, {}),
    (Bare, {}),
    (Reads, {"config": {"every_n_epochs": 1}}),
    (Idle, {"config": {"every_n_samples": 3, "batch_size": 2}}),
    (CountsABatch, {"config": {"every_n_epochs": 1, "dataset_key": "test"}}),
]


@pytest.fixture(params=SUBJECTS, ids=lambda param: f"{param[0].__name__}-{param[1]}")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    callback, fields = request.param
    with bench_of(callback, **fields) as bench:
        yield bench


def drawn(draws: Draws, budget: int = 30) -> list[Trial]:
    """Returns all trials that are drawn where none goes wrong."""
    seen: list[Trial] = []

    def note(trial: Trial) -> bool:
        seen.append(trial)
        return False

    assert draws.smallest(note, budget) is None
    return seen


def is_within(space: Space, trial: Trial) -> bool:
    places = space.boundaries(trial.plan, trial.interval)
    return all(
        stop.after_update in places and stop.kind in space.kinds(trial.plan, stop.after_update) for stop in trial.stops
    )


def test_trials_are_stopped_at_boundaries_in_a_way_that_makes_sense(bench: Bench) -> None:
    """Those that are laid out, and those that are drawn."""
    space = space_of(bench)
    draws = Draws(space=space)
    trials = [*draws.laid_out(), *drawn(draws)]
    assert trials
    assert all(is_within(space, trial) for trial in trials)
    assert all(trial.plan.reseed and trial.plan.total_updates <= 64 for trial in trials)


def test_the_same_trials_are_drawn_each_time(bench: Bench) -> None:
    """A finding can be repeated: nothing depends on the clock, the process or an earlier search."""
    draws = Draws(space=space_of(bench))
    assert [*draws.laid_out(), *drawn(draws)] == [*draws.laid_out(), *drawn(draws)]


def test_draws_differ_in_all_that_matters() -> None:
    """Intervals, lengths, batches, accumulation, ragged ends, courses, kinds and numbers of stops."""
    with bench_of(Reads) as bench:
        trials = drawn(Draws(space=space_of(bench)), 120)
    assert {trial.interval for trial in trials} > {None, ("every_n_epochs", 1), ("every_n_samples", 4)}
    assert {len(trial.stops) for trial in trials} == {1, 2}
    assert {stop.kind for trial in trials for stop in trial.stops} == {"signal", "early-stop", "crash"}
    assert len({trial.course for trial in trials}) == 4
    assert {trial.plan.accumulation_steps for trial in trials} == {1, 2}
    assert {trial.plan.batch_size for trial in trials} == {1, 2, 3}
    assert any(trial.plan.dataset_size % trial.plan.batch_size for trial in trials)


def test_stops_anywhere_are_between_turns_too() -> None:
    """Every update but the last one can be the last of a session."""
    with bench_of(Idle, config={"every_n_updates": 4}) as bench:
        space = space_of(bench)
        places = {stop.after_update for trial in drawn(Draws(space=space, anywhere=True)) for stop in trial.stops}
    assert any(place % 4 for place in places)


def test_a_crash_loses_updates_that_the_run_has() -> None:
    """It dies before the end of the run, after its checkpoint, and only once."""
    with bench_of(Idle) as bench:
        draws = Draws(space=space_of(bench), lost=2, crashes_only=True)
        trials = [*draws.laid_out(), *drawn(draws)]
    assert {stop.kind for trial in trials for stop in trial.stops} == {"crash"}
    assert {len(trial.stops) for trial in trials} == {1}
    assert {trial.lost for trial in trials} == {2}
    assert all(trial.stops[0].after_update + 2 < trial.plan.total_updates for trial in trials)


def test_a_set_of_the_users_own_stays_as_it_is() -> None:
    """Its size and the batch size are those of the subject."""
    import torch

    def data() -> dict[str, dict[str, torch.Tensor]]:
        return {"train": {"x": torch.ones(6, 4), "y": torch.ones(6, 1)}}

    with bench_of(Idle, datasets=data) as bench:
        plans = {trial.plan for trial in drawn(Draws(space=space_of(bench)))}
        assert {(plan.dataset_size, plan.batch_size) for plan in plans} == {(6, bench.plan.batch_size)}


def test_the_smallest_trial_that_goes_wrong_is_found() -> None:
    """Few updates, one stop, the own interval."""
    with bench_of(Idle) as bench:
        found = Draws(space=space_of(bench)).smallest(lambda trial: trial.plan.total_updates >= 5, 120)
    assert found is not None
    assert (found.plan.total_updates, len(found.stops), found.interval) == (5, 1, None)


def test_nothing_is_drawn_without_a_budget() -> None:
    """A search that is told not to draw does not even load hypothesis."""
    with bench_of(Idle) as bench:
        assert Draws(space=space_of(bench)).smallest(lambda _: True, 0) is None


def test_nothing_is_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database of examples is left in the working directory, also where something goes wrong."""
    monkeypatch.chdir(tmp_path)
    with bench_of(Idle) as bench:
        draws = Draws(space=space_of(bench))
        drawn(draws)
        assert draws.smallest(lambda _: True, 20) is not None
    assert list(tmp_path.iterdir()) == []
