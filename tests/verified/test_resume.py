"""Verified behaviours of a resume."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from tests.verified.worlds import World
from torch import nn

from noether_testkit import TrainingPlan
from noether_testkit.plan import Checkpoint

PLAN = TrainingPlan(epochs=3)


class Line(nn.Module):
    """A network that draws no random numbers in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.layer(x)}


def saves_at(world: World, *updates: int, config: dict[str, int] | None = None) -> Any:
    """Returns a factory of a callback that saves a checkpoint at some updates."""

    def turn(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update in updates:
            tag = str(update_counter.cur_iteration)
            self.checkpoint_writer.save(self.model, tag, trainer=self.trainer)

    return world.callback(class_name="Saves", config=config, periodic_callback=turn)


def keeper(world: World, calls: list[Any] | None = None, state: Any = 1, class_name: str = "Keeper") -> Any:
    """Returns a factory of a callback with a state, which notes how it is resumed."""

    def note(*call: Any) -> None:
        if calls is not None:
            calls.append(call)

    def loaded(self: Any, state_dict: Any) -> None:
        norm = self.model.net.encoder.weight.detach().norm().item()
        has_momentum = bool(self.model.optimizer is not None and self.model.optimizer.state_dict()["state"])
        note("load_state_dict", state_dict, norm, has_momentum, self.model.training, torch.is_grad_enabled())

    return world.callback(
        "CallbackBase",
        class_name=class_name,
        state_dict=lambda self: state,
        load_state_dict=loaded,
        resume_from_checkpoint=lambda self, **arguments: note("resume_from_checkpoint", arguments),
        before_training=lambda self, *, update_counter: note("before_training", str(update_counter.cur_iteration)),
    )


def checkpoint_of(world: World, run: Any, tag: str) -> Checkpoint:
    return Checkpoint(output_root=world.root, run_id=run.path_provider.run_id, tag=tag)


def trained(world: World, *updates: int, factories: tuple[Any, ...] = ()) -> Any:
    return world.run(PLAN).train(*factories, saves_at(world, *updates))


def resumed(world: World, first: Any, tag: str, plan: TrainingPlan = PLAN) -> Any:
    return world.run(plan.resumed(checkpoint_of(world, first, tag)))


def test_a_resume_goes_on_where_the_checkpoint_was_written(world: World) -> None:
    """The counter is there before the callbacks are built."""
    second = resumed(world, trained(world, 3), "E0_U3_S6")
    assert str(second.update_counter.cur_iteration) == "E0_U3_S6"
    assert str(second.trainer.start_checkpoint) == "E0_U3_S6"
    second.train()
    assert (second.update_counter.epoch, second.update_counter.update) == (3, 12)


@pytest.mark.parametrize(
    ("length", "end"),
    [({"epochs": 3}, "E2_U12_S24"), ({"updates": 8}, "E1_U8_S16"), ({"samples": 16}, "E1_U8_S16")],
)
def test_the_end_of_a_resume_within_an_epoch_is_one_epoch_low(world: World, length: dict[str, int], end: str) -> None:
    """Whatever unit the run is counted in; the updates are right."""
    first = trained(world, 3)
    second = resumed(world, first, "E0_U3_S6", TrainingPlan(**length))
    assert str(second.update_counter.end_iteration) == end
    second.train()
    assert f"_U{second.update_counter.update}_" in end


def test_the_log_of_a_resume_starts_empty(world: World) -> None:
    """Its first entry is of the update after the checkpoint."""
    logs = world.callback(periodic_callback=lambda self, **_: self.writer.add_scalar("a", 1))
    second = resumed(world, trained(world, 3, factories=(logs,)), "E0_U3_S6")
    assert second.log_writer.log_entries == []
    second.train(logs)
    assert [entry["update"] for entry in second.log_writer.log_entries] == list(range(4, 13))


def test_states_are_loaded_over_fresh_weights_and_then_over_loaded_ones(world: World) -> None:
    """With recording on and the model in train mode, from files that were read anew."""
    calls: list[Any] = []
    first = trained(world, 4, factories=(keeper(world, state={"n": 1}),))
    saved = torch.load(first.path_provider.checkpoint_path / "model_cp=E1_U4_S8_model.th")["state_dict"]
    loaded_norm = next(value for key, value in saved.items() if key.endswith("encoder.weight")).norm().item()
    resumed(world, first, "E1_U4_S8").train(keeper(world, calls, state={"n": 0}))
    (_, one, fresh, before, *mode), (_, two, norm, _, *same_mode), *_ = calls
    assert (one, two) == ({"n": 1}, {"n": 1})
    assert one is not two
    assert fresh != norm == pytest.approx(loaded_norm)
    assert not before
    assert mode == same_mode == [True, True]


def test_the_paths_of_the_earlier_run_come_after_both_loads(world: World) -> None:
    """By keyword, with the model; then the run starts."""
    calls: list[Any] = []
    first = trained(world, 4, factories=(keeper(world),))
    second = resumed(world, first, "E1_U4_S8")
    second.train(keeper(world, calls))
    assert [call[0] for call in calls] == [
        "load_state_dict",
        "load_state_dict",
        "resume_from_checkpoint",
        "before_training",
    ]
    arguments = calls[2][1]
    assert set(arguments) == {"resumption_paths", "model"}
    assert arguments["model"] is second.model
    assert arguments["resumption_paths"].run_id == first.path_provider.run_id
    assert arguments["resumption_paths"].checkpoint_path == first.path_provider.checkpoint_path
    assert calls[3] == ("before_training", "E1_U4_S8")


def test_each_state_is_asked_for_five_times_before_a_resume_starts(world: World) -> None:
    """Once while callbacks are built, and twice for each load."""
    asked: list[str] = []

    def state(self: Any) -> int:
        asked.append("state")
        return 1

    factory = world.callback("CallbackBase", state_dict=state, before_training=lambda self, **_: asked.append("start"))
    first = trained(world, 4, factories=(factory,))
    asked.clear()
    resumed(world, first, "E1_U4_S8").train(factory)
    assert asked.index("start") == 5


def test_a_state_that_nobody_takes_warns_at_both_loads(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the callback is there, but stateless when it is asked."""
    first = trained(world, 4, factories=(keeper(world, class_name="Forgetful"),))
    calls: list[Any] = []
    with caplog.at_level(logging.WARNING):
        resumed(world, first, "E1_U4_S8").train(keeper(world, calls, state=None, class_name="Forgetful"))
    assert [call[0] for call in calls] == ["resume_from_checkpoint", "before_training"]
    assert len([record for record in caplog.records if "Forgetful" in record.getMessage()]) == 2


def test_a_resume_trains_like_a_run_that_never_stopped(world: World) -> None:
    """Where nothing draws random numbers: weights and the optimiser's state are equal."""
    first = world.run(PLAN, network=Line).train(saves_at(world, 4))
    second = world.run(PLAN.resumed(checkpoint_of(world, first, "E1_U4_S8")), network=Line).train()
    mine, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    mine, theirs = (run.model.optimizer.state_dict()["state"] for run in (first, second))
    assert mine.keys() == theirs.keys() != set()
    assert all(torch.equal(mine[index]["momentum_buffer"], theirs[index]["momentum_buffer"]) for index in mine)


def test_learning_rates_come_from_the_constructor(world: World) -> None:
    """Not out of the checkpoint."""

    def lowers(self: Any, **_: Any) -> None:
        for group in self.model.optimizer.torch_optim.param_groups:
            group["lr"] = 0.001

    first = trained(world, 4, factories=(world.callback(class_name="Lowers", track_after_update_step=lowers),))
    second = resumed(world, first, "E1_U4_S8").train()
    assert second.model.optimizer.torch_optim.param_groups[0]["lr"] > 0.001


def test_epoch_callbacks_of_the_checkpoints_own_update_are_not_repeated(world: World) -> None:
    """A checkpoint of an epoch's last update that was written in the round before theirs has lost their turn."""
    turns: list[int] = []
    by_epoch = world.callback(
        class_name="ByEpoch",
        config={"every_n_epochs": 1},
        periodic_callback=lambda self, *, update_counter, **_: turns.append(update_counter.update),
    )
    first = trained(world, 4)
    resumed(world, first, "E1_U4_S8").train(by_epoch)
    assert turns == [8, 12]


def test_accumulation_steps_are_counted_from_0_after_a_resume(world: World) -> None:
    """Even within an epoch, while the data go on where they were."""
    seen: list[tuple[int, list[int]]] = []
    tracks = world.callback(
        class_name="Tracks",
        track_after_accumulation_step=lambda self, *, batch, accumulation_step, **_: seen.append(
            (accumulation_step, batch["index"].tolist())
        ),
    )
    resumed(world, trained(world, 3), "E0_U3_S6").train(tracks)
    assert seen[:3] == [(0, [6, 7]), (0, [0, 1]), (1, [2, 3])]


@pytest.mark.parametrize("tag", ["latest", "E9_U9_S9"])
def test_a_checkpoint_that_is_not_there_is_refused_at_once(world: World, tag: str) -> None:
    """Before any callback is built."""
    first = trained(world, 4)
    with pytest.raises(FileNotFoundError):
        resumed(world, first, tag)


@pytest.mark.parametrize("part", ["model", "optim"])
def test_a_checkpoint_without_weights_or_optimiser_is_refused_in_training(world: World, part: str) -> None:
    """When they are read."""
    first = trained(world, 4)
    (first.path_provider.checkpoint_path / f"model_cp=E1_U4_S8_{part}.th").unlink()
    second = resumed(world, first, "E1_U4_S8")
    with pytest.raises(FileNotFoundError):
        second.train()


def test_weights_that_do_not_change_are_refused(world: World) -> None:
    """Nothing seems to have been loaded."""
    first = world.run(PLAN)
    first.model.initialize()
    checkpoint = first.save_checkpoint("start")
    second = world.run(PLAN.resumed(checkpoint))
    with pytest.raises(RuntimeError):
        second.train()


def test_a_state_that_cannot_be_loaded_safely_is_refused(world: World) -> None:
    """When the trainer is made: it reads the file for its counter."""
    first = trained(world, 4, factories=(keeper(world, state=world.root),))
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        resumed(world, first, "E1_U4_S8")


def test_a_finished_run_of_epochs_trains_one_update_too_many(world: World) -> None:
    """The end is looked for after the update."""
    first = trained(world, 12)
    second = resumed(world, first, "E3_U12_S24").train()
    assert str(second.update_counter.cur_iteration) == "E3_U13_S26"


def test_an_evaluation_of_a_checkpoint_loads_as_a_resume_does(world: World) -> None:
    """Both loads and the paths, and the counter of the checkpoint."""
    calls: list[Any] = []
    first = trained(world, 4, factories=(keeper(world),))
    second = resumed(world, first, "E1_U4_S8")
    second.evaluate(keeper(world, calls))
    assert [call[0] for call in calls] == ["load_state_dict", "load_state_dict", "resume_from_checkpoint"]
    assert str(second.update_counter.cur_iteration) == "E1_U4_S8"


def test_the_resume_point_is_the_trainers_initializer(world: World) -> None:
    """It knows run and tag, which the callback itself is not told."""
    first = trained(world, 4)
    initializer = resumed(world, first, "E1_U4_S8").trainer.initializer
    assert (initializer.run_id, initializer.checkpoint_tag) == (first.path_provider.run_id, "E1_U4_S8")
    assert initializer.init_run_path_provider.checkpoint_path == first.path_provider.checkpoint_path
    assert initializer.start_checkpoint() == world.iteration(1, 4, 8)
