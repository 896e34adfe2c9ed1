"""Checks of whole runs: ordinary ones, and those without updates."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, Unjudged, check
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import HookError, Outcome
from noether_testkit.contract.locate import in_words, place_of_error


@check(
    force=Force.SHOULD,
    promise="works when after_training follows before_training at once, and when it is built and dropped.",
    why="A run can end before its first update: it was finished when it was resumed, or a limit says so. An end hook "
    "that counts on at least one update then turns a finished run into a failed one.",
    after=BUILT,
)
def survives_a_zero_update_run(bench: Bench) -> str | None:
    """Calls the end hooks right after the start hooks, and drops a callback that never ran."""
    _require_quiet_drop(bench)
    outcome = bench.train(replace(bench.plan, epochs=None, samples=None, updates=0))
    if outcome.error is None:
        return None
    if bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    found = next(iter(outcome.hook_errors), None)
    if found is not None and bench.refuses(found.error):
        return f"It refuses a run without updates: {found.moment.hook} raised {in_words(found.error)}."
    where = "the run" if found is None else found.moment.hook
    raise Finding(
        seen=f"In a run without updates, {where} raised {in_words(outcome.error)}.",
        expected="The end hooks work although nothing was gathered.",
        fix="Treat 'nothing was gathered' as a case of its own, for example: if not self.values: return.",
        location=place_of_error(outcome.error),
    )


@check(
    force=Force.MUST,
    promise="completes an ordinary run, and an evaluation run or refuses it.",
    why="An error in a hook ends the whole run; in the tracking, start and end hooks not even a checkpoint is saved.",
    after=BUILT,
    explained_by=("fits-hook-signatures", "leaves-grad-mode-alone", "has-state-of-the-right-shape"),
)
def completes_an_ordinary_run(bench: Bench) -> str | None:
    """Trains for two epochs, then evaluates."""
    outcome = bench.rehearsal.outcome
    if outcome.error is not None:
        raise _broken(bench, outcome, "an ordinary run")
    evaluation = bench.evaluate()
    if evaluation.error is None:
        return None
    found = next(iter(evaluation.hook_errors), None)
    if "trains-only" in bench.subject.declares or (found is not None and bench.refuses(found.error)):
        return f"It does not work in an evaluation run: {in_words(evaluation.error)}."
    raise _broken(bench, evaluation, "an evaluation run, which calls at_eval and neither start nor end hooks")


def _require_quiet_drop(bench: Bench) -> None:
    """Builds a callback and drops it: its destructor must not raise."""
    _, collaborators = bench.build()
    raised: list[BaseException] = []
    previous, sys.unraisablehook = sys.unraisablehook, lambda found: raised.append(found.exc_value or Exception())
    try:
        callback = build(bench.subject, collaborators)
        has_destructor = hasattr(type(callback), "__del__")
        del callback
        if has_destructor:
            gc.collect()
    finally:
        sys.unraisablehook = previous
    if raised:
        raise Finding(
            seen=f"A callback that was built and dropped raised {in_words(raised[0])} in __del__.",
            expected="A callback that never ran can be dropped in silence.",
            fix="Create in the constructor what __del__ uses, or ask for it with getattr(self, ..., None).",
            location=place_of_error(raised[0]),
        )


def _broken(bench: Bench, outcome: Outcome, kind: str) -> Finding:
    error = outcome.error
    if error is None:  # pragma: no cover - the callers have looked
        raise Unjudged("completes-an-ordinary-run", "nothing broke")
    found: HookError | None = next(iter(outcome.hook_errors), None)
    where = f"{found.moment} raised" if found is not None else f"the trainer raised after update {outcome.updates}"
    fix = "Mend the hook. If it asks for data that the default problem lacks (it has x and y), give datasets=."
    if found is None:
        fix = (
            "No hook of the callback raised. Look at the model=, loss=, datasets= and metrics= of the subject first, "
            "then at what the callback changed in the run."
        )
    if bench.refuses(error):
        fix = (
            "If the refusal is right, the subject lacks something: give the callback what it asks for with config=, "
            "metrics=, datasets=, model= or companions=. Otherwise mend the hook."
        )
    return Finding(
        seen=f"In {kind}, {where}: {in_words(error)}.",
        expected=f"The run of {bench.plan.total_updates} updates goes through.",
        fix=fix,
        location=place_of_error(error),
    )


CHECKS = (survives_a_zero_update_run, completes_an_ordinary_run)
