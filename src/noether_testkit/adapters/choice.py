"""Chooses where a subject is trained."""

from __future__ import annotations

from functools import cache

from noether_testkit.adapters.framework import is_framework_class
from noether_testkit.adapters.framework_classes import natives
from noether_testkit.adapters.noether import FrameworkHarness
from noether_testkit.adapters.release import notes_on_the_release
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Harness
from noether_testkit.contract.sandbox import sandbox
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import UnknownNameError
from noether_testkit.fakes import FakeRun
from noether_testkit.fakes.natives import KIT, Natives
from noether_testkit.plan import TrainingPlan

FRAMEWORK_CHOICES = ("auto", "fakes", "noether")
"""Where callbacks can be trained."""


def harness_for(subject: Subject, framework: str = "auto") -> Harness:
    """Returns the harness for a subject.

    On the fakes, a callback that is built on the framework's base class gets the framework's model, counter and
    directions of metrics, too: it may insist on these classes.

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
    given, notes = natives_of_the_framework() if native else (KIT, ())
    return FakeHarness(given, notes=(*notes_on_the_release(), *notes))


@cache
def natives_of_the_framework() -> tuple[Natives, tuple[str, ...]]:
    """Returns the framework's classes; the kit's, and a note why, where the fakes cannot train with the framework's."""
    try:
        with sandbox(), FakeRun(TrainingPlan(updates=1), natives=natives()) as trial:
            trial.train()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - another release may fail in any way
        why = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        return KIT, (f"The kit's model and counter were used, since the framework's do not work here ({why}).",)
    return natives(), ()
