"""Checks of whole runs: ordinary ones, and those without updates."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace

from noether_testkit.contract.bench import ORDINARY_RUN, Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, Unjudged, check
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import HookError, Outcome
from noether_testkit.contract.locate import in_words, place_of_error
from noether_testkit.contract.tiny import TinyRun, gathers, tiny_runs


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
    outcome = _without_updates(bench)
    if outcome.error is None:
        return None
    if bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    found = next(iter(outcome.failures), None)
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
    promise="works with one update, one sample, and data sets that no batch fills.",
    why="A trial run of one update, a test set smaller than a batch, or a last batch of one sample are everyday. A "
    "callback that counts on more breaks there, most often in the end hook, when all the work is done.",
    after=(*BUILT, ORDINARY_RUN),
)
def survives_tiny_runs(bench: Bench) -> str | None:
    """Trains for one update, on one sample, and beside test sets of all sizes around a batch."""
    remark = None
    for run in tiny_runs(bench):
        outcome = bench.train(run.plan, subject=run.subject)
        if outcome.error is None:
            continue
        found = next(iter(outcome.failures), None)
        if found is not None and bench.refuses(found.error):
            remark = f"It refuses {run.what}: {found.moment.hook} raised {in_words(found.error)}."
            continue
        if bench.would_break_anyway(run.plan, model=run.subject.model, datasets=run.subject.datasets):
            continue
        _require_gathered(bench, run, outcome)
        raise Finding(
            seen=f"In {run.what}, {'the trainer' if found is None else found.moment} raised {in_words(outcome.error)}.",
            expected="The run goes through, however small it is.",
            fix="Treat 'only one value', 'only one sample' and 'a smaller last batch' as cases of their own: ask for "
            "len(...) before taking differences or deviations, name the dimension in squeeze(dim), and take the "
            "size of a batch from the batch.",
            location=place_of_error(outcome.error),
        )
    return remark


@check(
    force=Force.MUST,
    promise="completes an ordinary run.",
    why="An error in a hook ends the whole run; in the tracking, start and end hooks not even a checkpoint is saved.",
    after=BUILT,
    explained_by=(
        "fits-hook-signatures",
        "leaves-grad-mode-alone",
        "stops-only-from-periodic-hooks",
        "has-state-of-the-right-shape",
    ),
)
def completes_an_ordinary_run(bench: Bench) -> None:
    """Trains for two epochs, or longer where the interval needs it."""
    outcome = bench.rehearsal.outcome
    if outcome.error is not None:
        raise _broken(bench, outcome, outcome.error)


def _without_updates(bench: Bench) -> Outcome:
    """Returns what came of a run without updates, which is done once."""
    plan = replace(bench.plan, epochs=None, samples=None, updates=0)
    return bench.once("without updates", lambda: bench.train(plan))


def _require_gathered(bench: Bench, run: TinyRun, outcome: Outcome) -> None:
    """A run in which the callback gathered nothing fails as one without updates does, and that check speaks."""
    empty = _without_updates(bench)
    if empty.error is None or outcome.error is None or place_of_error(empty.error) != place_of_error(outcome.error):
        return
    if not gathers(bench, run):
        reason = f"nothing was gathered in {run.what}, and the run ended with {in_words(empty.error)}"
        raise Unjudged("survives-a-zero-update-run", reason)


def _require_quiet_drop(bench: Bench) -> None:
    """Builds a callback and drops it: its destructor must not raise."""
    _, collaborators = bench.build()
    raised: list[BaseException] = []
    previous, sys.unraisablehook = sys.unraisablehook, lambda found: raised.append(found.exc_value or Exception())
    try:
        try:
            callback = build(bench.subject, collaborators)
        except Exception:  # noqa: BLE001 - what its constructor logs may be refused for the second time
            return
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


def _broken(bench: Bench, outcome: Outcome, error: BaseException) -> Finding:
    found: HookError | None = next(iter(outcome.failures), None)
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
        seen=f"In an ordinary run, {where}: {in_words(error)}.",
        expected=f"The run of {bench.plan.total_updates} updates goes through.",
        fix=fix,
        location=place_of_error(error),
    )


CHECKS = (survives_a_zero_update_run, completes_an_ordinary_run, survives_tiny_runs)
