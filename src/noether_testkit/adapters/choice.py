"""Chooses where a subject is trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from noether_testkit.adapters.framework import is_framework_class
from noether_testkit.adapters.framework_classes import make_model
from noether_testkit.adapters.noether import FrameworkHarness
from noether_testkit.adapters.release import notes_on_the_release
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Harness
from noether_testkit.contract.sandbox import sandbox
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import UnknownNameError
from noether_testkit.fakes import FakeModel, FakeRun
from noether_testkit.plan import TrainingPlan

FRAMEWORK_CHOICES = ("auto", "fakes", "noether")
"""Where callbacks can be trained."""


def harness_for(subject: Subject, framework: str = "auto") -> Harness:
    """Returns the harness for a subject.

    On the fakes, a callback that is built on the framework's base class gets the framework's model, too: it may
    insist on that class.

    Args:
        subject: What is to be trained.
        framework: `fakes`, `noether`, or `auto`: the framework for classes built on its base class.

    Raises:
        UnknownNameError: There is no such choice.
        UsageError: The framework is asked for, and is not installed, is broken, or is a release that lacks something.
    """
    if framework not in FRAMEWORK_CHOICES:
        raise UnknownNameError("framework", framework, FRAMEWORK_CHOICES)
    if framework == "noether" or (framework == "auto" and is_framework_class(subject.callback)):
        return FrameworkHarness()
    native = any(is_framework_class(each.callback) for each in (subject, *subject.companions))
    return FakeHarness(model_of_the_framework() if native else FakeModel, notes=notes_on_the_release())


@cache
def model_of_the_framework() -> Callable[..., Any]:
    """Returns what makes the framework's model, or the fake of it where the fakes cannot train the framework's."""
    try:
        with sandbox(), FakeRun(TrainingPlan(updates=1), make_model=make_model) as trial:
            trial.train()
    except Exception:  # noqa: BLE001 - another release may fail in any way, and the fakes have to go on without it
        return FakeModel
    return make_model
