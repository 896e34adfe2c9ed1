"""Promises of an evaluation run."""

from __future__ import annotations

from functools import partial

import pytest
from tests.fakes.recorder import Diary, logging_as, raising, recorder

from noether_testkit.core.callbacks import CallbackBase, EarlyStopIteration, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import PeriodicDataIteratorCallbackConfig
from noether_testkit.fakes import FakeModel, FakeRun
from noether_testkit.fakes.natives import Natives


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_only_periodic_callbacks_are_called_and_only_at_eval(diary: Diary) -> None:
    """No start hook, no end hook, no question for states, and the interval does not count."""
    with FakeRun() as run:
        run.evaluate(recorder(diary, "B", CallbackBase), recorder(diary, every_n_epochs=7))
    assert diary.calls(but=()) == ["A.at_eval", "A.periodic_callback"]
    assert diary.of("periodic_callback")[0].arguments["interval_type"] == "eval"


def test_recording_is_on_in_at_eval_and_off_in_the_periodic_callback(diary: Diary) -> None:
    """Only the base class's own hook switches recording off; the model is in eval mode."""
    with FakeRun() as run:
        run.evaluate(recorder(diary))
    assert [note.is_recording for note in diary] == [True, False]
    assert not any(note.is_training for note in diary)


def test_at_eval_gets_the_counter_by_position(diary: Diary) -> None:
    """It is the only hook with an argument by position; data iterators get theirs by keyword."""
    with FakeRun() as run:
        run.evaluate(recorder(diary, "I", PeriodicDataIteratorCallback, every_n_epochs=1, dataset_key="test"))
    note = diary.of("at_eval")[0]
    assert note.positional == (run.update_counter,)
    assert list(note.arguments) == ["trainer_model", "data_iter", "batch_size"]


def test_all_values_share_one_entry_at_the_start(diary: Diary) -> None:
    """The log gets one entry, of the counter as it stood at the start."""
    with FakeRun() as run:
        run.evaluate(
            recorder(diary, "A", acts={"at_eval": logging_as("a")}),
            recorder(diary, "B", acts={"at_eval": logging_as("b")}),
        )
    assert run.log_writer.log_entries == [{"epoch": 0, "update": 0, "sample": 0, "a": 0, "b": 0}]


@pytest.mark.parametrize("error", [ValueError, EarlyStopIteration])
def test_an_error_escapes_at_once(diary: Diary, error: type[Exception]) -> None:
    """The next callback has no turn, and no checkpoint is saved."""
    with FakeRun() as run:
        with pytest.raises(error):
            run.evaluate(recorder(diary, "A", acts={"at_eval": raising(error())}), recorder(diary, "Z"))
        assert list(run.path_provider.checkpoint_path.iterdir()) == []
    assert diary.calls() == ["A.at_eval"]


def test_callbacks_share_the_data_of_the_whole_evaluation() -> None:
    """Who takes a batch too many takes it from the next callback, which then runs dry."""

    class Greedy(PeriodicDataIteratorCallback):
        def process_data(self, batch: object, **_: object) -> None:
            return None

        def periodic_callback(self, *, data_iter: object, **rest: object) -> None:
            super().periodic_callback(data_iter=data_iter, **rest)
            next(data_iter)

    schema = PeriodicDataIteratorCallbackConfig(every_n_epochs=1, dataset_key="test")
    with FakeRun() as run, pytest.raises(StopIteration):
        run.evaluate(*[lambda **collaborators: Greedy(schema, **collaborators)] * 2)


def test_a_frozen_model_is_evaluated_without_an_optimiser(diary: Diary) -> None:
    """There is nothing to optimise, and nothing that needs it."""
    with FakeRun(natives=Natives(make_model=partial(FakeModel, is_frozen=True))) as run:
        run.evaluate(recorder(diary))
    assert run.model.optimizer is None
    assert diary.calls() == ["A.at_eval", "A.periodic_callback"]
