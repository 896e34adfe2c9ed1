"""One experiment: trains twice, once without and once with stops, and compares what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.resume.compared import mismatches, of_early_end
from noether_testkit.contract.resume.files import contents, of_the_kit, tables
from noether_testkit.contract.resume.mismatch import Mismatch, Session
from noether_testkit.contract.resume.restoring import Restoring
from noether_testkit.contract.resume.sessions import notes_of_sessions
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.fakes.lineage import is_early_stop
from noether_testkit.plan import Checkpoint, Stop


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What came of a trial.

    Attributes:
        trial: The trial.
        mismatches: What differs; empty for a resume that leaves no trace.
        refusal: The error by which the callback refused to be resumed, if it did.
        warning: What the callback warned of when it was restored, and not when it starts afresh, if it did.
        notes: What differs because there are several sessions, in sentences.
        is_void: Whether the run ended, of its own accord or with an error, before it could be stopped.
    """

    trial: Trial
    mismatches: tuple[Mismatch, ...] = ()
    refusal: BaseException | None = None
    warning: str | None = None
    notes: tuple[str, ...] = ()
    is_void: bool = False

    @property
    def passes(self) -> bool:
        """Whether all that differs agrees again by the end."""
        return all(each.passes for each in self.mismatches)

    @property
    def may_pass(self) -> bool:
        """Whether all that differs agrees again by the end, or is too short to tell."""
        return all(each.passes or each.is_short for each in self.mismatches)


@dataclass
class _SoFar:
    """What the sessions before the last one left."""

    files: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    checkpoint: Checkpoint | None = None

    def add(self, outcome: Outcome, stop: Stop) -> None:
        self.files |= contents(outcome)
        self.summary |= outcome.summary
        self.ignored |= of_the_kit(outcome)
        self.checkpoint = outcome.checkpoints[stop.after_update]


def experiment(bench: Bench, space: Space, trial: Trial) -> Experiment:
    """Trains the twin that is never stopped, then the run that is, and compares them.

    A trial that held in one check is not made again in another. One in which something was seen is: instances that
    share what they gather would show in one check what only the runs of another have left.
    """
    held: set[Trial] = bench.once("trials that held", set)
    if trial in held:
        return Experiment(trial=trial)
    tried = _experiment(bench, space, trial)
    if tried == Experiment(trial=trial):
        held.add(trial)
    return tried


def _experiment(bench: Bench, space: Space, trial: Trial) -> Experiment:
    twin = twin_of(bench, space, trial)
    if twin.outcome.error is not None or any(stop.after_update >= twin.outcome.updates for stop in trial.stops):
        return Experiment(trial=trial, is_void=True)
    so_far, restoring = _SoFar(), Restoring()
    for stop in trial.stops:
        outcome = _train(bench, space, trial, so_far, restoring, stop)
        refused = _refusal(bench, outcome) if so_far.checkpoint is not None else None
        if refused is not None:
            return Experiment(trial=trial, refusal=refused)
        if stop.after_update not in outcome.checkpoints:
            early = () if so_far.checkpoint is None else of_early_end(outcome, twin.outcome)
            return Experiment(trial=trial, mismatches=early, is_void=not early)
        so_far.add(outcome, stop)
    outcome = _train(bench, space, trial, so_far, restoring, None)
    refused = _refusal(bench, outcome)
    if refused is not None:
        return Experiment(trial=trial, refusal=refused)
    return _compared(space, trial, twin, _session(trial, so_far, restoring, outcome), so_far, restoring)


def _compared(
    space: Space, trial: Trial, twin: Session, resumed: Session, so_far: _SoFar, restoring: Restoring
) -> Experiment:
    last = trial.stops[-1].after_update
    found = [each for each in mismatches(twin, resumed, last, so_far.ignored) if each.path not in restoring.moved_on]
    told = notes_of_sessions(space, trial, twin, resumed, found, restoring.moved_on)
    return Experiment(
        trial=trial,
        mismatches=tuple(each for each in found if each.kind != "log" or each.path not in told),
        warning=restoring.warning_beyond(twin.warned),
        notes=tuple(told.values()),
    )


def _train(
    bench: Bench, space: Space, trial: Trial, so_far: _SoFar, restoring: Restoring, stop: Stop | None
) -> Outcome:
    """Trains one session, from the last checkpoint to the next stop or the end."""
    checkpoint = so_far.checkpoint
    plan = trial.plan if checkpoint is None else trial.plan.resumed(checkpoint, in_place=trial.in_place)
    if stop is not None:
        ends = replace(stop, after_update=stop.after_update + trial.lost)
        plan = replace(plan, stop=ends, checkpoint_after=(stop.after_update,))
    return bench.train(plan, subject=space.subject_of(trial), watch=None if checkpoint is None else restoring)


def _session(trial: Trial, so_far: _SoFar, restoring: Restoring, outcome: Outcome) -> Session:
    files = contents(outcome)
    tag = "" if so_far.checkpoint is None else str(so_far.checkpoint.tag)
    return Session(
        outcome=replace(outcome, summary=so_far.summary | dict(outcome.summary)),
        files=so_far.files | files,
        last=files,
        earlier={} if trial.in_place else so_far.files,
        notes=restoring.notes_in(outcome.run_folder),
        start=tuple(int(number) for number in re.findall(r"\d+", tag)),
        number=len(trial.stops),
    )


def twin_of(bench: Bench, space: Space, trial: Trial) -> Session:
    """Returns the run that is never stopped; trials with one plan, interval and course share it."""
    return _once(bench, space, trial, "twin")


def second_twin_of(bench: Bench, space: Space, trial: Trial) -> Session:
    """Returns another run that is never stopped, to see what differs between equal runs."""
    return _once(bench, space, trial, "second twin")


def _once(bench: Bench, space: Space, trial: Trial, name: str) -> Session:
    def train() -> Session:
        restoring = Restoring()
        outcome = bench.train(trial.plan, subject=space.subject_of(trial), watch=restoring)
        return Session(
            outcome=outcome,
            files=contents(outcome),
            tables=tables(outcome),
            notes=restoring.notes_in(outcome.run_folder),
            warned=tuple(restoring.told),
        )

    return bench.once(f"{name} {trial.plan} {trial.interval} {trial.course}", train)


def _refusal(bench: Bench, outcome: Outcome) -> BaseException | None:
    errors = (found.error for found in outcome.hook_errors if not is_early_stop(found.error))
    return next((error for error in errors if bench.refuses(error)), None)
