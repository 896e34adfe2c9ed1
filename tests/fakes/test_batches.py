"""Promises of the one iterator that all batches come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.fakes.recorder import Diary, recorder

from noether_testkit.core.callbacks import PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.fakes import FakeRun
from noether_testkit.fakes.batches import drop_metadata
from noether_testkit.plan import TrainingPlan


class Collects(PeriodicDataIteratorCallback):
    """Keeps the indices of each batch; takes some more or fewer than it should."""

    extra = 0
    takes_all = True

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **collaborators: Any) -> None:
        super().__init__(callback_config, **collaborators)
        self.batches: list[list[int]] = []

    def process_data(self, batch: dict[str, torch.Tensor], **_: Any) -> None:
        self.batches.append(batch["index"].tolist())
        assert list(batch) == ["index", "x", "y"]

    def periodic_callback(self, *, data_iter: Any, **rest: Any) -> None:
        if self.takes_all:
            super().periodic_callback(data_iter=data_iter, **rest)
        for _ in range(self.extra):
            next(data_iter)


def collects(key: str = "test", *, cls: type = Collects, **config: Any) -> Any:
    schema = PeriodicDataIteratorCallbackConfig(dataset_key=key, **config)
    return lambda **collaborators: cls(schema, **collaborators)


def trained_on(diary: Diary) -> list[list[int]]:
    return [note.arguments["batch"]["index"].tolist() for note in diary.of("track_after_accumulation_step")]


def test_training_batches_go_through_the_data_in_order() -> None:
    """Each epoch anew, and a ragged last batch is dropped."""
    diary = Diary()
    FakeRun(TrainingPlan(epochs=2, dataset_size=5)).train(recorder(diary))
    assert trained_on(diary) == [[0, 1], [2, 3], [0, 1], [2, 3]]


def test_a_batch_holds_index_inputs_and_targets() -> None:
    """In the order of the framework's, as collating the samples would give."""
    diary = Diary()
    run = FakeRun()
    run.train(recorder(diary))
    batch = diary.of("track_after_accumulation_step")[1].arguments["batch"]
    dataset = run.data_container.datasets["train"]
    collated = dataset.pipeline([dataset[2], dataset[3]])
    assert list(batch) == ["index", "x", "y"]
    for name, tensor in collated.items():
        assert torch.equal(batch[name], tensor)
        assert batch[name].dtype == tensor.dtype


def test_a_batch_that_is_changed_leaves_the_data_alone() -> None:
    """The next epoch starts from the same samples."""
    run = FakeRun(TrainingPlan(epochs=1))
    before = run.data_container.datasets["train"].tensors["x"].clone()

    class Spoils(PeriodicCallback):
        def track_after_accumulation_step(self, *, batch: dict[str, torch.Tensor], **_: Any) -> None:
            batch["x"].zero_()

    run.train(lambda **collaborators: Spoils(CallBackBaseConfig(every_n_updates=1), **collaborators))
    assert torch.equal(run.data_container.datasets["train"].tensors["x"], before)


def test_a_pipeline_of_one_s_own_makes_the_batches() -> None:
    """Whatever the data set's pipeline is, training uses it."""
    run = FakeRun(TrainingPlan(updates=1))
    dataset = run.data_container.datasets["train"]
    original = dataset.pipeline
    dataset.pipeline = lambda samples: {**original(samples), "mask": torch.ones(len(samples))}
    diary = Diary()
    run.train(recorder(diary))
    assert "mask" in diary.of("track_after_accumulation_step")[0].arguments["batch"]


def test_a_faulty_sample_fails_the_update_that_reads_it() -> None:
    """The data set's fault sees the indices of training batches, too."""

    def fault(index: int) -> None:
        if index == 5:
            raise OSError("broken sample")

    run = FakeRun()
    run.data_container.datasets["train"].fault = fault
    with pytest.raises(OSError, match="broken sample"):
        run.train()
    assert run.update_counter.update == 2


