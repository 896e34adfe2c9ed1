"""Drawn runs of the kit's own sessions, as the checks use them: both harnesses answer the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.silence import silence
from tests.verified.tracing import bases

from noether_testkit import Subject, TrainingPlan
from noether_testkit.adapters.noether import FrameworkHarness
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Harness, Moment, Outcome
from noether_testkit.plan import Stop
from noether_testkit.strategies import interruptions, training_plans

DRAWN = 60
HARNESSES = {"fakes": FakeHarness, "noether": FrameworkHarness}


@dataclass(frozen=True, kw_only=True)
class Story:
    """A run that is interrupted, and resumed after each interruption."""

    plan: TrainingPlan
    stops: tuple[Stop, ...] = ()
    in_place: bool = False


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draws stories; those of uneven plans end with their first interruption, as the framework shifts data then."""
    even = draw(st.sampled_from([True, True, True, False]))
    fewest = draw(st.sampled_from([2, 1]))
    plan = draw(training_plans(min_updates=fewest, max_updates=8, accumulation=not even, ragged=not even))
    plan = replace(plan, reseed=draw(st.booleans()))
    if plan.total_updates == 1:
        return Story(plan=replace(plan, evaluate=draw(st.booleans())))
    stops = draw(interruptions(plan, max_stops=3 if even else 1))
    return Story(plan=plan, stops=stops, in_place=draw(st.booleans()))


@cache
def counting(world: str) -> type:
    """Returns a callback that draws, keeps a state, and logs it."""
    base = bases(world)

    class Counting(base.callbacks.PeriodicCallback):  # type: ignore[misc,name-defined]
        def __init__(self, **collaborators: Any) -> None:
            super().__init__(base.configs.CallBackBaseConfig(every_n_updates=2), **collaborators)
            self.state = {"turns": 0, "drawn": torch.zeros(1)}

        def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
            self.state["turns"] += 1
            self.state["drawn"] = torch.rand(1)
            self.writer.add_scalar(f"turns/{interval_type}", self.state["turns"])
            self.writer.add_scalar(f"drawn/{interval_type}", self.state["drawn"])

        def state_dict(self) -> dict[str, Any]:
            return dict(self.state)

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.state = dict(state_dict)

        def after_training(self, **_: Any) -> None:
            self.tracker.set_summary("turns", self.state["turns"])

    return Counting


@settings(
    max_examples=DRAWN, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(story=stories())
def test_both_harnesses_answer_the_same(story: Story) -> None:
    """Errors, log, checkpoints, states, weights, updates and all moments are equal, run after run."""
    with silence():
        fakes, framework = told("fakes", story), told("noether", story)
    for number, (mine, theirs) in enumerate(zip(fakes, framework, strict=True)):
        for name in mine:
            assert mine[name] == theirs[name], f"{name} of run {number} differs."
    assert len(fakes) == len(story.stops) + 1 or not _is_even(story.plan)


def told(world: str, story: Story) -> list[dict[str, Any]]:
    """Returns what the harness of a world answers, run by run."""
    with tempfile.TemporaryDirectory() as folder:
        return [_facts(outcome, moments) for outcome, moments in _runs(world, story, Path(folder))]


def _runs(world: str, story: Story, folder: Path) -> Iterator[tuple[Outcome, list[tuple[str, int]]]]:
    plan = story.plan
    harness: Harness = HARNESSES[world]()
    for stop in story.stops:
        stopped = replace(plan, stop=stop, checkpoint_after=(stop.after_update,))
        outcome, moments = _train(harness, world, stopped, folder)
        yield outcome, moments
        if not _is_even(plan):
            return
        plan = story.plan.resumed(outcome.checkpoints[stop.after_update], in_place=story.in_place)
    yield _train(harness, world, plan, folder)


def _train(harness: Harness, world: str, plan: TrainingPlan, folder: Path) -> tuple[Outcome, list[tuple[str, int]]]:
    moments: list[tuple[str, int]] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        moments.append((moment.hook, moment.update))
        yield

    return harness.train(Subject(counting(world)), plan, folder=folder, watch=watch), moments


def _facts(outcome: Outcome, moments: list[tuple[str, int]]) -> dict[str, Any]:
    """Returns what must be equal, in plain values."""
    assert outcome.run_folder is not None
    return {
        "error": None if outcome.error is None else type(outcome.error).__name__,
        "errors of hooks": [(each.moment.hook, type(each.error).__name__) for each in outcome.hook_errors],
        "updates": outcome.updates,
        "moments": moments,
        "uses": sorted(outcome.uses),
        "logged keys": sorted(outcome.logged_keys),
        "log": [dict(entry) for entry in outcome.log],
        "checkpoints": {update: (each.run_id, each.tag) for update, each in outcome.checkpoints.items()},
        "saved": _plain(outcome.saved),
        "state": _plain(outcome.state),
        "weights": _plain(outcome.weights),
        "optimizer": _plain(outcome.optimizer),
        "summary": dict(outcome.summary),
        "folder": outcome.run_folder.name,
        "files": sorted(str(file.relative_to(outcome.run_folder)) for file in outcome.run_folder.rglob("*.th")),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (str(value.dtype), tuple(value.shape), value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _is_even(plan: TrainingPlan) -> bool:
    return plan.accumulation_steps == 1 and plan.dataset_size % plan.batch_size == 0
