from __future__ import annotations

import json
import logging
import random
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from reference_callbacks.final_evaluation import FinalEvaluationCallback, FinalEvaluationCallbackConfig
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan

MSE, MAE = "final/test/y/mean_squared_error", "final/test/y/mean_absolute_error"


def evaluation(**config: Any) -> partial[FinalEvaluationCallback]:
    return partial(FinalEvaluationCallback, FinalEvaluationCallbackConfig(**config))


def errors_by_hand(run: FakeRun) -> torch.Tensor:
    """Returns prediction minus target of all test samples at once, `(samples, 1)`."""
    samples = run.data_container.datasets["test"].tensors
    with torch.no_grad():
        return run.model.eval()(x=samples["x"])["y"] - samples["y"]


def report(run: FakeRun, name: str = "final_evaluation") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.path_provider.run_output_path / f"{name}.json").read_text())
    return content


class LogsEachUpdate(PeriodicCallback):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **kwargs)

    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        self.writer.add_scalar("loss/total", float(update_counter.update))


class StopsAtUpdate3(LogsEachUpdate):
    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 3:
            raise EarlyStopIteration


@pytest.mark.parametrize("batch_size", [None, 1, 3, 5, 64])
def test_the_default_metrics_equal_those_of_the_whole_set(batch_size: int | None) -> None:
    """However the five samples fall into batches, each counts once."""
    with FakeRun() as run:
        run.train(evaluation(batch_size=batch_size))
        errors = errors_by_hand(run)
        assert run.tracker.summary.keys() == {MSE, MAE}
        assert run.tracker.summary[MSE] == pytest.approx(errors.square().mean().item(), rel=1e-5)
        assert run.tracker.summary[MAE] == pytest.approx(errors.abs().mean().item(), rel=1e-5)


def test_the_file_tells_what_was_evaluated() -> None:
    """`final_evaluation.json` has results, data set, size and progress."""
    with FakeRun() as run:
        run.train(evaluation())
        assert report(run) == {
            "dataset_key": "test",
            "samples": 5,
            "training_iteration": {"epoch": 2, "update": 8, "sample": 16},
            "is_finished": True,
            "results": run.tracker.summary,
        }


def test_a_run_that_stopped_early_is_evaluated_and_marked() -> None:
    """The file says that training was not finished."""
    with FakeRun() as run:
        run.train(StopsAtUpdate3, evaluation())
        assert report(run)["is_finished"] is False
        assert report(run)["training_iteration"]["update"] == 3


def test_the_log_has_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """All results stand in one line of the callback's logger."""
    caplog.set_level(logging.INFO)
    with FakeRun() as run:
        run.train(evaluation())
        (line,) = [record.getMessage() for record in caplog.records if record.name == "FinalEvaluationCallback"]
        assert f"{MSE} = {run.tracker.summary[MSE]}" in line
        assert f"{MAE} = {run.tracker.summary[MAE]}" in line


def test_the_series_stays_as_it_was() -> None:
    """Nothing is logged after the last update, which the final flush would not survive."""
    with FakeRun() as run:
        run.train(LogsEachUpdate, evaluation())
        assert all(entry.keys() == {"epoch", "update", "sample", "loss/total"} for entry in run.log_writer.log_entries)


def test_metrics_come_with_their_arguments_and_targets() -> None:
    """Any metric of torchmetrics serves, under any name."""
    metrics = {
        "rmse": {"metric": "MeanSquaredError", "kwargs": {"squared": False}},
        "each": {"metric": "MeanSquaredError", "kwargs": {"num_outputs": 1}, "targets": ["y"]},
    }
    with FakeRun() as run:
        run.train(evaluation(metrics=metrics))
        assert run.tracker.summary["final/test/y/rmse"] == pytest.approx(
            errors_by_hand(run).square().mean().sqrt().item(), rel=1e-5
        )
        assert run.tracker.summary.keys() == {"final/test/y/rmse", "final/test/y/each"}


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        both = self.head(x)
        return {"y": both[:, :1], "other": both[:, 1:], "wide": both}


def test_results_that_are_no_numbers_become_lists() -> None:
    """A metric of each output column is a list in the summary and in the file."""
    tensors = {"x": torch.ones(3, 4), "y": torch.zeros(3, 1), "wide": torch.zeros(3, 2)}
    metrics = {"mse": {"metric": "MeanSquaredError", "kwargs": {"num_outputs": 2}, "targets": ["wide"]}}
    with FakeRun(network=TwoOutputs, datasets=lambda: {"test": tensors}) as run:
        run.trainer.target_properties = ["y", "wide"]
        callback = evaluation(metrics=metrics)(**run.callback_kwargs)
        callback.before_training(update_counter=run.update_counter)
        callback.after_training(update_counter=run.update_counter)
        expected = functional.mse_loss(run.model(x=tensors["x"])["wide"], tensors["wide"], reduction="none").mean(0)
        assert report(run)["results"] == {"final/test/wide/mse": pytest.approx(expected.tolist())}


def test_an_output_with_another_name_is_found() -> None:
    """`outputs` says which output predicts a target."""
    with FakeRun(network=TwoOutputs) as run:
        run.train(evaluation(outputs={"y": "other"}))
        samples = run.data_container.datasets["test"].tensors
        expected = functional.mse_loss(run.model(x=samples["x"])["other"], samples["y"]).item()
        assert run.tracker.summary[MSE] == pytest.approx(expected, rel=1e-5)


