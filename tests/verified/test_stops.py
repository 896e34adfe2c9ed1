"""Verified behaviours of stops and errors: who still has a turn, and which files are written."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch
from tests.verified.worlds import World

from noether_testkit import TrainingPlan

AT_ONCE = ("before_training", "track_after_accumulation_step", "track_after_update_step", "after_training")
IN_A_ROUND = ("periodic_callback", "after_update")


class GuiltyError(Exception):
    """What goes wrong here."""


def raises_in(world: World, hook: str, error: type[BaseException], update: int = 2, class_name: str = "Guilty") -> Any:
    """Returns a factory of a callback that raises in a hook at an update; at any in start and end hooks."""

    def fail(self: Any, **_: Any) -> None:
        if hook in ("before_training", "after_training") or self.trainer.update_counter.update == update:
            raise error

    return world.callback(class_name=class_name, **{hook: fail})


def witness(world: World, seen: list[str], class_name: str = "Witness") -> Any:
    """Returns a factory of a callback that notes its turns and the end."""
    return world.callback(
        class_name=class_name,
        periodic_callback=lambda self, *, update_counter, **_: seen.append(f"turn {update_counter.update}"),
        after_training=lambda self, **_: seen.append("end"),
    )


def checkpoints_of(run: Any) -> list[str]:
    return sorted(file.name for file in run.path_provider.checkpoint_path.iterdir())


def three_files(tag: str) -> list[str]:
    return [f"model_cp={tag}_{part}.th" for part in ("model", "optim", "trainer")]


@pytest.mark.parametrize("hook", IN_A_ROUND)
def test_an_early_stop_lets_the_others_have_their_turn(world: World, hook: str) -> None:
    """Then the end hooks are called, and the run ends in order."""
    seen: list[str] = []
    run = world.run()
    run.train(raises_in(world, hook, world.callbacks.EarlyStopIteration), witness(world, seen))
    assert seen == ["turn 1", "turn 2", "end"]
    assert run.update_counter.update == 2


def test_an_early_stop_saves_a_checkpoint_named_after_it(world: World) -> None:
    """With weights, optimiser and trainer; `latest` is left alone."""
    run = world.run().train(raises_in(world, "periodic_callback", world.callbacks.EarlyStopIteration))
    assert checkpoints_of(run) == three_files("E0_U2_S4.early_exit")


def test_a_stop_derived_from_the_early_stop_is_one(world: World) -> None:
    """By class, not by name."""
    derived = type("Patience", (world.callbacks.EarlyStopIteration,), {})
    run = world.run().train(raises_in(world, "periodic_callback", derived))
    assert checkpoints_of(run) == three_files("E0_U2_S4.early_exit")
    namesake = type("EarlyStopIteration", (StopIteration,), {})
    other = world.run()
    with pytest.raises(namesake):
        other.train(raises_in(world, "periodic_callback", namesake))
    assert three_files("E0_U2_S4.error") == checkpoints_of(other)


@pytest.mark.parametrize("hook", AT_ONCE)
def test_an_early_stop_outside_a_round_is_a_crash(world: World, hook: str) -> None:
    """It escapes, no checkpoint is written, and nobody after it is called."""
    seen: list[str] = []
    run = world.run()
    with pytest.raises(world.callbacks.EarlyStopIteration):
        run.train(raises_in(world, hook, world.callbacks.EarlyStopIteration), witness(world, seen))
    assert "end" not in seen
    assert checkpoints_of(run) == []


def test_an_early_stop_at_an_epochs_last_update_skips_the_epochs_round(world: World) -> None:
    """For good, even at the last update of the run."""
    seen: list[str] = []
    by_epoch = world.callback(
        class_name="ByEpoch",
        config={"every_n_epochs": 1},
        periodic_callback=lambda self, **_: seen.append("epoch"),
    )
    run = world.run()
    run.train(raises_in(world, "periodic_callback", world.callbacks.EarlyStopIteration, update=8), by_epoch)
    assert seen == ["epoch"]
    assert checkpoints_of(run) == three_files("E2_U8_S16.early_exit")


def test_an_early_stop_at_an_epochs_last_update_leaves_the_entry_open(world: World) -> None:
    """So a scalar after training lands in it."""

    def logs(self: Any, **_: Any) -> None:
        self.writer.add_scalar("a", 1)

    late = world.callback("CallbackBase", after_training=lambda self, **_: self.writer.add_scalar("late", 1))
    run = world.run()
    run.train(
        world.callback(class_name="Logs", periodic_callback=logs),
        late,
        raises_in(world, "periodic_callback", world.callbacks.EarlyStopIteration, update=4),
    )
    assert run.log_writer.log_entries[-1] == {"epoch": 1, "update": 4, "sample": 8, "a": 1, "late": 1}


@pytest.mark.parametrize("hook", IN_A_ROUND)
def test_an_error_in_a_round_lets_the_others_have_their_turn(world: World, hook: str) -> None:
    """Then it is raised, without the end hooks."""
    seen: list[str] = []
    with pytest.raises(GuiltyError):
        world.run().train(raises_in(world, hook, GuiltyError), witness(world, seen))
    assert seen == ["turn 1", "turn 2"]


def test_an_error_in_a_round_saves_a_checkpoint_named_after_it(world: World) -> None:
    """With the state of the callback that just failed."""

    def fail(self: Any, **_: Any) -> None:
        raise GuiltyError

    factory = world.callback(class_name="Guilty", state_dict=lambda self: {"n": 1}, periodic_callback=fail)
    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(factory)
    assert checkpoints_of(run) == three_files("E0_U1_S2.error")
    trainer = torch.load(run.path_provider.checkpoint_path / "model_cp=E0_U1_S2.error_trainer.th")
    assert trainer["callback_state_dicts"] == {"Guilty": {"n": 1}}


def test_a_plain_stop_iteration_in_a_round_is_an_error(world: World) -> None:
    """Only the framework's own is a stop."""
    run = world.run()
    with pytest.raises(StopIteration):
        run.train(raises_in(world, "periodic_callback", StopIteration))
    assert checkpoints_of(run) == three_files("E0_U2_S4.error")


