"""Experiments: a resumed run beside its twin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.contract.resume.benches import Bare, Gathers, GathersByHalves, Idle, Reads, Slides, Waits, bench_of
from tests.contract.resume.test_draws import CountsABatch, drawn

from noether_testkit import TrainingPlan, check_callback
from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume import Draws, Experiment, Trial, experiment, search, space_of
from noether_testkit.contract.resume.culprit import Culprit, culprit_of
from noether_testkit.core.callbacks import EarlyStopIteration
from noether_testkit.plan import Stop, StopKind

PLAN = TrainingPlan(updates=12, reseed=True)
EVERY_2 = {"every_n_updates": 2}


def trial(*updates: int, kind: StopKind = "early-stop", **fields: Any) -> Trial:
    stops = tuple(Stop(after_update=update, kind=kind) for update in updates)
    return Trial(plan=fields.pop("plan", PLAN), stops=stops, **fields)


def tried(callback: Any, which: Trial, **fields: Any) -> Experiment:
    with bench_of(callback, **{"config": EVERY_2, **fields}) as bench:
        return experiment(bench, space_of(bench), which)


def kinds_of(found: Experiment) -> list[tuple[str, str]]:
    return [(each.kind, each.path) for each in found.mismatches]


class StopsAfterSix(Idle):
    """Ends the run of its own accord."""

    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        if update_counter.update >= 6 and interval_type != "eval":
            raise EarlyStopIteration


class Dies(Idle):
    """Cannot be resumed, by accident."""

    def before_training(self, *, update_counter: Any) -> None:
        self.first = {0: "a run"}[update_counter.update]


class Refuses(Idle):
    """Cannot be resumed, and says so."""

    def before_training(self, *, update_counter: Any) -> None:
        if update_counter.update:
            raise RuntimeError("This run cannot be resumed.")


class SumsUp(Idle):
    """Gives a summary once, in its first session."""

    def periodic_callback(self, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 2:
            self.tracker.set_summary("second", 2)


IDLE: list[tuple[Any, dict[str, Any]]] = [
    (Idle, {"config": {"every_n_updates": 1}}),
    (Idle, {"config": {"every_n_samples": 3, "batch_size": 2}}),
    (Bare, {"config": None}),
    (Reads, {"config": {"every_n_epochs": 1}}),
    (CountsABatch, {"config": {"every_n_updates": 2, "dataset_key": "test"}}),
]


@pytest.mark.parametrize(("callback", "fields"), IDLE)
@pytest.mark.parametrize("draws", [{}, {"anywhere": True}, {"lost": 2, "crashes_only": True}], ids=str)
def test_whoever_does_nothing_resumes_without_a_trace(
    callback: Any, fields: dict[str, Any], draws: dict[str, Any]
) -> None:
    """The kit, the fakes and the seeds add no difference of their own, in none of the trials."""
    with bench_of(callback, **fields) as bench:
        space = space_of(bench)
        every = Draws(space=space, **draws)
        for each in [*every.laid_out(), *drawn(every, 12)]:
            assert experiment(bench, space, each).mismatches == (), str(each)


@pytest.mark.parametrize("kind", ["signal", "early-stop", "crash"])
@pytest.mark.parametrize("updates", [(2,), (2, 6), (2, 6, 10)])
def test_each_kind_and_number_of_stops(kind: StopKind, updates: tuple[int, ...]) -> None:
    """A callback that forgets is found out, and one that has nothing to forget is not."""
    assert kinds_of(tried(Waits, trial(*updates, kind=kind))) == [("log", "waited")]
    assert kinds_of(tried(Reads, trial(*updates, kind=kind))) == []


def test_a_crash_after_the_checkpoint_is_trained_again() -> None:
    """The resumed run starts at the checkpoint, not where it died."""
    lossy = trial(4, kind="crash", lost=2)
    assert kinds_of(tried(Reads, lossy)) == []
    assert kinds_of(tried(Waits, lossy)) == [("log", "waited")]


def test_a_run_goes_on_in_its_folder() -> None:
    """In place, the sessions share their files."""
    assert kinds_of(tried(Reads, trial(4, in_place=True))) == []


def test_the_first_difference_is_told() -> None:
    """Which value, at which update, and both values."""
    (found,) = tried(Waits, trial(4)).mismatches
    assert (found.what, found.twin, found.resumed) == ("the log value 'waited' of update 6", "3 (int)", "1 (int)")
    assert not found.passes


def test_a_difference_that_passes_is_told_as_such() -> None:
    """A sliding window agrees again up to the end."""
    found = tried(Slides, trial(4, course="getting worse if low is good"))
    assert kinds_of(found) == [("log", "mean")]
    assert found.passes


def test_a_run_that_ends_before_its_stop_is_void() -> None:
    """There is nothing to resume."""
    assert tried(StopsAfterSix, trial(8)).is_void
    assert not tried(StopsAfterSix, trial(4)).is_void
    assert kinds_of(tried(StopsAfterSix, trial(4))) == []


def test_an_accident_is_a_mismatch_and_a_refusal_is_none() -> None:
    """Both end the resumed run, but one says why."""
    died, refused = tried(Dies, trial(4)), tried(Refuses, trial(4))
    assert kinds_of(died) == [("error", "error")]
    assert isinstance(died.mismatches[0].error, KeyError)
    assert (refused.mismatches, str(refused.refusal)) == ((), "This run cannot be resumed.")


def test_a_summary_of_an_earlier_session_counts() -> None:
    """What was given once need not be given again."""
    assert kinds_of(tried(SumsUp, trial(4))) == []


def culprit(callback: Any, which: Trial) -> Culprit:
    with bench_of(callback, config=EVERY_2) as bench:
        return culprit_of(bench, space_of(bench), which)


def test_the_culprit_is_named_with_its_values() -> None:
    """The attribute that was there when it was saved, and is as new after the restore."""
    found = culprit(Waits, trial(4))
    assert found.sentence == "Most likely lost: self.waited was 2 (int) before, and 0 (int) after the restore."
    assert (found.location or "").endswith("in Waits")
    assert not found.is_window


def test_without_a_loss_there_is_no_culprit() -> None:
    """Nothing is said about a callback that has all its attributes."""
    assert culprit(Idle, trial(4)).sentence == ""


def test_a_collection_that_starts_again_is_a_window() -> None:
    """It may fill up again; a number may not."""
    assert culprit(Slides, trial(4)).is_window


@pytest.mark.parametrize(("callback", "whole", "split"), [(Gathers, True, False), (GathersByHalves, False, True)])
def test_a_window_that_each_turn_empties_is_lost_as_a_whole_or_by_halves(
    callback: Any, whole: bool, split: bool
) -> None:
    """A sum without its count is worse than neither."""
    found = culprit(callback, trial(5))
    assert (found.is_half_window, found.splits_a_window) == (whole, split)


def test_a_count_of_the_run_is_no_half_window() -> None:
    """No turn empties it."""
    found = culprit(Waits, trial(5))
    assert (found.is_half_window, found.splits_a_window) == (False, False)


def searched(bench: Bench, **draws: Any) -> Any:
    return search(bench, Draws(space=space_of(bench), **draws), lambda _: True, lambda _: False)


def test_a_search_finds_a_small_trial_twice_in_the_same_words() -> None:
    """What it tells can be repeated."""
    found = []
    for _ in range(2):
        with bench_of(Waits) as bench:
            found.append(searched(bench).found)
    assert str(found[0].trial) == str(found[1].trial)
    assert found[0].trial.plan.total_updates == 4
    assert [each.what for each in found[0].mismatches] == [each.what for each in found[1].mismatches]


def test_a_search_tells_refusals() -> None:
    """They are no findings, but the report has to say so."""
    with bench_of(Refuses) as bench:
        seen = searched(bench)
    assert seen.found is None
    assert {str(each) for each in seen.refusals} == {"This run cannot be resumed."}


def test_a_search_leaves_out_what_differs_between_equal_runs() -> None:
    """A value that no two runs have in common is named, and not held against the callback."""
    import itertools

    numbers = itertools.count()

    class Numbers(Idle):
        def periodic_callback(self, **_: Any) -> None:
            self.writer.add_scalar("number", next(numbers))

    with bench_of(Numbers) as bench:
        seen = searched(bench)
    assert (seen.found, seen.unsteady) == (None, {("log", "number")})


def test_trials_of_one_plan_share_their_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that is never stopped is trained once."""
    with bench_of(Waits, config=EVERY_2) as bench:
        space = space_of(bench)
        plans: list[TrainingPlan] = []
        train = bench.train
        monkeypatch.setattr(
            bench, "train", lambda plan=None, **more: plans.append(plan) or train(plan, **more), raising=True
        )
        for update in (2, 4, 6):
            experiment(bench, space, trial(update))
    assert sum(plan == PLAN for plan in plans) == 1
    assert replace(PLAN, stop=None) == PLAN


def test_a_search_trains_each_uninterrupted_run_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one, which tells what differs between equal runs, is shared by all trials as well."""
    with bench_of(Waits, config=EVERY_2) as bench:
        plans: list[str] = []
        train = bench.train

        def counting(plan: Any = None, *, subject: Any = None, **more: Any) -> Any:
            metrics = (getattr(subject, "metrics", None) or {}).values()
            plans.append(f"{plan} {getattr(subject, 'config', None)} {[course(3) for course in metrics]}")
            return train(plan, subject=subject, **more)

        monkeypatch.setattr(bench, "train", counting)
        assert searched(bench).found is not None
    whole = [each for each in plans if "stop=None" in each and "resume_from=None" in each]
    assert max(map(whole.count, whole)) <= 2


def test_a_finding_is_the_same_twice() -> None:
    """The same trial and the same text, from the shell to the report."""
    first, second = (
        check_callback(Waits, select=["resumes-as-if-uninterrupted"])["resumes-as-if-uninterrupted"].seen
        for _ in range(2)
    )
    assert first == second
    assert (first or "").startswith("4 updates, stopped by a signal after update 2: the log value 'waited'")
