"""Promises of a run with all its collaborators."""

from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.fakes import FakeModel, FakeRun
from noether_testkit.fakes.natives import Natives
from noether_testkit.fakes.run import seed_everything
from noether_testkit.plan import TrainingPlan


def weights(run: FakeRun) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in run.model.state_dict().values()]


def test_a_callback_is_built_from_the_seven(tmp_path: Path) -> None:
    """The arguments fit the base class."""
    run = FakeRun(output_root=tmp_path)
    assert list(run.callback_kwargs) == [
        "trainer",
        "model",
        "data_container",
        "tracker",
        "log_writer",
        "checkpoint_writer",
        "metric_property_provider",
    ]
    assert CallbackBase(**run.callback_kwargs).writer is run.log_writer


def test_a_run_trains_the_default_problem() -> None:
    """Two epochs of four updates of two samples, and the loss falls."""
    losses: list[float] = []

    class Looks(CallbackBase):
        def before_training(self, **_: Any) -> None:
            self.look()

        def after_training(self, **_: Any) -> None:
            self.look()

        def look(self) -> None:
            tensors = self.data_container.datasets["train"].tensors
            losses.append(self.trainer.train_step(tensors, self.model).total_loss.item())

    run = FakeRun(TrainingPlan(epochs=10)).train(Looks)
    assert str(run.update_counter.cur_iteration) == "E10_U40_S80"
    assert losses[1] < losses[0]


def test_the_same_seed_trains_the_same_weights() -> None:
    """Weights, data, dropout and order are drawn from the seed of the plan; another seed is another run."""
    first, same, other = (weights(FakeRun(TrainingPlan(seed=seed)).train()) for seed in (0, 0, 1))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(first, same, strict=True))
    assert not all(torch.equal(mine, theirs) for mine, theirs in zip(first, other, strict=True))


def test_a_run_draws_the_same_whatever_was_drawn_before_it() -> None:
    """The generators are seeded when training starts, not only when the run is made."""
    run = FakeRun()
    torch.rand(3)
    assert all(
        torch.equal(mine, theirs) for mine, theirs in zip(weights(run.train()), weights(FakeRun().train()), strict=True)
    )


def test_seeding_reaches_all_three_global_generators() -> None:
    """Python, NumPy and torch."""

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), torch.rand(()).item()

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    assert first[2] == torch.rand((), generator=torch.Generator().manual_seed(3)).item()


def test_accumulation_trains_as_one_pass_does(tmp_path: Path) -> None:
    """The mean over the steps of an update is that over its batch, for a model without batch statistics."""

    class Linear(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
            return {"y": super().forward(x)}

    whole, split = (
        FakeRun(TrainingPlan(batch_size=4, accumulation_steps=steps), network=lambda: Linear(4, 1)).train()
        for steps in (1, 2)
    )
    for mine, theirs in zip(weights(whole), weights(split), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_the_temporary_folder_goes_with_the_run() -> None:
    """At the end of the `with` block, or when a forgotten run is collected."""
    with FakeRun() as run:
        root = run.path_provider.output_root
        assert root.is_dir()
    assert not root.exists()
    forgotten = FakeRun()
    root = forgotten.path_provider.output_root
    del forgotten
    gc.collect()
    assert not root.exists()


def test_a_given_folder_stays(tmp_path: Path) -> None:
    """Its files are there after the run is closed."""
    with FakeRun(output_root=tmp_path, run_id="mine") as run:
        run.save_checkpoint("tag")
    assert sorted(path.name for path in (tmp_path / "mine" / "checkpoints").iterdir()) == [
        "model_cp=tag_model.th",
        "model_cp=tag_trainer.th",
    ]


def test_saving_by_hand_records_no_gradients() -> None:
    """States are asked for as in a hook."""
    diary = Diary()
    run = FakeRun().train(recorder(diary))
    diary.clear()
    run.save_checkpoint()
    assert [note.is_recording for note in diary] == [False, False]


def test_the_fixtures_of_the_plugin_share_one_run(
    fake_run: FakeRun, callback_kwargs: dict[str, Any], fake_log_writer: Any, update_counter: Any
) -> None:
    """Seven collaborators of one run, ready for a callback."""
    assert callback_kwargs == fake_run.callback_kwargs
    assert fake_log_writer is fake_run.log_writer
    assert update_counter is fake_run.update_counter


@pytest.mark.parametrize("how", ["train", "evaluate"])
def test_a_run_answers_itself(how: str) -> None:
    """So that it can be made and trained in one line."""
    run = FakeRun(TrainingPlan(updates=1))
    assert getattr(run, how)() is run


def test_the_model_can_be_of_another_class() -> None:
    """What makes the model gets the network, the name and three collaborators, and the run trains what it made."""

    class OtherModel(FakeModel):
        pass

    with FakeRun(network=lambda: torch.nn.Linear(4, 1), natives=Natives(make_model=OtherModel)) as run:
        assert type(run.model) is OtherModel
        assert type(run.model.net) is torch.nn.Linear
        assert run.callback_kwargs["model"] is run.model
        assert run.model.name == "model"
        assert run.model.update_counter is run.update_counter
        assert (run.model.path_provider, run.model.data_container) == (run.path_provider, run.data_container)
