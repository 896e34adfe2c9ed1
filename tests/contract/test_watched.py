"""Runs that several checks share are done once, and the watchers in them see what they see alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.contract.broken_callbacks import Sound

from noether_testkit import Subject
from noether_testkit.contract.bench import Bench, rehearse
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.watched import watched
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback


class Counting(FakeHarness):
    """Counts its runs."""

    runs = 0

    def train(self, *args: Any, **kwargs: Any) -> Outcome:
        self.runs += 1
        return super().train(*args, **kwargs)


class DoesItAll(PeriodicCallback):
    """Records an operation, flips a switch, keeps a graph and answers, all in one hook."""

    def after_update(self, **_: Any) -> int:  # type: ignore[override]
        torch.set_grad_enabled(True)
        self.kept = self.model.net.head.weight * 2
        return 3


class HasADestructor(CallbackBase):
    def __del__(self) -> None:
        """Does nothing, but is there."""


def bench_of(callback: Any, harness: FakeHarness | None = None) -> Bench:
    subject, harness = Subject(callback), harness or FakeHarness()
    return Bench(subject, harness, rehearse(subject, harness))


@pytest.fixture
def harness() -> Iterator[Counting]:
    with torch.random.fork_rng(devices=[]):
        yield Counting()


def test_the_runs_are_done_once(harness: Counting) -> None:
    """A second check gets what the first one saw."""
    with bench_of(Sound, harness) as bench:
        first, runs = watched(bench), harness.runs
    with Bench(bench.subject, harness, bench.rehearsal) as another:
        assert watched(another) is first
    assert harness.runs == runs


def test_each_watcher_sees_its_own() -> None:
    """One hook that breaks several promises is seen by all watchers."""
    with bench_of(DoesItAll) as bench:
        seen = watched(bench)
    assert str(seen.modes[0][0]) == "after_update (update 1)"
    assert str(seen.operations[0][0]) == "after_update (update 1)"
    assert seen.answers.given["after_update"][0] == "3 (int)"
    assert seen.graphs[0].kept is not None


def test_a_sound_callback_is_not_kept_alive_by_what_was_seen() -> None:
    """Nothing but what is wrong is remembered."""
    with bench_of(Sound) as bench:
        seen = watched(bench)
    assert (seen.modes, seen.operations, seen.graphs[0].kept, seen.graphs[1].kept) == ([], [], None, None)
    assert [*seen.answers.given] == ["state_dict"]


def test_a_callback_to_be_looked_at_is_built_once(harness: Counting) -> None:
    """All checks look at the same one."""
    with bench_of(Sound, harness) as bench:
        first, runs = bench.built, harness.runs
        assert bench.built is first
    assert harness.runs == runs


def test_a_callback_with_a_destructor_is_not_kept() -> None:
    """It is gone with its check, so that what its destructor raises is swallowed there."""
    with bench_of(HasADestructor) as bench:
        assert bench.built is not bench.built
