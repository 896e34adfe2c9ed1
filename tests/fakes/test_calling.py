"""Promises of the watch around the calls into callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fakes.recorder import Diary, recorder

from noether_testkit.fakes import FakeRun, HookCall
from noether_testkit.plan import TrainingPlan


class Watcher:
    """Writes down what it was called around."""

    def __init__(self) -> None:
        self.calls: list[HookCall] = []
        self.errors: list[BaseException] = []

    @contextmanager
    def __call__(self, call: HookCall) -> Iterator[None]:
        self.calls.append(call)
        try:
            yield
        except BaseException as error:
            self.errors.append(error)
            raise

    @property
    def hooks(self) -> list[str]:
        return [call.hook for call in self.calls]


@pytest.fixture
def watch() -> Watcher:
    return Watcher()


def test_each_call_of_the_trainer_is_watched(watch: Watcher) -> None:
    """Construction, questions for states and hooks, in order, without what the base class calls itself."""
    FakeRun(TrainingPlan(updates=1), watch=watch).train(recorder(Diary()))
    assert watch.hooks == [
        "__init__",
        "state_dict",
        "before_training",
        "track_after_accumulation_step",
        "track_after_update_step",
        "after_update",
        "after_training",
    ]


def test_the_constructor_is_watched_with_the_factory_and_the_seven(watch: Watcher) -> None:
    """While a callback is being built, the factory stands for it."""
    factory = recorder(Diary())
    run = FakeRun(watch=watch)
    run.train(factory)
    assert watch.calls[0].callback is factory
    assert watch.calls[0].arguments == run.callback_kwargs


def test_loading_is_watched_with_the_state_by_position(watch: Watcher, tmp_path: Path) -> None:
    """Positional arguments are kept apart from keywords."""
    stateful = recorder(Diary(), acts={"state_dict": lambda _: {"n": 1}})
    checkpoint = FakeRun(output_root=tmp_path, run_id="first").train(stateful).save_checkpoint()
    plan = TrainingPlan(epochs=3, resume_from=checkpoint)
    FakeRun(plan, output_root=tmp_path, run_id="second", watch=watch).train(stateful)
    loads = [call for call in watch.calls if call.hook == "load_state_dict"]
    assert [(call.positional, call.arguments) for call in loads] == [(({"n": 1},), {})] * 2


def test_an_evaluation_is_watched_with_the_counter_by_position(watch: Watcher) -> None:
    """`at_eval` is the only hook that gets the counter so."""
    run = FakeRun(watch=watch)
    run.evaluate(recorder(Diary()))
    assert watch.hooks == ["__init__", "at_eval"]
    assert watch.calls[1].positional == (run.update_counter,)


def test_a_missing_hook_fails_under_watch(watch: Watcher) -> None:
    """Whoever watches sees the error of a callback that lost a hook."""

    class Callback:
        checkpoint_key = "key"

        def state_dict(self) -> None:
            return None

        def get_children(self) -> list[object]:
            return []

    with pytest.raises(AttributeError, match="before_training"):
        FakeRun(watch=watch).train(Callback())
    assert len(watch.errors) == 1
