"""Chooses where a subject is trained."""

from __future__ import annotations

from noether_testkit.adapters.noether import FrameworkHarness, is_framework_class
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.harness import Harness
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import UnknownNameError

FRAMEWORK_CHOICES = ("auto", "fakes", "noether")
"""Where callbacks can be trained."""


def harness_for(subject: Subject, framework: str = "auto") -> Harness:
    """Returns the harness for a subject.

    Args:
        subject: What is to be trained.
        framework: `fakes`, `noether`, or `auto`: the framework for classes built on its base class.

    Raises:
        UnknownNameError: There is no such choice.
        UsageError: The framework is asked for and not installed.
    """
    if framework not in FRAMEWORK_CHOICES:
        raise UnknownNameError("framework", framework, FRAMEWORK_CHOICES)
    own = framework == "noether" or (framework == "auto" and is_framework_class(subject.callback))
    return FrameworkHarness() if own else FakeHarness()
