"""Verified behaviours of the checkpoint writer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.verified.worlds import World
from torch import nn

START = {"epoch": 0, "update": 0, "sample": 0}


def files_of(run: Any) -> set[str]:
    return {file.name for file in run.path_provider.checkpoint_path.iterdir()}


def read(run: Any, name: str) -> Any:
    return torch.load(run.path_provider.checkpoint_path / name)


def initialised(world: World) -> Any:
    run = world.run()
    run.model.initialize()
    return run


@pytest.mark.parametrize(
    ("info", "name"), [(None, "m_cp=t_model.th"), ("", "m_cp=t_model.th"), ("ema=0.9", "m_ema=0.9_cp=t_model.th")]
)
def test_a_model_checkpoint_is_named_after_model_info_and_tag(world: World, info: str | None, name: str) -> None:
    """And lies in the run's folder of checkpoints."""
    run = world.run()
    run.checkpoint_writer.save_model_checkpoint("m", "t", {}, model_info=info)
    assert files_of(run) == {name}


def test_a_model_checkpoint_holds_weights_tag_progress_and_run(world: World) -> None:
    """In this order, then the extras."""
    run = world.run()
    run.update_counter.add_samples(2)
    run.update_counter.next_update()
    run.checkpoint_writer.save_model_checkpoint("m", "t", {"w": torch.ones(2)}, decay=0.9)
    content = read(run, "m_cp=t_model.th")
    assert list(content) == ["state_dict", "checkpoint_tag", "training_iteration", "run_id", "decay"]
    assert content["state_dict"]["w"].tolist() == [1, 1]
    assert content["checkpoint_tag"] == "t"
    assert content["training_iteration"] == {"epoch": 0, "update": 1, "sample": 2}
    assert content["run_id"] == run.path_provider.run_id
    assert content["decay"] == 0.9


def test_a_tag_that_is_no_text_is_written_as_text(world: World) -> None:
    """A training iteration, for one."""
    run = world.run()
    run.checkpoint_writer.save_model_checkpoint("m", world.iteration(1, 4, 8), {})
    assert read(run, "m_cp=E1_U4_S8_model.th")["checkpoint_tag"] == "E1_U4_S8"


def test_an_extra_entry_wins_over_the_writers_own(world: World) -> None:
    """Nobody guards the names."""
    run = world.run()
    run.checkpoint_writer.save_model_checkpoint("m", "t", {}, run_id="mine")
    assert read(run, "m_cp=t_model.th")["run_id"] == "mine"


def test_the_config_of_a_model_is_kept_beside_its_weights(world: World) -> None:
    """As plain data, with the name of its class."""
    run = world.run()
    run.checkpoint_writer.save_model_checkpoint("m", "t", {}, model_config=run.model.model_config)
    content = read(run, "m_cp=t_model.th")
    assert list(content)[4:] == ["model_config", "config_kind"]
    assert content["model_config"]["name"] == "model"
    config = type(run.model.model_config)
    assert content["config_kind"] == f"{config.__module__}.{config.__qualname__}"


def test_a_name_with_a_folder_that_is_missing_is_refused(world: World) -> None:
    """No folder is made for it."""
    with pytest.raises(RuntimeError):
        world.run().checkpoint_writer.save_model_checkpoint("folder/m", "t", {})


def test_a_whole_checkpoint_is_three_files(world: World) -> None:
    """Weights, optimiser and trainer."""
    run = initialised(world)
    run.checkpoint_writer.save(run.model, "t", trainer=run.trainer)
    assert files_of(run) == {"model_cp=t_model.th", "model_cp=t_optim.th", "model_cp=t_trainer.th"}


def test_the_weights_are_those_of_the_model_with_its_config(world: World) -> None:
    """Parameters and buffers by name."""
    run = initialised(world)
    run.checkpoint_writer.save(run.model, "t")
    content = read(run, "model_cp=t_model.th")
    assert list(content)[-2:] == ["model_config", "config_kind"]
    assert list(content["state_dict"]) == list(run.model.state_dict())
    assert all(torch.equal(content["state_dict"][key], value) for key, value in run.model.state_dict().items())


def test_the_optimiser_file_holds_state_groups_and_names(world: World) -> None:
    """What `state_dict` of the optimiser answers, value by value."""
    run = world.run().train()
    run.checkpoint_writer.save(run.model, "t")
    content, expected = read(run, "model_cp=t_optim.th"), run.model.optimizer.state_dict()
    assert set(content) == {"state", "param_groups", "param_idx_to_name"}
    assert content["param_groups"] == expected["param_groups"]
    assert content["param_idx_to_name"] == expected["param_idx_to_name"]
    assert content["state"].keys() == expected["state"].keys() != set()
    for index, state in expected["state"].items():
        assert torch.equal(content["state"][index]["momentum_buffer"], state["momentum_buffer"])


