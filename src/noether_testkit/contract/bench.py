"""What a check works with: a subject, a harness, and a folder that is gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from noether_testkit.contract.check import Unjudged
from noether_testkit.contract.harness import Harness, Moment, Outcome, Watcher
from noether_testkit.contract.locate import in_words, is_refusal, place_of_error
from noether_testkit.contract.ordinary import ordinary_plan
from noether_testkit.contract.series import keys_of_the_kit
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import TestkitError
from noether_testkit.plan import TrainingPlan

T = TypeVar("T")

ORDINARY_RUN = "completes-an-ordinary-run"
"""Name of the check that speaks for a callback that breaks any run."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What one ordinary run taught about the subject.

    Attributes:
        plan: The plan of an ordinary run.
        outcome: What came of it.
        silent_keys: Metrics that the callback logs itself, so that the kit does not.
        memory: Observations that several checks share.
    """

    plan: TrainingPlan
    outcome: Outcome
    silent_keys: frozenset[str]
    memory: dict[str, Any] = field(default_factory=dict)


class Bench:
    """Trains the subject of one check, each time with a fresh callback.

    Attributes:
        subject: What is judged.
        plan: The plan of an ordinary run.
        rehearsal: What one ordinary run taught.
    """

    def __init__(self, subject: Subject, harness: Harness, rehearsal: Rehearsal) -> None:
        self.subject = subject
        self.rehearsal = rehearsal
        self.plan = rehearsal.plan
        self._harness = harness

    def train(
        self,
        plan: TrainingPlan | None = None,
        *,
        subject: Subject | None = None,
        watch: Watcher | None = None,
        hook_faults: Mapping[tuple[str, str, int], Callable[[], BaseException]] | None = None,
    ) -> Outcome:
        """Runs a plan and returns what came of it.

        Args:
            plan: What to run; an ordinary run by default.
            subject: What to train with; the subject of the bench by default.
            watch: Called around each call into the callback.
            hook_faults: Makes the nth call of a collaborator's method in a hook fail, by hook, method and n.
        """
        return self._harness.train(
            subject or self.subject,
            plan or self.plan,
            folder=self._folder,
            watch=watch,
            hook_faults=hook_faults,
            silent_keys=self.rehearsal.silent_keys,
        )

    def evaluate(
        self,
        *,
        watch: Watcher | None = None,
        hook_faults: Mapping[tuple[str, str, int], Callable[[], BaseException]] | None = None,
    ) -> Outcome:
        """Does an evaluation run, and returns what came of it."""
        return self.train(replace(self.plan, evaluate=True), watch=watch, hook_faults=hook_faults)

    def watch_all(self, watch: Watcher) -> tuple[Outcome, Outcome]:
        """Watches an ordinary run, one that is resumed at its half, and an evaluation run.

        Returns:
            What came of the ordinary run and of the evaluation run.
        """
        outcome = self.train(self.plan_with_checkpoint, watch=watch)
        for checkpoint in outcome.checkpoints.values():
            self.train(self.plan.resumed(checkpoint), watch=watch)
        return outcome, self.evaluate(watch=watch)

    @property
    def shifts_no_data(self) -> bool:
        """Whether a resume on this harness goes on with the right batch, whatever the batches are."""
        return self._harness.shifts_no_data

    def refuses(self, error: BaseException) -> bool:
        """Returns whether an exception is an explicit refusal by the callback, with a reason."""
        return is_refusal(error, self.subject.callback)

    def idle(self, **subject_fields: Any) -> Subject:
        """Returns the subject with a callback that does nothing, to learn what happens without the callback."""
        idle = next(base for base in type(self.built).__mro__ if base.__name__ == "CallbackBase")
        return replace(self.subject, callback=idle, config=None, kwargs=None, companions=(), **subject_fields)

    def would_break_anyway(self, plan: TrainingPlan, **subject_fields: Any) -> bool:
        """Returns whether a plan breaks with a callback that does nothing, too; then the callback is not to blame."""
        return self.train(plan, subject=self.idle(**subject_fields)).error is not None

    def once(self, name: str, observe: Callable[[], T]) -> T:
        """Returns an observation that several checks share, made by the first that asks for it."""
        memory = self.rehearsal.memory
        if name not in memory:
            memory[name] = observe()
        observation: T = memory[name]
        return observation

    @property
    def plan_with_checkpoint(self) -> TrainingPlan:
        """The plan of an ordinary run with a checkpoint at its half."""
        return replace(self.plan, checkpoint_after=(self.plan.total_updates // 2,))

    @property
    def plan_with_checkpoints(self) -> TrainingPlan:
        """The plan of an ordinary run with up to eight checkpoints before its end."""
        last = self.plan.total_updates - 1
        step = max(1, -(-last // 8))
        return replace(self.plan, checkpoint_after=tuple(range(last, 0, -step))[::-1])

    def build(self, subject: Subject | None = None) -> tuple[Any, dict[str, Any]]:
        """Returns a callback as it is after its constructor, and the collaborators that it was given.

        Args:
            subject: What to build; the subject of the bench by default.

        Raises:
            Unjudged: The constructor raised.
        """
        built: list[tuple[Any, dict[str, Any]]] = []
        outcome = self.train(subject=subject, watch=_catching(built))
        if not built:
            raise unfinished(outcome)
        return built[0]

    @property
    def built(self) -> Any:
        """A callback as it is after its constructor, to be looked at only: all checks share it.

        One whose class has a destructor is built anew each time, so that it is gone when the check is over.

        Raises:
            Unjudged: The constructor raised.
        """
        memory = self.rehearsal.memory
        if "built" in memory:
            return memory["built"]
        callback, _ = self.build()
        if not hasattr(type(callback), "__del__"):
            memory["built"] = callback
        return callback

    @property
    def fresh_evaluation(self) -> Outcome:
        """What came of an evaluation run that nobody watched; its folder is gone."""
        return self.once("evaluation", self.evaluate)

    @cached_property
    def _folder(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory(prefix="noether-testkit-")
        return Path(self._temporary.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "_folder" in vars(self):
            self._temporary.cleanup()


def rehearse(subject: Subject, harness: Harness) -> Rehearsal:
    """Does one ordinary run, and again without those metrics that the callback logs itself."""
    plan = ordinary_plan(subject)
    contested = keys_of_the_kit(subject)
    silent: frozenset[str] = frozenset()
    while True:
        with Bench(subject, harness, Rehearsal(plan=plan, outcome=Outcome(error=None), silent_keys=silent)) as bench:
            outcome = bench.train()
        own = outcome.logged_keys & contested
        if own <= silent:
            return Rehearsal(plan=plan, outcome=outcome, silent_keys=silent)
        silent |= own


def unfinished(outcome: Outcome) -> Unjudged:
    """Returns the reason why a run that broke cannot be judged by a check of something else."""
    place = place_of_error(outcome.error) if outcome.error is not None else None
    what = "nothing" if outcome.error is None else in_words(outcome.error)
    return Unjudged(ORDINARY_RUN, f"the run ended with {what}" + (f" at {place}" if place else ""))


def require_finished(outcome: Outcome) -> None:
    """Raises the reason why a check of something else cannot judge, where the run broke.

    Raises:
        Unjudged: It broke.
    """
    if outcome.error is not None:
        raise unfinished(outcome)


def injected() -> BaseException:
    """Returns the exception of a call that is made to fail."""
    return RuntimeError("This call fails because the kit makes it fail.")


class Enough(TestkitError):  # noqa: N818 - no error: ends a run of which enough was seen
    """Ends a run of which enough was seen."""


def _catching(built: list[tuple[Any, dict[str, Any]]]) -> Watcher:
    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        built.append((moment.callback, dict(moment.arguments)))
        raise Enough

    return watch