@pytest.mark.parametrize(("batch_size", "batches"), [(None, [2, 2, 1]), (3, [3, 2]), (10, [5])])
def test_a_whole_data_set_comes_in_order_with_a_ragged_end(batch_size: int | None, batches: list[int]) -> None:
    """The config's batch size wins over the trainer's."""
    run = FakeRun(TrainingPlan(epochs=1))
    run.train(collects(every_n_epochs=1, batch_size=batch_size))
    seen = run.trainer.callbacks[0].batches
    assert [len(batch) for batch in seen] == batches
    assert sum(seen, []) == [0, 1, 2, 3, 4]  # noqa: RUF017 - five numbers


def test_batches_come_in_accumulation_steps_sizes() -> None:
    """Where updates are split, callbacks get the split size."""
    run = FakeRun(TrainingPlan(epochs=1, batch_size=4, accumulation_steps=4))
    run.train(collects(every_n_epochs=1))
    assert run.trainer.callbacks[0].batches == [[0], [1], [2], [3], [4]]


def test_each_callback_gets_its_own_data_whatever_its_interval() -> None:
    """Update and sample intervals are served in their round, epoch intervals in theirs, training goes on unharmed."""
    diary = Diary()
    run = FakeRun()
    run.train(
        collects("train", every_n_epochs=1),
        collects(every_n_updates=2),
        collects(every_n_samples=6, batch_size=5),
        collects(every_n_epochs=2, batch_size=4),
        recorder(diary),
    )
    epochs, updates, samples, second = (callback.batches for callback in run.trainer.callbacks[:4])
    assert epochs == [[0, 1], [2, 3], [4, 5], [6, 7]] * 2
    assert updates == [[0, 1], [2, 3], [4]] * 4
    assert samples == [[0, 1, 2, 3, 4]] * 2
    assert second == [[0, 1, 2, 3], [4]]
    assert trained_on(diary) == [[0, 1], [2, 3], [4, 5], [6, 7]] * 2


def test_a_batch_too_many_shifts_everybody_after() -> None:
    """The next training batch is gone, in silence, until the end is reached too early."""

    class Greedy(Collects):
        extra = 1

    diary = Diary()
    with pytest.raises(StopIteration):
        FakeRun().train(collects(cls=Greedy, every_n_updates=2), recorder(diary))
    assert trained_on(diary)[:4] == [[0, 1], [2, 3], [6, 7], [0, 1]]


def test_no_batch_at_all_gives_the_own_data_to_training() -> None:
    """Who does not fetch what was scheduled feeds it to the next update, and no error tells."""

    class Idle(Collects):
        takes_all = False

    diary = Diary()
    FakeRun().train(collects(cls=Idle, every_n_updates=2), recorder(diary))
    assert trained_on(diary)[:6] == [[0, 1], [2, 3], [0, 1], [2, 3], [4], [4, 5]]


def test_batches_end_with_the_run() -> None:
    """Behind the last callback of the last update there is nothing to take."""

    class Greedy(Collects):
        extra = 1

    diary = Diary()
    with pytest.raises(StopIteration):
        FakeRun(TrainingPlan(epochs=1)).train(collects(cls=Greedy, every_n_epochs=1), recorder(diary))
    assert diary.points("after_epoch") == ["E1_U4_S8"]


def test_children_of_a_composite_are_served_through_their_parent() -> None:
    """A parent with an iterator among its descendants gets the data, and hands it on."""

    class Composite(PeriodicCallback):
        def __init__(self, callback_config: CallBackBaseConfig, **collaborators: Any) -> None:
            super().__init__(callback_config, **collaborators)
            self.child = collects(every_n_updates=3)(**collaborators)

        def get_children(self) -> list[Any]:
            return [self.child]

        def after_update(self, update_counter: Any, **data: Any) -> None:
            self.child.after_update(update_counter=update_counter, **data)

    run = FakeRun(TrainingPlan(updates=6))
    run.train(lambda **collaborators: Composite(CallBackBaseConfig(every_n_updates=1), **collaborators))
    assert run.trainer.callbacks[0].child.batches == [[0, 1], [2, 3], [4]] * 2


def test_metadata_never_reaches_a_callback() -> None:
    """Entries that begin with `__meta` are dropped from every batch."""
    assert drop_metadata({"x": 1, "__meta_time_getitem": 2, "meta": 3}) == {"x": 1, "meta": 3}
