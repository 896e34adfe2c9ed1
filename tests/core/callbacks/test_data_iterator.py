"""Promises of callbacks that run over a whole data set."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

from noether_testkit.core.callbacks import PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import PeriodicDataIteratorCallbackConfig
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan


class Predicts(PeriodicDataIteratorCallback):
    """Keeps the joined predictions and how it was called."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **rest: Any) -> None:
        super().__init__(callback_config, **rest)
        self.results: list[Any] = []
        self.models: list[Any] = []

    def process_data(self, batch: Any, *, trainer_model: torch.nn.Module) -> Any:
        self.models.append(trainer_model)
        return trainer_model(x=batch["x"])["y"]

    def process_results(self, results: Any, *, interval_type: Any, update_counter: Any, **_: Any) -> None:
        self.results.append((interval_type, update_counter.update, results))


def predicts(run: FakeRun, cls: type = Predicts, **config: Any) -> Any:
    schema = PeriodicDataIteratorCallbackConfig(**{"dataset_key": "test", "every_n_epochs": 1, **config})
    return cls(schema, **run.callback_kwargs)


@pytest.fixture
def run() -> FakeRun:
    return FakeRun(TrainingPlan(epochs=1))


def test_process_data_must_be_written() -> None:
    """Without it there is no instance."""
    run = FakeRun()
    with pytest.raises(TypeError, match="process_data"):
        predicts(run, PeriodicDataIteratorCallback)


def test_results_of_a_whole_data_set_are_joined(run: FakeRun) -> None:
    """Five predictions out of three batches, by the model as the trainer calls it."""
    callback = predicts(run)
    run.train(callback)
    ((interval, update, results),) = callback.results
    assert (interval, update) == ("epoch", 4)
    tensors = run.data_container.datasets["test"].tensors
    torch.testing.assert_close(results, run.model(x=tensors["x"])["y"])
    assert callback.models == [run.model] * 3


def test_an_evaluation_runs_over_the_data_as_well() -> None:
    """Its interval is `eval`."""
    run = FakeRun()
    callback = predicts(run, every_n_epochs=100)
    run.evaluate(callback)
    assert [(interval, update) for interval, update, _ in callback.results] == [("eval", 0)]


def test_the_data_are_announced_to_the_trainer(run: FakeRun) -> None:
    """Sampler, pipeline, interval and batch size of the config."""
    callback = predicts(run, batch_size=3)
    announced = callback.sampler_config
    assert list(announced.sampler) == [0, 1, 2, 3, 4]
    assert announced.sampler.data_source.dataset is run.data_container.datasets["test"]
    assert announced.pipeline is run.data_container.datasets["test"].pipeline
    assert (announced.every_n_epochs, announced.every_n_updates, announced.every_n_samples) == (1, None, None)
    assert announced.batch_size == 3


def test_development_leaves_the_data_out(run: FakeRun) -> None:
    """There is no announcement then, and no look at the data set."""
    schema = PeriodicDataIteratorCallbackConfig(dataset_key="nothing", every_n_epochs=1)
    callback = Predicts(schema, **run.callback_kwargs, development=True)
    assert not hasattr(callback, "sampler_config")
    assert run.data_container.calls == []


def test_the_constructor_logs_under_the_callback_s_name(run: FakeRun, caplog: pytest.LogCaptureFixture) -> None:
    """So the text of a callback must work before its own constructor has gone on."""
    with caplog.at_level(logging.INFO):
        predicts(run)
    assert [record.name for record in caplog.records] == ["Predicts(every_n_epochs=1)"]


def test_waiting_for_data_is_summed_up_and_told_at_the_end(run: FakeRun, caplog: pytest.LogCaptureFixture) -> None:
    """A tensor of seconds, from the mean of each pass."""
    callback = predicts(run)
    assert callback.total_data_time.item() == 0.0
    with caplog.at_level(logging.INFO):
        run.train(callback)
    assert callback.total_data_time.item() > 0.0
    assert "waited" in caplog.records[-1].getMessage()


def test_an_unknown_data_set_is_refused_at_construction(run: FakeRun) -> None:
    """The run dies while callbacks are built."""
    with pytest.raises(KeyError, match="valid"):
        predicts(run, dataset_key="valid")


def test_an_empty_key_means_the_first_data_set(run: FakeRun) -> None:
    """As for the container."""
    assert len(predicts(run, dataset_key="").sampler_config.sampler) == 8


def test_an_empty_data_set_is_refused_at_construction() -> None:
    """With the type of the framework's exception, and a sentence."""
    run = FakeRun(TrainingPlan(test_size=0))
    with pytest.raises(AssertionError, match=r"empty data set \('test'\)"):
        predicts(run)


def test_batches_lie_on_the_device_of_the_trainer(run: FakeRun) -> None:
    """Tensors are moved before `process_data` sees them."""
    seen: list[torch.device] = []

    class Looks(Predicts):
        def process_data(self, batch: Any, **_: Any) -> None:
            seen.extend(tensor.device for tensor in batch.values())

    callback = predicts(run, Looks)
    run.trainer.device = torch.device("meta")
    run.evaluate(callback)
    assert {device.type for device in seen} == {"meta"}
