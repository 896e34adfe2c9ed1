"""Tries the framework out before a callback is judged on it, so that its own faults are never the callback's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from noether_testkit.adapters.framework import failed_by_itself, other_release
from noether_testkit.adapters.framework_classes import (
    PARTS_OF_A_CALLBACK,
    PARTS_OF_THE_TRAINED_MODEL,
    framework_classes,
    require_parts,
)
from noether_testkit.adapters.framework_rig import FrameworkRig
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.sandbox import sandbox
from noether_testkit.contract.session import OnUse, Session
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import UsageError
from noether_testkit.fakes import Watch
from noether_testkit.plan import TrainingPlan

_FIRST = TrainingPlan(updates=2, dataset_size=4, checkpoint_after=(1,))
_HOOKS = frozenset(
    {
        *("__init__", "before_training", "after_training", "after_update", "after_epoch", "at_eval"),
        *("track_after_accumulation_step", "track_after_update_step"),
        *("state_dict", "load_state_dict", "resume_from_checkpoint"),
    }
)


@cache
def require_working_framework() -> None:
    """Makes sure, once in a process, that the framework trains, resumes, evaluates and saves a callback of the kit's.

    Raises:
        UsageError: It fails, or calls hooks in a way that the kit cannot see.
    """
    with sandbox(), tempfile.TemporaryDirectory(prefix="noether-testkit-") as folder:
        _Trial(Path(folder)).run()


class _Trial:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[str] = set()
        self._subject = Subject(_stateful_callback())
        self._rig: FrameworkRig

    def run(self) -> None:
        checkpoints = self._train(_FIRST).checkpoints
        require_parts(self._rig.model, PARTS_OF_THE_TRAINED_MODEL)
        if not checkpoints:
            raise other_release("does not call the hooks of the callback that saves for the kit")
        self._train(TrainingPlan(updates=2, dataset_size=4).resumed(checkpoints[1]))
        self._train(TrainingPlan(updates=2, dataset_size=4, evaluate=True))
        self._train(TrainingPlan(updates=0, dataset_size=4))
        unseen = sorted(_HOOKS - self._seen)
        if unseen:
            raise other_release(f"does not call {', '.join(unseen)} where the kit can see it")

    def _train(self, plan: TrainingPlan) -> Outcome:
        def make_rig(around: Watch, on_use: OnUse) -> FrameworkRig:
            self._rig = FrameworkRig(self._subject, plan, folder=self._folder, around=around, on_use=on_use)
            return self._rig

        outcome = Session(self._subject, plan, make_rig, watch=self._watch).run()
        if isinstance(outcome.error, UsageError):
            raise outcome.error
        if outcome.error is not None:
            raise failed_by_itself(outcome.error)
        return outcome

    @contextmanager
    def _watch(self, moment: Moment) -> Iterator[None]:
        self._seen.add(moment.hook)
        yield
        if moment.hook == "__init__":
            require_parts(moment.callback, PARTS_OF_A_CALLBACK)


def _stateful_callback() -> Any:
    framework = framework_classes()

    class Trial(framework.PeriodicCallback):  # type: ignore[misc, name-defined]  # the base class is a parameter
        def __init__(self, **collaborators: Any) -> None:
            super().__init__(framework.CallBackBaseConfig(every_n_updates=1), **collaborators)

        def periodic_callback(self, **_: Any) -> None:
            self.writer.add_scalar("trial", 1.0)

        def state_dict(self) -> dict[str, int]:
            return {"turns": 1}

    return Trial
