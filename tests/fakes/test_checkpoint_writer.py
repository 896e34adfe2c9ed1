"""Promises of the checkpoint writer."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.utils.training import TrainingIteration
from noether_testkit.fakes import FakeModel, FakeRun
from noether_testkit.fakes.natives import Natives

STATES = {"callback_state_dicts": {"A": {"n": 1}}, "training_iteration": {"epoch": 2, "update": 8, "sample": 16}}


class Config(BaseModel):
    width: int = 3


@pytest.fixture
def run() -> FakeRun:
    """A finished run with a stateful callback."""
    return FakeRun().train(recorder(Diary(), acts={"state_dict": lambda _: {"n": 1}}))


def files(run: FakeRun) -> list[str]:
    return sorted(path.name for path in run.path_provider.checkpoint_path.iterdir())


def read(run: FakeRun, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run.path_provider.checkpoint_path / name)
    return content


def test_a_checkpoint_is_three_files(run: FakeRun) -> None:
    """Weights, optimiser and trainer, named by model and tag."""
    run.checkpoint_writer.save(run.model, TrainingIteration(2, 8, 16), trainer=run.trainer)
    assert files(run) == [f"model_cp=E2_U8_S16_{part}.th" for part in ("model", "optim", "trainer")]


def test_the_weights_file_holds_weights_progress_run_and_config(run: FakeRun) -> None:
    """In the framework's order, and read back at torch's defaults."""
    run.checkpoint_writer.save(run.model, "tag")
    content = read(run, "model_cp=tag_model.th")
    assert list(content) == [
        "state_dict",
        "checkpoint_tag",
        "training_iteration",
        "run_id",
        "model_config",
        "config_kind",
    ]
    assert content["checkpoint_tag"] == "tag"
    assert content["training_iteration"] == STATES["training_iteration"]
    assert content["run_id"] == "run"
    assert content["model_config"]["name"] == "model"
    for name, weights in run.model.state_dict().items():
        assert torch.equal(content["state_dict"][name], weights)


def test_the_optimiser_file_names_its_parameters(run: FakeRun) -> None:
    """State and groups are torch's; the names go by the index in the groups."""
    run.checkpoint_writer.save(run.model, "tag")
    content = read(run, "model_cp=tag_optim.th")
    assert content.keys() == {"state", "param_groups", "param_idx_to_name"}
    indices = [index for group in content["param_groups"] for index in group["params"]]
    assert list(content["param_idx_to_name"]) == indices


def test_the_trainer_file_holds_the_states_by_key(run: FakeRun) -> None:
    """Beside them the progress, and the scaler's empty state."""
    run.checkpoint_writer.save(run.model, "tag", trainer=run.trainer)
    assert read(run, "model_cp=tag_trainer.th") == {**STATES, "grad_scaler": {}}


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({"save_weights": False}, ["tag_optim", "tag_trainer"]),
        ({"save_optim": False}, ["tag_model", "tag_trainer"]),
        ({"save_weights": False, "save_optim": False}, []),
        (
            {"save_weights": False, "save_optim": False, "save_latest_weights": True},
            ["latest_model", "latest_trainer"],
        ),
        (
            {"save_optim": False, "save_latest_optim": True},
            ["latest_optim", "latest_trainer", "tag_model", "tag_trainer"],
        ),
        ({"model_names_to_save": ["other"]}, ["tag_trainer"]),
        ({"model_names_to_save": []}, ["tag_model", "tag_optim", "tag_trainer"]),
        ({"trainer": None}, ["tag_model", "tag_optim"]),
    ],
)
def test_options_choose_what_is_written(run: FakeRun, options: dict[str, Any], written: list[str]) -> None:
    """The trainer's part goes with weights or optimiser, for either tag."""
    run.checkpoint_writer.save(run.model, "tag", **{"trainer": run.trainer, **options})
    assert files(run) == [f"model_cp={part}.th" for part in written]