def test_a_missing_output_is_named() -> None:
    """The error lists the outputs there are and the option that chooses one."""
    with FakeRun() as run, pytest.raises(KeyError, match=r"no output 'z' for the target 'y', only y\..*'outputs'"):
        run.train(evaluation(outputs={"y": "z"}))


@pytest.mark.parametrize("fails", [False, True])
def test_modes_of_all_sub_modules_come_back(fails: bool) -> None:
    """Each sub-module is in its own mode again, also when the model raises."""
    with FakeRun() as run:
        run.model.train()
        run.model.net.norm.eval()
        modes = {name: module.training for name, module in run.model.named_modules()}
        callback = evaluation()(**run.callback_kwargs)
        seen = []

        def fault(_: Any) -> None:
            seen.append(any(module.training for module in run.model.modules()))
            if fails:
                raise RuntimeError("on purpose")

        run.model.fault = fault
        if fails:
            with pytest.raises(RuntimeError, match="on purpose"):
                callback.after_training(update_counter=run.update_counter)
        else:
            callback.after_training(update_counter=run.update_counter)
        assert not any(seen)
        assert {name: module.training for name, module in run.model.named_modules()} == modes


def test_no_random_number_is_drawn_and_nothing_recorded() -> None:
    """The global generators stay as they are, and the forward passes record no gradients."""
    with FakeRun() as run:
        callback = evaluation()(**run.callback_kwargs)
        callback.before_training(update_counter=run.update_counter)
        recording = []
        run.model.fault = lambda _: recording.append(torch.is_grad_enabled())
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
        callback.after_training(update_counter=run.update_counter)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert random.getstate() == before[1]
        assert np.array_equal(np.random.get_state()[1], before[2])
        assert recording == [False, False, False]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"dataset_key": "tset"}, r"the data set 'tset', but there are only: 'train', 'test'\."),
        (
            {"metrics": {"m": {"metric": "MeanSquareError"}}},
            r"no metric 'MeanSquareError'\. The nearest: MeanSquaredErr",
        ),
        ({"metrics": {"m": {"metric": "functional"}}}, r"no metric 'functional'"),
        (
            {"metrics": {"m": {"metric": "R2Score", "targets": ["z"]}}},
            r"'m' measures 'z', .*no target property: \['y'\]",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_at_the_start(config: dict[str, Any], sentence: str) -> None:
    """Before the first update, in one sentence."""
    with FakeRun() as run:
        with pytest.raises(ValueError, match=sentence):
            run.train(evaluation(**config))
        assert run.update_counter.update == 0


def test_an_empty_data_set_is_refused_at_the_start() -> None:
    """There is nothing to measure."""
    with FakeRun(TrainingPlan(test_size=0)) as run, pytest.raises(ValueError, match="'test' is empty"):
        run.train(evaluation())


def test_a_trainer_without_targets_is_refused_at_the_start() -> None:
    """There is nothing to measure against."""
    with FakeRun() as run:
        run.trainer.target_properties = []
        with pytest.raises(ValueError, match="no target properties"):
            run.train(evaluation())


def test_a_name_keeps_the_files_of_two_instances_apart() -> None:
    """The config's id stands in the file name, without characters that paths cannot hold."""
    with FakeRun() as run:
        run.train(evaluation(id="on/train", dataset_key="train"), evaluation())
        assert report(run, "final_evaluation_on-train")["dataset_key"] == "train"
        assert report(run)["dataset_key"] == "test"


def test_other_ranks_evaluate_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 0 evaluates all samples."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    with FakeRun() as run:
        run.train(evaluation())
        assert run.tracker.summary == {}
        assert not (run.path_provider.run_output_path / "final_evaluation.json").exists()


def test_rank_zero_waits_for_no_other_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics call no collective, which ranks without an evaluation would never join."""
    with FakeRun() as run:
        callback = evaluation()(**run.callback_kwargs)
        monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        callback.after_training(update_counter=run.update_counter)
        assert run.tracker.summary[MSE] == pytest.approx(errors_by_hand(run).square().mean().item(), rel=1e-5)


def test_a_progress_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is drawn where standard error is a terminal, and nowhere else."""
    with FakeRun() as run:
        run.train(evaluation())
        assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(tqdm, "monitor_interval", 0)
    with FakeRun() as run:
        run.train(evaluation())
        assert "Final evaluation" in capsys.readouterr().err


@pytest.mark.parametrize("config", [{"metrics": {}}, {"dataset_key": ""}, {"metrics": {"m": {"name": "R2Score"}}}])
def test_the_config_is_checked(config: dict[str, Any]) -> None:
    """There is a data set and at least one metric, and no unknown option."""
    with pytest.raises(ValidationError, match=next(iter(config))):
        FinalEvaluationCallbackConfig(**config)


def test_an_interval_may_be_given() -> None:
    """It means nothing, but configs of callbacks have one."""
    assert FinalEvaluationCallbackConfig(every_n_updates=2).every_n_epochs is None
    assert FinalEvaluationCallbackConfig().every_n_epochs == 1
