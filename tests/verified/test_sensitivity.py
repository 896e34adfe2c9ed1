"""A fake that is changed on purpose is found out by the drawn runs, and by a small one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, find, settings

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.drawn_runs import Run, runs
from tests.verified.test_sessions import DRAWN, stories, told
from tests.verified.test_traces import trace_of

from noether_testkit.fakes import FakeLogWriter, FakeModel, batches
from noether_testkit.fakes import trainer as fake_trainer
from noether_testkit.fakes.loop import TrainingLoop
from noether_testkit.fakes.resume import ResumePoint
from noether_testkit.fakes.trainer import FakeTrainer

pytestmark = pytest.mark.usefixtures("quiet")  # the runs that differ log errors on purpose

MOST_DRAWN = 500


def count_after_the_tracking_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    count, rounds = TrainingLoop._count_update, TrainingLoop._rounds

    def count_and_go_on(loop: TrainingLoop) -> bool:
        count(loop)
        return rounds(loop)

    monkeypatch.setattr(TrainingLoop, "_count_update", lambda _: None)
    monkeypatch.setattr(TrainingLoop, "_rounds", count_and_go_on)


def flush_after_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    go = TrainingLoop._round
    monkeypatch.setattr(TrainingLoop, "_round", lambda loop, hook, flush: go(loop, hook, flush=True))


def stay_in_train_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeModel, "eval", lambda model: model)


def save_no_checkpoint_at_an_early_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingLoop, "_save", lambda *_: None)


def load_states_once(monkeypatch: pytest.MonkeyPatch) -> None:
    load = FakeTrainer._load_states

    def load_at_first(trainer: FakeTrainer, state_dict: dict[str, object], logger: logging.Logger) -> None:
        if logger is trainer.logger:
            load(trainer, state_dict, logger)

    monkeypatch.setattr(FakeTrainer, "_load_states", load_at_first)


def take_the_last_counters_for_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = FakeLogWriter._enter

    def enter_and_move(writer: FakeLogWriter, key: str, value: object) -> None:
        enter(writer, key, value)
        writer.log_cache = {**(writer.log_cache or {}), "update": writer.update_counter.update + 1}

    monkeypatch.setattr(FakeLogWriter, "_enter", enter_and_move)


def load_no_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTrainer, "_load_states", lambda *_: None)


def evaluate_without_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_trainer, "evaluate", torch.no_grad()(fake_trainer.evaluate))


def hand_out_batches_from_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batches._whole_dataset

    def backwards(*arguments: Any) -> Iterator[Any]:
        return reversed(list(whole(*arguments)))

    monkeypatch.setattr(batches, "_whole_dataset", backwards)


def call_after_training_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run = TrainingLoop.run

    def run_and_call(loop: TrainingLoop) -> None:
        try:
            run(loop)
        except Exception:
            for callback in loop.trainer.callbacks:
                callback.after_training(update_counter=loop.counter)
            raise

    monkeypatch.setattr(TrainingLoop, "run", run_and_call)


def go_on_after_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTrainer, "request_stop", lambda _: None)


def forget_the_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ResumePoint, "init_optimizer", lambda *_: None)


CHANGES = (
    count_after_the_tracking_hook,
    flush_after_every_round,
    stay_in_train_mode,
    save_no_checkpoint_at_an_early_exit,
    load_states_once,
    load_no_states,
    evaluate_without_recording,
    hand_out_batches_from_the_last_one,
    call_after_training_after_an_error,
    take_the_last_counters_for_an_entry,
)


CHANGES_OF_SESSIONS = (
    go_on_after_a_signal,
    forget_the_optimizer,
    load_no_states,
    save_no_checkpoint_at_an_early_exit,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_fake_is_found_by_a_small_run(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest run that differs has one callback and at most two updates."""
    change(monkeypatch)
    smallest = find(
        runs(),
        _differs,
        settings=settings(
            max_examples=MOST_DRAWN,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    assert len(smallest.specs) == 1
    assert smallest.plan.total_updates <= 2
    assert len(smallest.events) <= 1


@pytest.mark.parametrize("change", CHANGES_OF_SESSIONS, ids=lambda change: change.__name__)
def test_a_changed_fake_is_found_by_a_drawn_session(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of those that are compared differs."""
    change(monkeypatch)
    find(
        stories(),
        lambda story: told("fakes", story) != told("noether", story),
        settings=settings(max_examples=DRAWN, deadline=None, derandomize=True, database=None, phases=[Phase.generate]),
    )


def _differs(run: Run) -> bool:
    return trace_of("fakes", run) != _trace_of_the_framework(run)


@cache
def _trace_of_the_framework(run: Run) -> list[str]:
    """Returns a trace that is the same whatever is changed in the fakes."""
    return trace_of("noether", run)