def test_states_are_asked_for_even_if_nothing_is_written(run: FakeRun) -> None:
    """A state that fails does so whatever is chosen."""
    asked: list[int] = []
    run.trainer.callbacks[0].state_dict = lambda: asked.append(1)
    run.checkpoint_writer.save(run.model, "tag", trainer=run.trainer, save_weights=False, save_optim=False)
    assert asked == [1, 1]


def test_the_info_goes_into_the_name_of_the_weights_file_only(run: FakeRun) -> None:
    """Optimiser and trainer keep their names."""
    run.checkpoint_writer.save(run.model, "tag", trainer=run.trainer, model_info="ema")
    assert files(run) == ["model_cp=tag_optim.th", "model_cp=tag_trainer.th", "model_ema_cp=tag_model.th"]


def test_frozen_weights_can_be_left_out() -> None:
    """A frozen model has no optimiser to save, either."""
    run = FakeRun(natives=Natives(make_model=partial(FakeModel, is_frozen=True)))
    run.checkpoint_writer.save(run.model, "all")
    run.checkpoint_writer.save(run.model, "none", save_frozen_weights=False)
    assert files(run) == ["model_cp=all_model.th"]


def test_only_models_of_the_framework_are_saved(run: FakeRun) -> None:
    """No model is nothing to save; any other module is refused."""
    run.checkpoint_writer.save(None, "tag")
    assert files(run) == []
    with pytest.raises(NotImplementedError, match="Linear"):
        run.checkpoint_writer.save(torch.nn.Linear(1, 1), "tag")


def test_free_weights_are_written_with_extras_and_config(run: FakeRun) -> None:
    """An extra wins over what the writer adds itself; the config is kept as plain values with its class."""
    run.checkpoint_writer.save_model_checkpoint("m", "tag", {}, Config(), "ema=0.9", run_id="mine", decay=0.9)
    content = read(run, "m_ema=0.9_cp=tag_model.th")
    assert (content["run_id"], content["decay"]) == ("mine", 0.9)
    assert content["model_config"] == {"width": 3}
    assert content["config_kind"] == f"{__name__}.Config"


def test_a_folder_in_the_name_must_exist(run: FakeRun) -> None:
    """Only the checkpoint folder itself is made."""
    with pytest.raises(RuntimeError):
        run.checkpoint_writer.save_model_checkpoint("folder/m", "tag", {})


def test_a_state_that_cannot_be_pickled_leaves_a_broken_trainer_file(run: FakeRun) -> None:
    """Weights and optimiser are complete, as the trainer's part comes last."""
    run.trainer.callbacks[0].state_dict = lambda: {"n": lambda: 1}
    with pytest.raises(Exception, match="pickle"):
        run.checkpoint_writer.save(run.model, "tag", trainer=run.trainer)
    assert read(run, "model_cp=tag_model.th")["run_id"] == "run"
    with pytest.raises(Exception):  # noqa: B017, PT011 - torch has its own words for it
        read(run, "model_cp=tag_trainer.th")


def test_a_constructor_can_save(run: FakeRun) -> None:
    """Before the model is prepared there is no optimiser, and no callback to ask."""
    fresh = FakeRun()
    fresh.save_checkpoint("early")
    assert files(fresh) == ["model_cp=early_model.th", "model_cp=early_trainer.th"]
    assert read(fresh, "model_cp=early_trainer.th")["callback_state_dicts"] == {}


def test_without_a_model_there_is_no_name_for_the_trainer_file(run: FakeRun) -> None:
    """Alone, no model is saved as nothing; with a trainer it is refused, as in the framework."""
    run.checkpoint_writer.save(None, "tag")
    with pytest.raises(AttributeError, match="no name for the trainer file"):
        run.checkpoint_writer.save(None, "tag", trainer=run.trainer)
    assert not list(run.path_provider.checkpoint_path.iterdir())