def test_the_trainer_file_holds_the_states_of_all_stateful_callbacks(world: World) -> None:
    """By key; a stateless one is left out, an empty state is not, and any plain value is a state."""
    stateful = world.callback(class_name="Full", state_dict=lambda self: {"n": 1})
    empty = world.callback(class_name="Empty", state_dict=lambda self: {})
    odd = world.callback(class_name="Odd", state_dict=lambda self: 7)
    run = world.run().train(stateful, empty, odd, world.callback(class_name="Stateless"))
    run.save_checkpoint("t")
    assert read(run, "model_cp=t_trainer.th") == {
        "callback_state_dicts": {"Full": {"n": 1}, "Empty": {}, "Odd": 7},
        "training_iteration": {"epoch": 2, "update": 8, "sample": 16},
        "grad_scaler": {},
    }


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, {"t_model", "t_optim", "t_trainer"}),
        ({"save_weights": False}, {"t_optim", "t_trainer"}),
        ({"save_optim": False}, {"t_model", "t_trainer"}),
        ({"save_weights": False, "save_optim": False}, set()),
        (
            {"save_latest_weights": True},
            {"t_model", "t_optim", "t_trainer", "latest_model", "latest_trainer"},
        ),
        (
            {"save_latest_optim": True, "save_optim": False},
            {"t_model", "t_trainer", "latest_optim", "latest_trainer"},
        ),
        (
            {"save_weights": False, "save_optim": False, "save_latest_weights": True, "save_latest_optim": True},
            {"latest_model", "latest_optim", "latest_trainer"},
        ),
        ({"model_names_to_save": ["model"]}, {"t_model", "t_optim", "t_trainer"}),
        ({"model_names_to_save": []}, {"t_model", "t_optim", "t_trainer"}),
        ({"model_names_to_save": ["other"]}, {"t_trainer"}),
        ({"model_names_to_save": ["other"], "save_latest_weights": True}, {"t_trainer", "latest_trainer"}),
        ({"save_frozen_weights": False}, {"t_model", "t_optim", "t_trainer"}),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else "",
)
def test_options_choose_the_files_of_a_checkpoint(world: World, options: dict[str, Any], parts: set[str]) -> None:
    """The trainer file comes with weights or optimiser, under each tag."""
    run = initialised(world)
    run.checkpoint_writer.save(run.model, "t", trainer=run.trainer, **options)
    assert files_of(run) == {f"model_cp={part}.th" for part in parts}


def test_without_a_trainer_no_trainer_file_is_written(world: World) -> None:
    """Not under the tag `latest` either."""
    run = initialised(world)
    run.checkpoint_writer.save(run.model, "t", save_latest_weights=True)
    assert files_of(run) == {"model_cp=t_model.th", "model_cp=t_optim.th", "model_cp=latest_model.th"}


def test_model_info_changes_the_name_of_the_weights_only(world: World) -> None:
    """Optimiser and trainer keep theirs."""
    run = initialised(world)
    run.checkpoint_writer.save(run.model, "t", trainer=run.trainer, model_info="best")
    assert files_of(run) == {"model_best_cp=t_model.th", "model_cp=t_optim.th", "model_cp=t_trainer.th"}


def test_a_model_without_an_optimiser_has_no_optimiser_file(world: World) -> None:
    """As while callbacks are built."""
    run = world.run()
    run.checkpoint_writer.save(run.model, "t", trainer=run.trainer)
    assert files_of(run) == {"model_cp=t_model.th", "model_cp=t_trainer.th"}


def test_states_are_asked_for_even_where_nothing_is_written(world: World) -> None:
    """Twice of each: once to compare the keys, once to collect."""
    asked = []
    run = world.run().train(world.callback(state_dict=lambda self: asked.append(1)))
    asked.clear()
    run.checkpoint_writer.save(run.model, "t", trainer=run.trainer, save_weights=False, save_optim=False)
    assert len(asked) == 2
    assert files_of(run) == set()


def test_only_models_of_the_frameworks_class_are_saved(world: World) -> None:
    """A plain module is refused."""
    with pytest.raises(NotImplementedError):
        world.run().checkpoint_writer.save(nn.Linear(1, 1), "t")


@pytest.mark.parametrize("options", [{}, {"save_latest_weights": True}])
def test_without_a_model_nothing_is_saved(world: World, options: dict[str, Any]) -> None:
    """Without a word."""
    run = world.run()
    assert run.checkpoint_writer.save(None, "t", **options) is None
    assert files_of(run) == set()


def test_a_trainer_without_a_model_is_refused(world: World) -> None:
    """Its file would be named after the model."""
    run = world.run()
    with pytest.raises(AttributeError):
        run.checkpoint_writer.save(None, "t", trainer=run.trainer)
    assert files_of(run) == set()


def test_what_cannot_be_loaded_safely_is_written_without_complaint(world: World) -> None:
    """Only who resumes will learn of it."""
    run = world.run()
    run.checkpoint_writer.save_model_checkpoint("m", "t", {}, where=run.path_provider.output_root)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        read(run, "m_cp=t_model.th")
