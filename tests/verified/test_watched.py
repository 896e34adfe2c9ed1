"""Watching is invisible to callbacks on the framework's trainer. Needs the framework: scripts/test-noether."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.verified.conftest import ONLY_NOETHER
from tests.verified.worlds import World

from noether_testkit import Report, Subject, TrainingPlan, check_callback
from noether_testkit.contract.harness import Moment

pytestmark = ONLY_NOETHER


def knows_itself(callback: Any, callbacks: Any) -> bool:
    return any(each is callback for each in callbacks)


def knows_its_class(callback: Any, callbacks: Any) -> bool:
    return [type(each) for each in callbacks].count(type(callback)) == 1


def is_in_the_list(callback: Any, callbacks: Any) -> bool:
    return callback in callbacks and callbacks[callbacks.index(callback)] is callback


def is_in_the_attributes_of_the_trainer(callback: Any, callbacks: Any) -> bool:
    return isinstance(callbacks, list) and vars(callback.trainer)["callbacks"] is callbacks


def has_only_its_own_attributes(callback: Any, callbacks: Any) -> bool:
    return not {"before_training", "after_update", "state_dict"} & set(vars(callback))


def is_built_like_any_other(callback: Any, callbacks: Any) -> bool:
    cls = type(callback)
    same = callback.__class__ is cls and cls.__mro__[0] is cls and cls.__name__ == cls.__qualname__ == "Own"
    return same and callback.before_training.__func__ is vars(cls)["before_training"]


def can_be_copied(callback: Any, callbacks: Any) -> bool:
    twin = copy.copy(callback)
    return type(twin) is type(callback) and vars(twin) == vars(callback) and copy.deepcopy(callback.model) is not None


IDIOMS = (
    knows_itself,
    knows_its_class,
    is_in_the_list,
    is_in_the_attributes_of_the_trainer,
    has_only_its_own_attributes,
    is_built_like_any_other,
    can_be_copied,
)


@pytest.mark.parametrize("harness", ["fakes", "noether"], ids="on {}".format)
@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda idiom: idiom.__name__)
def test_a_callback_cannot_tell_that_it_is_watched(
    framework: World, harness: str, idiom: Callable[[Any, Any], bool]
) -> None:
    """It meets itself in the list of the trainer, and itself is as its author wrote it."""

    def hook(self: Any, *_: Any, **__: Any) -> None:
        if not idiom(self, self.trainer.callbacks):
            raise RuntimeError("I am not myself.")

    hooks = ("before_training", "track_after_update_step", "periodic_callback", "after_training")
    callback = framework.callback(**dict.fromkeys(hooks, hook))
    report = check_callback(callback, framework=harness, select=["completes-an-ordinary-run"])
    assert report.ok, told(report)


def test_a_callback_that_joins_late_takes_part(framework: World) -> None:
    """The list is the trainer's own: what is appended to it at the start is trained with, as without the kit."""
    turns: list[int] = []
    late = framework.callback(periodic_callback=lambda self, **_: turns.append(1), class_name="Late")

    def join(self: Any, *, update_counter: Any) -> None:
        given = ("trainer", "model", "data_container", "tracker", "checkpoint_writer", "metric_property_provider")
        self.trainer.callbacks.append(late(**{each: getattr(self, each) for each in given}, log_writer=self.writer))

    seen = calls_seen(framework, framework.callback(before_training=join), TrainingPlan(updates=3))
    assert len(turns) == 3
    assert seen.count("after_update") == 3


def test_what_a_callback_calls_on_itself_is_not_the_trainers_call(framework: World) -> None:
    """Neither its own hooks, nor those that it calls through the list of the trainer."""

    def call_all(self: Any, *, update_counter: Any) -> None:
        self.before_training(update_counter=update_counter)
        for each in self.trainer.callbacks:
            each.before_training(update_counter=update_counter)
            each.state_dict()

    plan = TrainingPlan(updates=2)
    calling = calls_seen(framework, framework.callback(after_training=call_all), plan)
    silent = calls_seen(framework, framework.callback(), plan)
    assert calling == silent


def test_every_call_of_the_trainer_is_seen(framework: World) -> None:
    """The constructor, states when they are checked, saved and loaded, files at a resume, and all hooks."""
    stateful = framework.callback(state_dict=lambda self: {"turns": 0})
    plan = TrainingPlan(updates=4, checkpoint_after=(4,))
    seen = calls_seen(framework, stateful, plan, then=lambda point: TrainingPlan(updates=5).resumed(point))
    first, second = " ".join(seen).split("__init__")[1:]
    update = "track_after_accumulation_step track_after_update_step after_update"
    end = ["after_epoch", "state_dict", "state_dict", "after_training"]
    assert first.split() == ["state_dict", "before_training", *(4 * update.split()), *end]
    assert second.split().count("load_state_dict") == 2
    assert second.split()[-6:] == ["resume_from_checkpoint", "before_training", *update.split(), "after_training"]


def calls_seen(
    framework: World, factory: Any, plan: TrainingPlan, then: Callable[[Any], TrainingPlan] | None = None
) -> list[str]:
    """Returns the calls that a watch sees, in order."""
    from noether_testkit.adapters.noether import FrameworkHarness

    seen: list[str] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        seen.append(moment.hook)
        yield

    folder: Path = framework.root
    outcome = FrameworkHarness().train(Subject(factory), plan, folder=folder, watch=watch)
    assert outcome.error is None
    if then is not None:
        (point,) = outcome.checkpoints.values()
        assert FrameworkHarness().train(Subject(factory), then(point), folder=folder, watch=watch).error is None
    return seen


def told(report: Report) -> str:
    return "\n".join(f"{result.check}: {result.outcome} {result.seen}" for result in report.results)
