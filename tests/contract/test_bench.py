"""The bench of a check: a rehearsal, runs with fresh callbacks, and a folder that is gone afterwards."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.contract.broken_callbacks import Sound

from noether_testkit import Subject, check_callback
from noether_testkit.contract.bench import Bench, rehearse
from noether_testkit.contract.check import Unjudged
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.ordinary import ordinary_plan
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

_numbers = itertools.count()


class StopperConfig(CallBackBaseConfig):
    metric_key: str = "accuracy"


class ReadsItsMetric(PeriodicCallback):
    def __init__(self, callback_config: StopperConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.key = callback_config.metric_key

    def periodic_callback(self, **_: Any) -> None:
        assert self.writer.log_cache[self.key] > 0, "a metric is positive"


class LogsItsMetric(ReadsItsMetric):
    """Logs the metric that its config names, so that nobody else may."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar(self.key, 1.0)


class LogsTheLoss(PeriodicCallback):
    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("mse", 1.0)


class LogsNewKeys(PeriodicCallback):
    """Logs under a name that no run has seen before."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar(f"session-{next(_numbers)}", 1.0)


class FailsToBuild(CallbackBase):
    def __init__(self, **kwargs: Any) -> None:
        raise RuntimeError("not today")


def bench_of(callback: Any, **fields: Any) -> Bench:
    subject = Subject.of(callback, **fields)
    return Bench(subject, FakeHarness(), rehearse(subject, FakeHarness()))


def test_a_metric_of_the_config_is_fed() -> None:
    """A callback that reads a metric finds a plausible one, without a word from its author."""
    assert bench_of(ReadsItsMetric).rehearsal.outcome.error is None


def test_a_metric_that_the_callback_logs_itself_is_left_to_it() -> None:
    """The kit never logs a key a second time, the loss of the default problem included."""
    assert bench_of(LogsItsMetric).rehearsal.outcome.error is None
    assert bench_of(LogsTheLoss).rehearsal.outcome.error is None


def test_a_metric_of_the_author_wins_over_a_plausible_one() -> None:
    """What the author gives is what the callback reads."""
    outcome = bench_of(ReadsItsMetric, metrics={"accuracy": [-1.0]}).rehearsal.outcome
    assert isinstance(outcome.error, AssertionError)


def test_new_keys_in_each_run_come_to_an_end() -> None:
    """A rehearsal is done again only where the kit's own keys are in the way."""
    check_callback(LogsNewKeys).raise_for_failures()


@pytest.mark.parametrize(
    ("config", "updates"),
    [
        ({"every_n_updates": 1}, 8),
        ({"every_n_updates": 6}, 24),
        ({"every_n_epochs": 1}, 16),
        ({"every_n_epochs": 3}, 48),
        ({"every_n_samples": 3, "batch_size": 2}, 8),
    ],
)
def test_an_ordinary_run_reaches_each_interval_four_times(config: dict[str, int], updates: int) -> None:
    """Short intervals do not make long runs, and long ones are still seen."""
    assert ordinary_plan(Subject(Sound, config=config)).total_updates == updates


def test_checkpoints_are_at_the_half_or_spread_over_the_run() -> None:
    """Plans with checkpoints end where the ordinary plan ends."""
    with bench_of(Sound) as bench:
        assert bench.plan_with_checkpoint.checkpoint_after == (4,)
        assert bench.plan_with_checkpoints.checkpoint_after == (1, 2, 3, 4, 5, 6, 7)


def test_a_built_callback_has_not_been_used() -> None:
    """What a bench builds is fresh each time."""
    with bench_of(Sound, config={"every_n_updates": 1}) as bench:
        first, collaborators = bench.build()
        second, _ = bench.build()
    assert first is not second
    assert first.state_dict() == {"seen": 0}
    assert first.trainer is collaborators["trainer"]


def test_a_constructor_that_raises_is_left_to_its_own_check() -> None:
    """Another check cannot judge what was never built."""
    with bench_of(FailsToBuild) as bench, pytest.raises(Unjudged, match="not today"):
        bench.build()


def test_an_observation_is_made_once() -> None:
    """Checks that need the same look share it."""
    with bench_of(Sound) as bench:
        assert bench.once("a number", lambda: 1) == 1
        assert bench.once("a number", lambda: 2) == 1


def test_the_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging a callback leaves no file behind, whatever it wrote."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check_callback(Sound)
    check_callback(FailsToBuild)
    assert list(tmp_path.iterdir()) == []
