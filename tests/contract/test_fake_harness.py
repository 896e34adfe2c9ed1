"""The harness on the fakes: what it drives, what it makes fail, and what it tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.contract.broken_callbacks import Sound

from noether_testkit import Subject, TrainingPlan
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.fakes import FakeModel
from noether_testkit.fakes.natives import Natives
from noether_testkit.plan import Fault, Stop

PLAN = TrainingPlan(epochs=2)


class Logs(PeriodicCallback):
    """Logs a value of its own, and looks at a metric of somebody else."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.read: list[float] = []

    def periodic_callback(self, *, update_counter: Any, **_: Any) -> None:
        self.writer.add_scalar("own", float(update_counter.update))
        self.read.append(self.writer.log_cache["accuracy"])


class Fails(CallbackBase):
    def after_training(self, **_: Any) -> None:
        raise RuntimeError("the disk is full")


class FailsToBuild(CallbackBase):
    def __init__(self, **kwargs: Any) -> None:
        raise RuntimeError("not today")


class LeaksSwitches(CallbackBase):
    def before_training(self, **_: Any) -> None:
        torch.set_grad_enabled(True)
        self.guard = torch.inference_mode()
        self.guard.__enter__()


class Watch:
    """Notes each call into the callback."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        self.moments.append(moment)
        yield

    @property
    def hooks(self) -> list[str]:
        return [moment.hook for moment in self.moments]


@pytest.fixture
def train(tmp_path: Path) -> Any:
    def run(
        callback: Any, plan: TrainingPlan = PLAN, *, watch: Any = None, faults: Any = None, **fields: Any
    ) -> Outcome:
        subject = Subject.of(callback, **fields)
        return FakeHarness().train(subject, plan, folder=tmp_path, watch=watch, hook_faults=faults)

    return run


def test_a_whole_run_has_no_error(train: Any) -> None:
    """The outcome tells how far the run came, what was logged, and the weights at its end."""
    outcome = train(Sound)
    assert outcome.error is None
    assert outcome.updates == 8
    assert len(outcome.log) == 8
    assert all("mse" in entry for entry in outcome.log)
    assert outcome.weights


def test_two_runs_of_one_plan_are_equal(train: Any) -> None:
    """Nothing in a run depends on chance or on the run before it."""
    first, second = train(Sound), train(Sound)
    assert first.log == second.log
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_a_checkpoint_can_be_resumed_to_the_end(train: Any) -> None:
    """A resumed run goes on where the stopped one ended, with the callback's state."""
    plan = replace(PLAN, checkpoint_after=(4,), stop=Stop(after_update=4))
    watch = Watch()
    stopped = train(Sound, plan, config={"every_n_updates": 1})
    resumed = train(Sound, plan.resumed(stopped.checkpoints[4]), config={"every_n_updates": 1}, watch=watch)
    assert (stopped.updates, resumed.updates) == (4, 8)
    assert "load_state_dict" in watch.hooks
    assert watch.moments[-1].callback.seen == 8


def test_the_state_is_noted_with_each_checkpoint(train: Any) -> None:
    """What the callback answered at that time can be compared with what it loads later."""
    outcome = train(Sound, replace(PLAN, checkpoint_after=(2, 5)), config={"every_n_updates": 1})
    assert outcome.saved == {2: {"seen": 2}, 5: {"seen": 5}}
    assert list(outcome.checkpoints) == [2, 5]


def test_a_signal_ends_the_run_in_order(train: Any) -> None:
    """The end hooks of a run that is told to stop are called."""
    watch = Watch()
    outcome = train(Sound, replace(PLAN, stop=Stop(after_update=3, kind="signal")), watch=watch)
    assert (outcome.error, outcome.updates) == (None, 3)
    assert watch.hooks[-1] == "after_training"


def test_a_crash_ends_the_run_at_once(train: Any) -> None:
    """A run that dies calls no end hook, and dying as planned is no error of the callback."""
    watch = Watch()
    outcome = train(Sound, replace(PLAN, stop=Stop(after_update=3, kind="crash")), watch=watch)
    assert (outcome.error, outcome.updates) == (None, 3)
    assert "after_training" not in watch.hooks


def test_an_error_of_a_hook_is_told_with_its_moment(train: Any) -> None:
    """It is known which hook raised, at which update."""
    outcome = train(Fails)
    (found,) = outcome.hook_errors
    assert found.error is outcome.error
    assert str(found.moment) == "after_training (update 8)"


