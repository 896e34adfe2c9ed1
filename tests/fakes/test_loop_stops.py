"""Promises of the training loop about early stops, errors and signals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.fakes.recorder import Diary, logging_as, raising, recorder

from noether_testkit.core.callbacks import EarlyStopIteration
from noether_testkit.fakes import FakeModel, FakeRun
from noether_testkit.fakes.natives import Natives

CHECKPOINT = ("model", "optim", "trainer")


@pytest.fixture
def diary() -> Diary:
    return Diary()


def files(run: FakeRun) -> list[str]:
    folder = run.path_provider.run_output_path
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def checkpoint(tag: str) -> list[str]:
    return [f"checkpoints/model_cp={tag}_{part}.th" for part in CHECKPOINT]


class StopsOnItsOwnTerms(EarlyStopIteration):
    """Derived from the early stop."""


@pytest.mark.parametrize("hook", ["periodic_callback", "after_update"])
@pytest.mark.parametrize("error", [EarlyStopIteration, StopsOnItsOwnTerms])
def test_an_early_stop_ends_the_run_in_order(diary: Diary, hook: str, error: type[Exception]) -> None:
    """The others still have their turn, a checkpoint is saved, and the end hooks are called."""
    with FakeRun() as run:
        run.train(recorder(diary, "A", acts={hook: raising(error(), at=2)}), recorder(diary, "Z"))
        assert files(run) == checkpoint("E0_U2_S4.early_exit")
    assert diary.points("after_training") == ["E0_U2_S4"] * 2
    assert "Z.periodic_callback" in diary.calls()[-4:]


def test_an_early_stop_is_saved_after_the_flush(diary: Diary) -> None:
    """The values of the round are in the log before any state is asked for."""
    flushed: list[int] = []
    acts = {
        "periodic_callback": raising(EarlyStopIteration(), at=2),
        "state_dict": lambda callback: flushed.append(len(callback.writer.log_entries)),
    }
    with FakeRun() as run:
        run.train(recorder(diary, "L", acts={"periodic_callback": logging_as("value")}), recorder(diary, acts=acts))
    assert flushed == [0, 2, 2]


def test_an_early_stop_in_the_epoch_round_ends_the_run_in_order(diary: Diary) -> None:
    """The periodic path of the epoch round is honoured as that of the update round."""
    with FakeRun() as run:
        run.train(recorder(diary, acts={"after_epoch": raising(EarlyStopIteration())}))
        assert files(run) == checkpoint("E1_U4_S8.early_exit")
    assert diary.points("after_training") == ["E1_U4_S8"]


def test_a_stop_at_the_last_update_of_an_epoch_skips_the_epoch_round(diary: Diary) -> None:
    """The entry stays open, so that a value of the end hook shares it."""
    acts = {
        "periodic_callback": lambda callback: (
            logging_as("value")(callback),
            raising(EarlyStopIteration(), at=4)(callback),
        ),
        "after_training": logging_as("end"),
    }
    with FakeRun() as run:
        run.train(recorder(diary, acts=acts))
    assert diary.of("after_epoch") == []
    assert run.log_writer.log_entries[-1] == {"epoch": 1, "update": 4, "sample": 8, "value": 4, "end": 4}


@pytest.mark.parametrize("hook", ["before_training", "track_after_accumulation_step", "track_after_update_step"])
@pytest.mark.parametrize("error", [EarlyStopIteration, ValueError, KeyboardInterrupt])
def test_any_error_outside_the_periodic_path_escapes_at_once(
    diary: Diary, hook: str, error: type[BaseException]
) -> None:
    """The next callback has no turn, nothing is saved, no end hook is called."""
    with FakeRun() as run:
        with pytest.raises(error):
            run.train(recorder(diary, "A", acts={hook: raising(error())}), recorder(diary, "Z"))
        assert files(run) == []
    assert diary.calls()[-1] == f"A.{hook}"
    assert torch.is_grad_enabled()


def test_an_error_in_an_end_hook_ends_the_round_of_end_hooks(diary: Diary) -> None:
    """Those before it have had their turn, those after it do not get theirs."""
    guilty = recorder(diary, "X", acts={"after_training": raising(ValueError("mine"))})
    with FakeRun() as run, pytest.raises(ValueError, match="mine"):
        run.train(recorder(diary, "A"), guilty, recorder(diary, "Z"))
    assert diary.calls("after_training") == ["A.after_training", "X.after_training"]


@pytest.mark.parametrize("error", [ValueError("mine"), StopIteration("mine")])
def test_an_error_in_the_periodic_path_is_saved_and_raised(diary: Diary, error: Exception) -> None:
    """The others still have their turn, all states are saved, and the very error is raised."""
    with FakeRun() as run:
        with pytest.raises(type(error)) as caught:
            run.train(recorder(diary, "A", acts={"periodic_callback": raising(error, at=2)}), recorder(diary, "Z"))
        assert files(run) == checkpoint("E0_U2_S4.error")
    assert caught.value is error
    assert diary.calls()[-2:] == ["Z.after_update", "Z.periodic_callback"]
    assert diary.calls("state_dict")[2:] == ["A.state_dict", "Z.state_dict"] * 2
    assert not run.model.training


def test_the_first_of_two_errors_is_raised_and_both_are_logged(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    """One checkpoint is saved, however many callbacks fail in a round."""
    first, second = ValueError("first"), KeyError("second")
    with FakeRun() as run, pytest.raises(ValueError, match="first"), caplog.at_level(logging.ERROR):
        run.train(
            recorder(diary, "A", acts={"periodic_callback": raising(first, at=1)}),
            recorder(diary, "B", acts={"periodic_callback": raising(second, at=1)}),
        )
    assert [record.args[2] for record in caplog.records] == [first, second]


def test_an_error_wins_over_an_early_stop(diary: Diary) -> None:
    """A round with both is a failed round."""
    with FakeRun() as run:
        with pytest.raises(ValueError, match="mine"):
            run.train(
                recorder(diary, "A", acts={"periodic_callback": raising(EarlyStopIteration(), at=1)}),
                recorder(diary, "B", acts={"periodic_callback": raising(ValueError("mine"), at=1)}),
            )
        assert files(run) == checkpoint("E0_U1_S2.error")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_periodic_path_escapes_at_once(diary: Diary, error: type[BaseException]) -> None:
    """Only exceptions wait for the end of the round."""
    with FakeRun() as run:
        with pytest.raises(error):
            run.train(recorder(diary, "A", acts={"periodic_callback": raising(error(), at=1)}), recorder(diary, "Z"))
        assert files(run) == []
    assert diary.calls()[-1] == "A.periodic_callback"


def test_an_exception_that_is_only_called_like_the_early_stop_is_an_error(diary: Diary) -> None:
    """A class of the same name from elsewhere ends the run as any error does."""
    namesake = type("EarlyStopIteration", (Exception,), {})
    with FakeRun() as run, pytest.raises(namesake):
        run.train(recorder(diary, acts={"periodic_callback": raising(namesake(), at=1)}))


@pytest.mark.parametrize(
    ("error", "raised"), [(EarlyStopIteration, RuntimeError), (ValueError, ValueError)], ids=["stop", "error"]
)
def test_a_state_that_fails_in_the_last_checkpoint(
    diary: Diary, error: type[Exception], raised: type[Exception], tmp_path: Path
) -> None:
    """In the checkpoint of a stop its error escapes; in that of an error it is logged, and the first one escapes."""
    acts = {"periodic_callback": raising(error(), at=1), "state_dict": raising(RuntimeError(), at=1)}
    run = FakeRun(output_root=tmp_path)
    with pytest.raises(raised):
        run.train(recorder(diary, acts=acts))
    assert files(run) == []
    assert diary.of("after_training") == []


def test_an_error_in_the_forward_pass_calls_no_further_hook(diary: Diary) -> None:
    """It escapes as it is; the model stays in train mode, and what was flushed is written."""

    def fail(_: object) -> None:
        if run.update_counter.update == 2:
            raise RuntimeError("forward")

    with FakeRun() as run:
        run.model.fault = fail
        with pytest.raises(RuntimeError, match="forward"):
            run.train(recorder(diary, acts={"periodic_callback": logging_as("value")}))
        assert files(run) == ["tracker/entries.th"]
    assert diary.calls()[-1] == "A.periodic_callback"
    assert run.model.training


def signalling(hook: str, at: int) -> dict[str, Callable[[object], None]]:
    def act(callback: object) -> None:
        if callback.trainer.update_counter.update == at:  # type: ignore[attr-defined]
            callback.trainer.request_stop()  # type: ignore[attr-defined]

    return {hook: act}


def test_a_signal_ends_the_run_after_the_current_update(diary: Diary) -> None:
    """The round of the update is finished for all, end hooks are called, and nothing is saved."""
    with FakeRun() as run:
        run.train(recorder(diary, "A", acts=signalling("periodic_callback", 3)), recorder(diary, "Z"))
        assert files(run) == []
    assert diary.points("after_training") == ["E0_U3_S6"] * 2
    assert diary.calls("periodic_callback")[-1] == "Z.periodic_callback"


def test_a_signal_in_the_last_update_of_an_epoch_skips_the_epoch_round(diary: Diary) -> None:
    """The loop is left between the two rounds."""
    with FakeRun() as run:
        run.train(recorder(diary, acts=signalling("periodic_callback", 4)))
    assert diary.of("after_epoch") == []
    assert diary.points("after_training") == ["E1_U4_S8"]


def test_a_signal_in_the_epoch_round_costs_one_more_update(diary: Diary) -> None:
    """The loop looks for signals after the round of an update only."""
    with FakeRun() as run:
        run.train(recorder(diary, acts=signalling("after_epoch", 4)))
    assert diary.points("after_training") == ["E1_U5_S10"]


def test_a_frozen_model_is_not_trained(diary: Diary) -> None:
    """Training fails with a sentence behind the start hooks; evaluation is another matter."""
    with (
        FakeRun(natives=Natives(make_model=partial(FakeModel, is_frozen=True))) as run,
        pytest.raises(ValueError, match="frozen"),
    ):
        run.train(recorder(diary))
    assert diary.calls() == ["A.before_training"]