@pytest.mark.parametrize("hook", AT_ONCE)
def test_an_error_outside_a_round_is_raised_at_once(world: World, hook: str) -> None:
    """No checkpoint is written."""
    seen: list[str] = []
    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(raises_in(world, hook, GuiltyError), witness(world, seen))
    assert "end" not in seen
    assert checkpoints_of(run) == []


def test_of_two_errors_in_a_round_the_first_is_raised(world: World) -> None:
    """There is one checkpoint."""
    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(
            raises_in(world, "periodic_callback", GuiltyError),
            raises_in(world, "periodic_callback", KeyError, class_name="Second"),
        )
    assert checkpoints_of(run) == three_files("E0_U2_S4.error")


@pytest.mark.parametrize("stop_first", [True, False])
def test_an_error_wins_over_an_early_stop(world: World, stop_first: bool) -> None:
    """Whoever was first."""
    guilty = [
        raises_in(world, "periodic_callback", world.callbacks.EarlyStopIteration, class_name="Stops"),
        raises_in(world, "periodic_callback", GuiltyError),
    ]
    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(*(guilty if stop_first else reversed(guilty)))
    assert checkpoints_of(run) == three_files("E0_U2_S4.error")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_round_escapes_at_once(world: World, error: type[BaseException]) -> None:
    """The others have no turn, and no checkpoint is written; what was logged is kept."""
    seen: list[str] = []
    logs = world.callback(class_name="Logs", periodic_callback=lambda self, **_: self.writer.add_scalar("a", 1))
    run = world.run()
    with pytest.raises(error):
        run.train(logs, raises_in(world, "periodic_callback", error), witness(world, seen))
    assert seen == ["turn 1"]
    assert checkpoints_of(run) == []
    assert [entry["update"] for entry in run.log_writer.log_entries] == [1, 2]


def test_a_state_that_fails_in_the_checkpoint_of_an_early_stop_is_the_error(world: World) -> None:
    """Nothing is written, and the end hooks are not called."""
    seen: list[str] = []

    def state(self: Any) -> int:
        if self.trainer.update_counter.update == 2:
            raise GuiltyError
        return 1

    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(
            raises_in(world, "periodic_callback", world.callbacks.EarlyStopIteration),
            world.callback(class_name="Stateful", state_dict=state),
            witness(world, seen),
        )
    assert seen == ["turn 1", "turn 2"]
    assert checkpoints_of(run) == []


