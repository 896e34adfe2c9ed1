"""A fake that is changed on purpose is found out by the drawn runs, and by a small one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, find, settings

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.test_traces import Run, runs, trace_of

from noether_testkit.fakes import FakeLogWriter, FakeModel
from noether_testkit.fakes.loop import TrainingLoop
from noether_testkit.fakes.trainer import FakeTrainer

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


CHANGES = (
    count_after_the_tracking_hook,
    flush_after_every_round,
    stay_in_train_mode,
    save_no_checkpoint_at_an_early_exit,
    load_states_once,
    take_the_last_counters_for_an_entry,
)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """The runs that differ log errors on purpose."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


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


def _differs(run: Run) -> bool:
    return trace_of("fakes", run) != trace_of("noether", run)