def test_an_error_of_the_constructor_is_told_with_its_moment(train: Any) -> None:
    """There is no callback then, but there is a moment."""
    (found,) = train(FailsToBuild).hook_errors
    assert found.moment.hook == "__init__"
    assert found.moment.callback is None


def test_an_error_of_another_callback_is_not_held_against_this_one(train: Any) -> None:
    """The run has an error, but none of the callback's own hooks raised it."""
    outcome = train(Sound, companions=[Fails])
    assert isinstance(outcome.error, RuntimeError)
    assert outcome.hook_errors == ()


def test_the_watch_sees_the_callback_only(train: Any) -> None:
    """The kit's own callbacks and companions are not judged."""
    watch = Watch()
    train(Sound, companions=[Logs], metrics={"accuracy": [1.0]}, watch=watch)
    assert {type(moment.callback) for moment in watch.moments} <= {Sound, type(None)}
    assert watch.hooks[0] == "__init__"
    assert set(watch.moments[0].arguments) >= {"trainer", "model", "log_writer"}


def test_uses_pair_a_hook_with_what_it_called(train: Any) -> None:
    """Only calls that come from inside a hook of the callback count."""
    outcome = train(Logs, metrics={"accuracy": [1.0]})
    assert ("after_update", "log_writer.add_scalar", 1) in outcome.uses
    assert outcome.logged_keys == {"own"}
    assert train(Sound).uses == ()


def test_a_call_in_a_hook_can_be_made_to_fail_once(train: Any) -> None:
    """The first call of that pair raises; all others work."""
    faults = {("after_update", "log_writer.add_scalar", 1): lambda: OSError("no space left")}
    outcome = train(Logs, metrics={"accuracy": [1.0]}, faults=faults)
    (found,) = outcome.hook_errors
    assert isinstance(found.error, OSError)
    assert found.moment.update == 2


def test_a_fault_of_a_hook_that_never_makes_the_call_stays_out(train: Any) -> None:
    """A fault that is waiting for another hook breaks nothing."""
    faults = {("before_training", "log_writer.add_scalar", 1): lambda: OSError("no space left")}
    assert train(Logs, metrics={"accuracy": [1.0]}, faults=faults).error is None


def test_metrics_follow_the_updates(train: Any) -> None:
    """Entry i belongs to update i + 1, and the last one stays."""
    watch = Watch()
    train(Logs, metrics={"accuracy": [0.1, 0.2, 0.3]}, watch=watch, config={"every_n_updates": 1})
    assert watch.moments[-1].callback.read == [0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]


def test_metrics_may_be_a_function_of_the_update(train: Any) -> None:
    """A function is asked with the update, counted from 1."""
    watch = Watch()
    train(Logs, metrics={"accuracy": lambda update: update / 10}, watch=watch, config={"every_n_updates": 4})
    assert watch.moments[-1].callback.read == [0.4, 0.8]


def test_an_evaluation_run_calls_at_eval_only(train: Any) -> None:
    """An evaluation run has neither start nor end hooks."""
    watch = Watch()
    train(Sound, replace(PLAN, evaluate=True), watch=watch)
    assert "at_eval" in watch.hooks
    assert not {"before_training", "after_training", "after_update"} & set(watch.hooks)


def test_a_fault_of_the_plan_fails_outside_of_hooks(train: Any) -> None:
    """A plan can make a collaborator fail for everybody."""
    fault = Fault(call="log_writer.flush", error=lambda: OSError("no space left"), at=2)
    outcome = train(Sound, replace(PLAN, faults=(fault,)))
    assert isinstance(outcome.error, OSError)
    assert outcome.hook_errors == ()


def test_leaked_switches_end_with_the_run(train: Any) -> None:
    """A callback that leaves modes on does so in its own run only."""
    train(LeaksSwitches)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_run_leaves_files_below_its_folder_and_no_thread(train: Any, tmp_path: Path) -> None:
    """Each run has a folder of its own below the given one."""
    threads = threading.active_count()
    train(Sound, replace(PLAN, checkpoint_after=(2,)))
    train(Sound)
    assert {path.name for path in tmp_path.iterdir()} == {"run-0", "run-1"}
    assert threading.active_count() == threads


def test_the_model_is_made_as_the_harness_says(tmp_path: Path) -> None:
    """A harness hands on what makes the model, and hears the forward passes of what it made."""

    class OtherModel(FakeModel):
        pass

    watch = Watch()
    fault = Fault(call="model.forward", error=lambda: RuntimeError("heard"), at=3)
    plan = TrainingPlan(epochs=1, faults=(fault,))
    outcome = FakeHarness(Natives(make_model=OtherModel)).train(
        Subject(CallbackBase), plan, folder=tmp_path, watch=watch
    )
    assert {type(moment.model) for moment in watch.moments} == {OtherModel}
    assert str(outcome.error) == "heard"
    assert outcome.updates == 2


