"""Checks of the hooks: how they are called, and whether they record gradients."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, Unjudged, check
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import HookError, Moment, Outcome
from noether_testkit.contract.hooks import TRAINING_HOOKS, Signature, calls_of, overrides, place_of_hook, why_unbound
from noether_testkit.contract.locate import entered, in_words, place_of, place_of_error
from noether_testkit.contract.probes import AutogradProbe, Change, RecordedOperation, recorded_operations, watching


@check(
    force=Force.MUST,
    promise="has overrides that bind to the calls of the trainer.",
    why="A hook that does not take the trainer's arguments is a crash in the middle of a run; one for the end of "
    "training, for a resume or for an evaluation run crashes days after the start.",
    after=BUILT,
)
def fits_hook_signatures(bench: Bench) -> None:
    """Binds each override to the trainer's call, then looks for hooks whose body a run never reached."""
    callback, _ = bench.build()
    calls = calls_of(callback)
    for name, method in overrides(callback):
        reason = why_unbound(method, calls[name])
        if reason is not None:
            raise _unfit(name, calls[name], reason, method)
    for outcome in (bench.rehearsal.outcome, bench.evaluate()):
        for found in outcome.hook_errors:
            method = getattr(type(callback), found.moment.hook, None)
            if isinstance(found.error, TypeError) and method is not None and not entered(found.error, method):
                raise _unfit(found.moment.hook, calls[found.moment.hook], str(found.error), method)


@check(
    force=Force.MUST,
    promise="records no operation on an autograd graph in any hook.",
    why="A recorded graph keeps every intermediate tensor alive. Kept in a list or a running mean it grows with each "
    "call until the GPU is full, hours into the run; not kept, it still costs memory and time for nothing.",
    unless=("uses-gradients",),
    after=BUILT,
)
def runs_without_grad(bench: Bench) -> None:
    """Watches every torch operation inside the hooks of an ordinary run and of an evaluation run."""
    watch = _OperationWatch()
    bench.watch_all(watch)
    if watch.found:
        moment, operation, count = watch.found[0]
        others = f" It recorded {count} operations in that call." if count > 1 else ""
        raise Finding(
            seen=f"{moment} recorded {operation.name} on an autograd graph.{others}",
            expected="No hook records an operation: the framework calls hooks without gradient recording.",
            fix=_how_not_to_record(moment),
            location=operation.location or place_of_hook(moment),
        )
    _require_finished(bench.rehearsal.outcome)


@check(
    force=Force.MUST,
    promise="leaves gradient recording, inference mode and autocast as found, also after an error.",
    why="These switches belong to the whole thread. Left on, they make the hooks that follow record graphs or compute "
    "in another precision; left off, the next backward pass fails or trains nothing.",
    after=BUILT,
)
def leaves_grad_mode_alone(bench: Bench) -> None:
    """Compares the switches around each call, in an ordinary run, an evaluation run, and runs with faults."""
    watch = _ModeWatch()
    outcome, evaluation = bench.watch_all(watch)
    _require_same_modes(watch, "")
    for run, uses in ((bench.train, outcome.uses), (bench.evaluate, evaluation.uses)):
        for hook, method, count in uses:
            for nth in {1, count}:
                run(watch=watch, hook_faults={(hook, method, nth): _injected})
                _require_same_modes(watch, f", after {method} had raised in it")
    _require_finished(bench.rehearsal.outcome)


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


class _OperationWatch:
    """Notes the recorded operations of each hook."""

    def __init__(self) -> None:
        self.found: list[tuple[Moment, RecordedOperation, int]] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        if moment.hook not in TRAINING_HOOKS:
            yield
            return
        with recorded_operations() as operations:
            try:
                yield
            finally:
                if operations:
                    self.found.append((moment, operations[0], len(operations)))


class _ModeWatch:
    """Notes which switches differ after a call."""

    def __init__(self) -> None:
        self.found: list[tuple[Moment, list[Change]]] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        with watching(AutogradProbe()) as changes:
            try:
                yield
            finally:
                self.found.append((moment, changes))

    def first(self) -> tuple[Moment, list[Change]] | None:
        """Returns the first call that changed a switch."""
        return next(((moment, changes) for moment, changes in self.found if changes), None)


def _require_same_modes(watch: _ModeWatch, condition: str) -> None:
    found = watch.first()
    if found is None:
        return
    moment, changes = found
    changed = "; ".join(f"{change.what} was {change.before} before and {change.after} after" for change in changes)
    raise Finding(
        seen=f"{str(moment).replace('the c', 'The c')} changed a switch of the whole thread{condition}: {changed}.",
        expected="Every switch is as it was when the hook was called.",
        fix="Use the context managers (with torch.no_grad(), torch.enable_grad(), torch.inference_mode(), "
        "torch.autocast(...)): they put the switch back, also when the block raises. Do not call "
        "torch.set_grad_enabled as a function, nor __enter__ by hand.",
        location=place_of_hook(moment),
    )


def _require_finished(outcome: Outcome) -> None:
    if outcome.error is not None:
        raise unfinished(outcome)


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


def _unfit(name: str, call: Signature, reason: str, method: Any) -> Finding:
    return Finding(
        seen=f"{name} does not take the trainer's call {name}({call}): {reason}.",
        expected=f"The override binds to {name}({call}).",
        fix=f"Give the override these parameters; those it does not need can go into **kwargs: "
        f"def {name}(self, {_parameters(call)}**kwargs).",
        location=place_of(method),
    )


def _parameters(call: Signature) -> str:
    first = "argument, " * call.positional
    named = f"{'' if call.positional else '*, '}{call.keywords[0]}, " if call.keywords else ""
    return first + named


def _how_not_to_record(moment: Moment) -> str:
    declare = "If the callback needs gradients to do its job, say so: declares={'uses-gradients'}."
    if moment.hook == "at_eval":
        return (
            "Only the base class's at_eval switches recording off: call super().at_eval(...), or put torch.no_grad() "
            f"around the override. {declare}"
        )
    return f"Drop torch.enable_grad() or torch.set_grad_enabled(True) in front of it. {declare}"


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


def _injected() -> BaseException:
    return RuntimeError("This call fails because the kit makes it fail.")


CHECKS = (
    fits_hook_signatures,
    runs_without_grad,
    leaves_grad_mode_alone,
    survives_a_zero_update_run,
    completes_an_ordinary_run,
)
