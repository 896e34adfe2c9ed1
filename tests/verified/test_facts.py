"""What the framework does otherwise than described, or beyond it; see `FACTS.md`. Needs the framework."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from tests.verified.conftest import ONLY_NOETHER
from tests.verified.worlds import World

from noether_testkit import TrainingPlan
from noether_testkit.plan import Checkpoint

pytestmark = ONLY_NOETHER


def tracking(world: World, seen: list[list[int]]) -> Any:
    """Returns a factory of a callback that notes the samples of each training batch."""
    return world.callback(
        class_name="Tracks",
        track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch["index"].tolist()),
    )


def saving(world: World, *updates: int) -> Any:
    def turn(self: Any, *, update_counter: Any, **_: Any) -> None:
        if update_counter.update in updates:
            self.checkpoint_writer.save(self.model, str(update_counter.cur_iteration), trainer=self.trainer)

    return world.callback(class_name="Saves", periodic_callback=turn)


def trained_batches(world: World, plan: TrainingPlan, update: int) -> tuple[list[list[int]], list[list[int]]]:
    """Returns the batches that follow an update in a run as a whole, and in one that is resumed there."""
    whole: list[list[int]] = []
    first = world.run(plan).train(tracking(world, whole), saving(world, update))
    (trainer_file,) = first.path_provider.checkpoint_path.glob("*_trainer.th")
    tag = trainer_file.name.removeprefix("model_cp=").removesuffix("_trainer.th")
    rest: list[list[int]] = []
    checkpoint = Checkpoint(output_root=world.root, run_id=first.path_provider.run_id, tag=tag)
    world.run(plan.resumed(checkpoint)).train(tracking(world, rest))
    return whole[update * plan.accumulation_steps :], rest


def iterator(world: World, seen: dict[str, list[Any]], key: str, **config: Any) -> Any:
    """Returns a factory of an iterator callback that notes the first value of each sample that it was given."""
    return world.callback(
        "PeriodicDataIteratorCallback",
        class_name=f"Over_{key}",
        config={"dataset_key": key, **config},
        process_data=lambda self, batch, *, trainer_model: batch["x"][:, 0],
        process_results=lambda self, results, **_: seen.setdefault(key, []).append(results.tolist()),
    )


def marked() -> dict[str, dict[str, torch.Tensor]]:
    """Data sets of equal size that differ in their values."""
    return {key: {"x": torch.full((4, 4), value), "y": torch.zeros(4, 1)} for key, value in (("a", 1.0), ("b", 2.0))}


def test_states_are_loaded_in_the_order_of_a_set(framework: World) -> None:
    """Whatever the order of the callbacks: what is iterated over is a set, the order of which is that of hashes."""
    keys = [f"callback{number}" for number in range(20)]
    loaded: list[str] = []

    def keeper(key: str) -> Any:
        return framework.callback(
            "CallbackBase",
            name=key,
            state_dict=lambda self: 1,
            load_state_dict=lambda self, state_dict: loaded.append(self.checkpoint_key),
        )

    run = framework.run().train(*(keeper(key) for key in keys))
    run.trainer.load_state_dict(run.trainer.state_dict())
    assert sorted(loaded) == sorted(keys)
    assert loaded != keys


def test_iterators_of_mixed_units_swap_data_at_an_epochs_end(framework: World) -> None:
    """Batches are scheduled in the order of the callbacks, but epoch callbacks are called last."""
    seen: dict[str, list[Any]] = {}
    run = framework.run(TrainingPlan(epochs=1), datasets=marked)
    run.train(iterator(framework, seen, "a", every_n_epochs=1), iterator(framework, seen, "b", every_n_updates=4))
    assert seen == {"a": [[2.0] * 4], "b": [[1.0] * 4]}


def test_iterators_of_mixed_units_are_sound_with_epochs_last(framework: World) -> None:
    """The order of the callbacks decides."""
    seen: dict[str, list[Any]] = {}
    run = framework.run(TrainingPlan(epochs=1), datasets=marked)
    run.train(iterator(framework, seen, "b", every_n_updates=4), iterator(framework, seen, "a", every_n_epochs=1))
    assert seen == {"a": [[1.0] * 4], "b": [[2.0] * 4]}


def test_a_resume_within_an_epoch_goes_on_with_the_data_where_all_is_even(framework: World) -> None:
    """Nothing is left over, and there is one step an update."""
    whole, rest = trained_batches(framework, TrainingPlan(epochs=3), 3)
    assert rest == whole


def test_a_resume_within_an_epoch_with_a_ragged_end_shifts_training_data(framework: World) -> None:
    """From the first epoch's end on."""
    whole, rest = trained_batches(framework, TrainingPlan(epochs=3, dataset_size=9), 2)
    assert rest != whole


def test_a_resume_with_accumulation_shifts_training_data(framework: World) -> None:
    """Within an epoch."""
    plan = TrainingPlan(epochs=3, dataset_size=8, batch_size=2, accumulation_steps=2)
    whole, rest = trained_batches(framework, plan, 3)
    assert rest != whole


def test_resuming_a_run_that_was_finished_by_samples_dies(framework: World) -> None:
    """While one of epochs trains an update too many."""
    first = framework.run(TrainingPlan(samples=8)).train(saving(framework, 4))
    checkpoint = Checkpoint(output_root=framework.root, run_id=first.path_provider.run_id, tag="E1_U4_S8")
    with pytest.raises(AssertionError):
        framework.run(TrainingPlan(samples=8).resumed(checkpoint)).train()


def test_a_tag_of_an_epoch_can_mix_files_of_several_checkpoints(
    framework: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter is that of the first file of the epoch in the listing, whatever its part; so are not the weights."""
    from noether.core.initializers import ResumeInitializer
    from noether.core.schemas.initializers import ResumeInitializerConfig

    first = framework.run().train(saving(framework, 5, 6))
    listed = os.listdir

    def mixed(folder: Any) -> list[str]:
        return sorted(listed(folder), key=lambda name: ("U5_S10_optim" not in name, "U6" not in name, name))

    monkeypatch.setattr(os, "listdir", mixed)
    config = ResumeInitializerConfig(run_id=first.path_provider.run_id, checkpoint_tag={"epoch": 1}, model_name="model")
    initializer = ResumeInitializer(config, path_provider=framework.PathProvider(framework.root, "second"))
    model = framework.run().model
    initializer.init_weights(model)
    saved = torch.load(first.path_provider.checkpoint_path / "model_cp=E1_U6_S12_model.th")["state_dict"]
    assert str(initializer.start_checkpoint()) == "E1_U5_S10"
    assert all(torch.equal(saved[name], tensor) for name, tensor in model.state_dict().items())