def test_an_early_stop_ends_the_run_in_order(train: Any) -> None:
    """Another callback ends the run: the end hooks are called, and the judged callback has raised nothing."""
    watch = Watch()
    outcome = train(Sound, replace(PLAN, stop=Stop(after_update=3, kind="early-stop")), watch=watch)
    assert (outcome.error, outcome.updates, outcome.hook_errors) == (None, 3, ())
    assert watch.hooks[-1] == "after_training"


@pytest.mark.parametrize("kind", ["early-stop", "crash"])
def test_a_stop_at_the_end_of_an_epoch_comes_after_its_round(train: Any, kind: Any) -> None:
    """Callbacks that count epochs have their turn before the checkpoint is written."""
    plan = replace(PLAN, checkpoint_after=(4,), stop=Stop(after_update=4, kind=kind))
    outcome = train(Sound, plan, config={"every_n_epochs": 1})
    assert outcome.updates == 4
    assert outcome.saved == {4: {"seen": 1}}


def test_a_signal_at_the_end_of_an_epoch_comes_before_its_round(train: Any) -> None:
    """The trainer does not call that round any more."""
    plan = replace(PLAN, checkpoint_after=(4,), stop=Stop(after_update=4, kind="signal"))
    assert train(Sound, plan, config={"every_n_epochs": 1}).saved == {4: {"seen": 0}}


class Draws(PeriodicCallback):
    """Draws a number at each turn."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.drawn: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.drawn.append(torch.rand(()).item())


def drawn_in(train: Any, plan: TrainingPlan) -> list[float]:
    watch = Watch()
    train(Draws, plan, watch=watch, config={"every_n_updates": 1})
    drawn: list[float] = watch.moments[-1].callback.drawn
    return drawn


@pytest.mark.parametrize("reseed", [True, False])
def test_a_resumed_run_draws_on_where_the_plan_says_so(train: Any, reseed: bool) -> None:
    """The framework does not restore generators: without new seeds, a resumed run draws the first numbers again."""
    plan = replace(PLAN, reseed=reseed)
    whole = drawn_in(train, plan)
    stopped = train(Draws, replace(plan, checkpoint_after=(4,), stop=Stop(after_update=4)))
    resumed = drawn_in(train, plan.resumed(stopped.checkpoints[4]))
    assert len(resumed) == 4
    assert (resumed == whole[4:]) is reseed


def test_a_run_goes_on_in_its_folder_or_in_one_of_its_own(train: Any, tmp_path: Path) -> None:
    """A resume has a folder of its own, unless the plan says that it is in place."""
    stopped = train(Sound, replace(PLAN, checkpoint_after=(4,), stop=Stop(after_update=4)))
    elsewhere = train(Sound, PLAN.resumed(stopped.checkpoints[4]))
    in_place = train(Sound, PLAN.resumed(stopped.checkpoints[4], in_place=True))
    assert stopped.run_folder == in_place.run_folder == tmp_path / "run-0"
    assert elsewhere.run_folder == tmp_path / "run-1"
    assert (elsewhere.updates, in_place.updates) == (8, 8)


def test_the_outcome_has_what_a_run_leaves(train: Any) -> None:
    """State, optimiser and summary at the end, as copies."""

    class SumsUp(Sound):
        def after_training(self, **_: Any) -> None:
            self.tracker.set_summary("seen", self.seen)

    watch = Watch()
    outcome = train(SumsUp, config={"every_n_updates": 2}, watch=watch)
    watch.moments[-1].callback.seen = 17
    assert outcome.state == {"seen": 4}
    assert outcome.summary["seen"] == 4
    assert set(outcome.optimizer) == {"state", "param_groups"}
    assert outcome.optimizer["state"]


def test_a_run_that_broke_has_no_state(train: Any) -> None:
    """What a callback answers then is a matter of another question."""
    assert train(Fails).state is None


class CannotTell(CallbackBase):
    def state_dict(self) -> dict[str, Any]:
        if self.trainer.update_counter.update > 7:
            raise RuntimeError("not today")
        return {"a": 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes nothing."""


def test_a_callback_that_cannot_tell_its_state_has_none(train: Any) -> None:
    """The run itself went well."""
    outcome = train(CannotTell)
    assert (outcome.error, outcome.state) == (None, None)
