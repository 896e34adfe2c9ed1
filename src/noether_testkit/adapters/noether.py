"""The framework's own trainer as a harness."""

from __future__ import annotations

from pathlib import Path

from noether_testkit.adapters.framework import DISTRIBUTION, installed_release, is_framework_class
from noether_testkit.adapters.framework_classes import framework_classes
from noether_testkit.adapters.framework_rig import FrameworkRig
from noether_testkit.adapters.release import notes_on_the_release
from noether_testkit.adapters.trial import require_working_framework
from noether_testkit.contract.harness import Outcome, Watcher
from noether_testkit.contract.session import HookFaults, OnUse, Session
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import SubjectError
from noether_testkit.fakes import Watch
from noether_testkit.plan import TrainingPlan

__all__ = ["FrameworkHarness", "FrameworkRig"]


class FrameworkHarness:
    """Trains a callback with the framework's own trainer, on the CPU, with data in memory.

    Attributes:
        name: Name of the harness.
        version: Version of the framework.
        shifts_no_data: This release shifts the data of some resumed runs.
        notes: What reports have to say of another release.

    Raises:
        UsageError: The framework is not installed, is broken, or is a release that lacks something.
    """

    name = DISTRIBUTION
    shifts_no_data = False

    def __init__(self) -> None:
        framework_classes()
        self.version = installed_release()
        self.notes = notes_on_the_release(with_differences=True)

    def train(
        self,
        subject: Subject,
        plan: TrainingPlan,
        *,
        folder: Path,
        watch: Watcher | None = None,
        hook_faults: HookFaults | None = None,
        silent_keys: frozenset[str] = frozenset(),
    ) -> Outcome:
        """Runs a plan with a fresh callback and the framework's own objects; see `Harness.train`.

        Raises:
            SubjectError: The callback is built on the kit's base class, which the framework does not know.
            UsageError: The framework is another release, whose constructors take other arguments, or fails by itself.
        """
        if isinstance(subject.callback, type) and not is_framework_class(subject.callback):
            raise SubjectError(
                f"{subject.label} is built on noether_testkit.core, which the framework's trainer does not know. "
                "Judge it on the fakes, or import its base class from noether.core."
            )

        require_working_framework()

        def make_rig(around: Watch, on_use: OnUse) -> FrameworkRig:
            return FrameworkRig(subject, plan, folder=folder, around=around, on_use=on_use)

        return Session(subject, plan, make_rig, watch=watch, hook_faults=hook_faults, silent_keys=silent_keys).run()
