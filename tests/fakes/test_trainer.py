"""Promises of the trainer as callbacks see it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.errors import FakeError
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


def test_collaborators_are_one_object_each(run: FakeRun) -> None:
    """What a callback is given is what the trainer has, and writers and model share the counter."""
    run.train(recorder(Diary()))
    trainer, callback = run.trainer, run.trainer.callbacks[0]
    assert callback.trainer is trainer
    for name in ("data_container", "tracker", "checkpoint_writer", "metric_property_provider"):
        assert getattr(callback, name) is getattr(trainer, name)
    assert callback.writer is trainer.log_writer
    for owner in (trainer.log_writer, trainer.checkpoint_writer, run.model, run.model.optimizer):
        assert owner.update_counter is trainer.update_counter


def test_no_callback_is_listed_until_all_are_built_and_their_keys_checked(run: FakeRun) -> None:
    """Neither a constructor nor the first question for a state sees other callbacks."""
    seen: list[int] = []

    class Looks(CallbackBase):
        def __init__(self, **collaborators: Any) -> None:
            super().__init__(**collaborators)
            seen.append(len(self.trainer.callbacks))

        def state_dict(self) -> None:
            seen.append(len(self.trainer.callbacks))

        def before_training(self, **_: Any) -> None:
            seen.append(len(self.trainer.callbacks))

    run.train(Looks, Looks)
    assert seen == [0, 0, 0, 0, 2, 2]


def test_ready_callbacks_are_taken_as_they_are(run: FakeRun) -> None:
    """Beside factories a run takes callbacks that were built with its collaborators."""
    callback = CallbackBase(**run.callback_kwargs)
    run.train(callback)
    assert run.trainer.callbacks == [callback]


def test_two_stateful_callbacks_of_one_key_are_refused_before_the_run(run: FakeRun) -> None:
    """Each of the two is named, and the way out."""
    diary = Diary()
    twin = recorder(diary, acts={"state_dict": lambda _: {}})
    with pytest.raises(ValueError, match=r"A\(every_n_updates=1\) and A\(every_n_updates=1\).*'id'"):
        run.train(twin, twin)
    assert diary.calls() == []
    assert not run.model.is_initialized


@pytest.mark.parametrize("kind", ["stateless", "evaluation"])
def test_one_key_for_two_is_no_trouble_without_states_and_in_evaluation(run: FakeRun, kind: str) -> None:
    """Only states that would be stored under one key clash."""
    acts = {} if kind == "stateless" else {"state_dict": lambda _: {}}
    twin = recorder(Diary(), acts=acts)
    (run.train if kind == "stateless" else run.evaluate)(twin, twin)


def test_a_callback_that_becomes_stateful_in_the_run_clashes_at_the_save(run: FakeRun) -> None:
    """Keys are looked at again at each save."""
    acts = {"state_dict": lambda callback: {} if callback.trainer.update_counter.update else None}
    twin = recorder(Diary(), acts=acts)
    run.train(twin, twin)
    with pytest.raises(ValueError, match="would both store"):
        run.save_checkpoint()


def test_the_state_holds_callbacks_by_key_progress_and_scaler(run: FakeRun) -> None:
    """Stateless callbacks are left out, an empty state is kept."""
    run.train(recorder(Diary(), "A", acts={"state_dict": lambda _: {}}), recorder(Diary(), "N"))
    assert run.trainer.state_dict() == {
        "callback_state_dicts": {"A": {}},
        "training_iteration": {"epoch": 2, "update": 8, "sample": 16},
        "grad_scaler": {},
    }


def test_loading_a_state_leaves_the_counter(run: FakeRun) -> None:
    """The progress of a checkpoint is for a run that starts from it."""
    run.trainer.load_state_dict({"callback_state_dicts": {}, "training_iteration": {"epoch": 1}})
    assert str(run.update_counter.cur_iteration) == "E0_U0_S0"
    with pytest.raises(KeyError, match="callback_state_dicts"):
        run.trainer.load_state_dict({})


@pytest.mark.parametrize(
    ("length", "updates", "end"),
    [({}, 8, "Epoch: 2"), ({"updates": 6}, 6, "Update: 6"), ({"samples": 7}, 3, "Sample: 7")],
)
def test_the_end_is_as_configured_and_in_updates(length: dict[str, int], updates: int, end: str) -> None:
    """The configured end keeps its unit; the total is in whole updates."""
    trainer = FakeRun(TrainingPlan(**length)).trainer
    assert (trainer.total_training_updates, str(trainer.end_checkpoint)) == (updates, end)
    assert trainer.updates_per_epoch == 4
    assert trainer.config.effective_batch_size == 2


def test_a_training_step_gives_total_losses_and_outputs(run: FakeRun) -> None:
    """Under the trainer's hooks nothing is recorded; the total is none of the named losses."""
    batch = {"x": torch.ones(2, 4), "y": torch.ones(2, 1), "index": torch.arange(2)}
    with torch.no_grad():
        result = run.trainer.train_step(batch, run.model)
    assert list(result.losses_to_log) == ["mse"]
    assert torch.equal(result.total_loss, result.losses_to_log["mse"])
    assert not result.total_loss.requires_grad
    assert result.additional_outputs is None


@pytest.mark.parametrize(("missing", "error"), [("x", TypeError), ("y", KeyError)])
def test_a_training_step_fails_on_an_incomplete_batch(run: FakeRun, missing: str, error: type[Exception]) -> None:
    """A missing input fails in the model, a missing target in the trainer."""
    batch = {"x": torch.ones(2, 4), "y": torch.ones(2, 1)}
    del batch[missing]
    with pytest.raises(error):
        run.trainer.train_step(batch, run.model)


def test_outputs_of_the_loss_reach_the_callbacks_with_their_graph() -> None:
    """A loss may hand out a pair; its second part is `update_outputs`, the very object."""
    handed_out: list[dict[str, torch.Tensor]] = []

    def loss(outputs: Any, targets: Any) -> Any:
        handed_out.append({"pred": outputs["y"]})
        return torch.nn.functional.mse_loss(outputs["y"], targets["y"]), handed_out[-1]

    diary = Diary()
    FakeRun(TrainingPlan(updates=1), loss=loss).train(recorder(diary))
    arguments = diary.of("track_after_accumulation_step")[0].arguments
    assert arguments["update_outputs"] is handed_out[0]
    assert arguments["update_outputs"]["pred"].requires_grad
    assert list(arguments["losses"]) == ["total", "loss"]


def test_the_trainer_has_no_model(run: FakeRun) -> None:
    """A callback has its own reference; the message names what the trainer does have."""
    with pytest.raises(AttributeError, match="BaseTrainer has no attribute 'model'"):
        run.trainer.model  # noqa: B018


def test_what_only_the_framework_s_trainer_has_is_told_apart(run: FakeRun) -> None:
    """Even a look whether it is there gets no wrong answer."""
    with pytest.raises(FakeError, match="BaseTrainer has 'wrap_model', but FakeTrainer does without it"):
        hasattr(run.trainer, "wrap_model")


def test_metadata_is_dropped_from_a_batch(run: FakeRun) -> None:
    """Entries whose names start with `__meta` never reach a model."""
    assert run.trainer.drop_metadata({"x": 1, "__meta_time": 2}) == {"x": 1}
