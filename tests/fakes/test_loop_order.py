"""Promises of the training loop about order and circumstances of the hooks."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.callbacks import CallbackBase, PeriodicDataIteratorCallback
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan

TRACKING = ("track_after_accumulation_step", "track_after_update_step")
UPDATE = [*(f"A.{hook}" for hook in TRACKING), "A.after_update"]


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_two_epochs_call_every_hook_in_the_framework_s_order(diary: Diary) -> None:
    """The whole trace of a run of two epochs of two updates, due at every second update."""
    with FakeRun(TrainingPlan(dataset_size=4)) as run:
        run.train(recorder(diary, every_n_updates=2))
    epoch = [*UPDATE, *UPDATE, "A.periodic_callback", "A.after_epoch"]
    assert diary.calls() == ["A.before_training", *epoch, *epoch, "A.after_training"]


def test_each_hook_goes_round_all_callbacks_before_the_next_hook(diary: Diary) -> None:
    """Callbacks take their turn in the order of the list, and what is due happens within the own turn."""
    with FakeRun(TrainingPlan(epochs=1, dataset_size=2)) as run:
        run.train(recorder(diary, "A"), recorder(diary, "B"))
    assert diary.calls() == [
        "A.before_training",
        "B.before_training",
        "A.track_after_accumulation_step",
        "B.track_after_accumulation_step",
        "A.track_after_update_step",
        "B.track_after_update_step",
        "A.after_update",
        "A.periodic_callback",
        "B.after_update",
        "B.periodic_callback",
        "A.after_epoch",
        "B.after_epoch",
        "A.after_training",
        "B.after_training",
    ]


def test_a_plain_callback_gets_start_and_end_only(diary: Diary) -> None:
    """Update hooks are for callbacks that derive from `PeriodicCallback`."""
    with FakeRun() as run:
        run.train(recorder(diary, base=CallbackBase))
    assert diary.calls() == ["A.before_training", "A.after_training"]


def test_an_epoch_that_is_cut_short_has_no_epoch_round(diary: Diary) -> None:
    """Six updates at four an epoch end within the second epoch."""
    with FakeRun(TrainingPlan(updates=6)) as run:
        run.train(recorder(diary))
    assert diary.points("after_epoch") == ["E1_U4_S8"]
    assert diary.points("after_training") == ["E1_U6_S12"]


def test_samples_are_cut_down_to_whole_updates(diary: Diary) -> None:
    """Seven samples at two an update are three updates."""
    with FakeRun(TrainingPlan(samples=7)) as run:
        run.train(recorder(diary))
    assert diary.points("after_training") == ["E0_U3_S6"]


def test_less_than_a_batch_of_samples_still_is_one_update(diary: Diary) -> None:
    """The end is looked at after an update only."""
    with FakeRun(TrainingPlan(samples=1)) as run:
        run.train(recorder(diary))
    assert diary.points("after_update") == ["E0_U1_S2"]


@pytest.mark.parametrize("length", ["epochs", "updates"])
def test_a_run_without_updates_goes_from_start_to_end(diary: Diary, length: str) -> None:
    """A length of nothing calls the end hooks right after the start hooks."""
    with FakeRun(TrainingPlan(**{length: 0})) as run:
        run.train(recorder(diary))
    assert diary.calls() == ["A.before_training", "A.after_training"]


def test_the_counter_moves_between_the_two_tracking_hooks(diary: Diary) -> None:
    """After an accumulation step the counter shows the update before, after the update this one."""
    with FakeRun(TrainingPlan(epochs=1, dataset_size=4)) as run:
        run.train(recorder(diary, every_n_epochs=1))
    assert diary.points("track_after_accumulation_step") == ["E0_U0_S0", "E0_U1_S2"]
    for hook in ("track_after_update_step", "after_update"):
        assert diary.points(hook) == ["E0_U1_S2", "E1_U2_S4"]
    assert diary.points("periodic_callback") == ["E1_U2_S4"]


def test_the_counter_is_one_object_for_the_whole_run(diary: Diary) -> None:
    """Whoever keeps the counter sees it move on."""
    with FakeRun() as run:
        run.train(recorder(diary))
    counters = {id(note.arguments["update_counter"]) for note in diary if "update_counter" in note.arguments}
    assert counters == {id(run.update_counter)}


def test_hooks_record_no_gradients(diary: Diary) -> None:
    """Recording is off in all hooks of a training run, and on again behind it."""
    with FakeRun() as run:
        run.train(
            recorder(diary), recorder(diary, "I", PeriodicDataIteratorCallback, every_n_epochs=1, dataset_key="test")
        )
    assert {note.hook for note in diary if note.is_recording} == {"state_dict"}


def test_overrides_without_the_base_class_record_no_gradients_either() -> None:
    """It is the trainer that switches recording off, not the base class."""
    seen: list[bool] = []

    class Overrides(CallbackBase):
        def before_training(self, **_: object) -> None:
            seen.append(torch.is_grad_enabled())

    with FakeRun() as run:
        run.train(Overrides)
    assert seen == [False]


def test_only_the_accumulation_step_sees_the_model_in_train_mode(diary: Diary) -> None:
    """In all other hooks of a run the model is in eval mode."""
    with FakeRun() as run:
        run.train(recorder(diary))
    modes = {note.hook: note.is_training for note in diary}
    assert modes.pop("state_dict")
    assert [hook for hook, is_training in modes.items() if is_training] == ["track_after_accumulation_step"]
    assert not run.model.training


def test_gradients_are_seen_between_accumulation_steps_only(diary: Diary) -> None:
    """After the last step of an update the gradients are cleared already."""
    with FakeRun(TrainingPlan(epochs=1, batch_size=4, accumulation_steps=2)) as run:
        run.train(recorder(diary))
    steps = diary.of("track_after_accumulation_step")
    assert [note.has_gradients for note in steps] == [True, False, True, False]
    assert not any(note.has_gradients for note in diary if note.hook != "track_after_accumulation_step")


def test_accumulation_steps_are_counted_through_the_epoch(diary: Diary) -> None:
    """The count goes on over updates and starts again with each epoch; the counter waits for the last step."""
    with FakeRun(TrainingPlan(epochs=2, batch_size=4, accumulation_steps=2)) as run:
        run.train(recorder(diary))
    steps = diary.of("track_after_accumulation_step")
    assert [note.arguments["accumulation_step"] for note in steps] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert {note.arguments["accumulation_steps"] for note in steps} == {2}
    assert [note.point for note in steps[:4]] == ["E0_U0_S0", "E0_U0_S0", "E0_U1_S4", "E0_U1_S4"]
    assert len(diary.of("track_after_update_step")) == 4


def test_losses_are_detached_scalars_with_the_total_first(diary: Diary) -> None:
    """Losses carry no graph, and all callbacks get the same objects."""
    with FakeRun(TrainingPlan(updates=1)) as run:
        run.train(recorder(diary, "A"), recorder(diary, "B"))
    first, second = diary.of("track_after_accumulation_step")
    losses = first.arguments["losses"]
    assert list(losses) == ["total", "mse"]
    assert not any(loss.requires_grad or loss.ndim for loss in losses.values())
    assert second.arguments["losses"] is losses
    assert second.arguments["batch"] is first.arguments["batch"]
    assert first.arguments["update_outputs"] is None


def test_times_are_one_mapping_for_each_epoch(diary: Diary) -> None:
    """The mapping of seconds is used again at each update, and is a new one in the next epoch."""
    with FakeRun() as run:
        run.train(recorder(diary))
    times = [note.arguments["times"] for note in diary.of("track_after_update_step")]
    assert [id(each) for each in times] == [id(times[0])] * 4 + [id(times[4])] * 4
    assert times[0] is not times[4]
    assert isinstance(times[0], defaultdict)
    assert list(times[0]) == ["data_wait", "collate", "getitem", "forward", "update", "backward"]


def test_iterator_callbacks_get_model_data_and_batch_size_by_keyword(diary: Diary) -> None:
    """All callbacks of a round share one iterator; the batch size is that of an accumulation step."""
    iterator = {"base": PeriodicDataIteratorCallback, "dataset_key": "test", "every_n_epochs": 1}
    with FakeRun(TrainingPlan(epochs=1, batch_size=4, accumulation_steps=2)) as run:
        run.train(recorder(diary, "A", **iterator), recorder(diary, "B", **iterator), recorder(diary, "C"))
    first, second, plain = diary.of("after_epoch")
    assert list(first.arguments) == ["update_counter", "trainer_model", "data_iter", "batch_size"]
    assert first.arguments["trainer_model"] is run.model
    assert first.arguments["batch_size"] == 2
    assert first.arguments["data_iter"] is second.arguments["data_iter"]
    assert list(plain.arguments) == ["update_counter"]