def test_a_state_that_fails_in_the_checkpoint_of_an_error_hides_nothing(world: World) -> None:
    """The first error is raised, and nothing is written."""

    def state(self: Any) -> int:
        if self.trainer.update_counter.update == 2:
            raise KeyError("state")
        return 1

    run = world.run()
    with pytest.raises(GuiltyError):
        run.train(
            raises_in(world, "periodic_callback", GuiltyError), world.callback(class_name="Stateful", state_dict=state)
        )
    assert checkpoints_of(run) == []


def test_a_flush_that_is_refused_replaces_the_error_of_the_round(world: World) -> None:
    """The error is its context, and there is no checkpoint."""

    def early(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 1:
            self.writer.add_scalar("early", 1)

    logs = world.callback(class_name="Logs", periodic_callback=lambda self, **_: self.writer.add_scalar("a", 1))
    run = world.run()
    with pytest.raises(AssertionError):
        run.train(
            logs,
            world.callback(class_name="Early", track_after_accumulation_step=early),
            raises_in(world, "periodic_callback", GuiltyError),
        )
    assert checkpoints_of(run) == []


@pytest.mark.parametrize(("update", "turns"), [(2, 2), (4, 4), (8, 8)])
def test_a_requested_stop_ends_the_run_after_the_update(world: World, update: int, turns: int) -> None:
    """With the end hooks, and without a checkpoint; the update's round is finished."""
    seen: list[str] = []
    run = world.run()

    def request(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update == update:
            run.request_stop()

    run.train(world.callback(class_name="Requests", periodic_callback=request), witness(world, seen))
    assert seen == [*(f"turn {number}" for number in range(1, turns + 1)), "end"]
    assert checkpoints_of(run) == []


def test_a_requested_stop_at_an_epochs_last_update_skips_the_epochs_round(world: World) -> None:
    """As an early stop does."""
    seen: list[str] = []
    run = world.run()
    by_epoch = world.callback(
        class_name="ByEpoch", config={"every_n_epochs": 1}, periodic_callback=lambda self, **_: seen.append("epoch")
    )

    def late(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 4:
            run.request_stop()

    run.train(world.callback(class_name="Late", track_after_update_step=late), by_epoch)
    assert seen == []
    assert run.update_counter.update == 4


def test_sigterm_ends_the_run_after_the_update(world: World) -> None:
    """With the end hooks; who handled the signal before does so again after the run, and hears nothing of it."""
    seen: list[str] = []
    heard: list[int] = []

    def send(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    def listen(number: int, frame: Any) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGTERM, listen)
    try:
        run = world.run().train(world.callback(class_name="Sends", track_after_update_step=send), witness(world, seen))
        assert signal.getsignal(signal.SIGTERM) is listen
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["turn 1", "turn 2", "end"]
    assert run.update_counter.update == 2
    assert heard == []
    assert checkpoints_of(run) == []


def test_an_error_gives_the_handling_of_sigterm_back(world: World) -> None:
    """Whatever ends the run."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(GuiltyError):
        world.run().train(raises_in(world, "track_after_update_step", GuiltyError))
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_in_the_forward_pass_calls_no_hook(world: World) -> None:
    """It escapes without a checkpoint, and the model stays in train mode."""
    seen: list[str] = []

    def loss(outputs: Any, targets: Any) -> Any:
        raise GuiltyError

    run = world.run(TrainingPlan(), loss=loss)
    with pytest.raises(GuiltyError):
        run.train(witness(world, seen))
    assert seen == []
    assert checkpoints_of(run) == []
    assert run.model.training
    assert torch.is_grad_enabled()


def test_a_loss_that_is_no_number_is_no_error(world: World) -> None:
    """The weights are none either, then."""
    run = world.run(TrainingPlan(updates=2), loss=lambda outputs, targets: outputs["y"].mean() * float("nan"))
    run.train()
    assert run.update_counter.update == 2
    assert run.model.net.head.weight.isnan().all()
