"""Checks of how hooks are spelt, and of what they take."""

from __future__ import annotations

import inspect
from typing import Any

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.hooks import Signature, calls_of, is_overridden, overrides, why_unbound
from noether_testkit.contract.locate import entered, place_of
from noether_testkit.contract.spelling import HOOKS, does_nothing, lookalikes
from noether_testkit.contract.watched import code_of, watched
from noether_testkit.fakes.lineage import is_base_class


@check(
    force=Force.MUST,
    promise="has overrides that bind to the calls of the trainer.",
    why="A hook that does not take the trainer's arguments is a crash in the middle of a run; one for the end of "
    "training, for a resume or for an evaluation run crashes days after the start.",
    after=BUILT,
)
def fits_hook_signatures(bench: Bench) -> None:
    """Binds each override to the trainer's call, then looks for hooks whose body a run never reached."""
    callback = bench.built
    calls = calls_of(callback)
    for name, method in overrides(callback):
        reason = why_unbound(method, calls[name])
        if reason is not None:
            raise _unfit(name, calls[name], reason, method)
    for outcome in (bench.rehearsal.outcome, bench.fresh_evaluation):
        for found in outcome.hook_errors:
            method = getattr(type(callback), found.moment.hook, None)
            if isinstance(found.error, TypeError) and method is not None and not entered(found.error, method):
                raise _unfit(found.moment.hook, calls[found.moment.hook], str(found.error), method)


@check(
    force=Force.SHOULD,
    promise="has no method that looks like a hook and is never called.",
    why="A method under a name that the trainer does not know is no error: it is never called, and nothing is logged, "
    "saved or stopped. The run goes well, and its author finds out at the end of it.",
    after=BUILT,
)
def spells_hook_names(bench: Bench) -> None:
    """Looks for names like those of hooks that nothing calls, and for overrides that no run reaches."""
    callback = bench.built
    for name, function, hook in lookalikes(callback):
        raise _misspelt(callback, name, function, hook)
    for name, callers in _REACHED_BY.items():
        if not is_overridden(callback, name) or not any(is_overridden(callback, each) for each in callers):
            continue
        cut_by = next((each for each in callers if is_overridden(callback, each)), name)
        if all(does_nothing(getattr(callback, each)) for each in callers if is_overridden(callback, each)):
            continue
        method = getattr(callback, name)
        if code_of(method) is not None and name not in watched(bench).answers.reached:
            require_finished(bench.rehearsal.outcome)
            raise Finding(
                seen=f"{name} is overridden, but neither an ordinary, nor a resumed, nor an evaluation run came to it.",
                expected="Every override is called in some run.",
                fix=f"The base class's {cut_by} calls it, and that is overridden, too: call super().{cut_by}(...) "
                f"there, or call self.{name}(...) yourself, or delete it.",
                location=place_of(method),
            )


@check(
    force=Force.SHOULD,
    promise="returns None from its hooks.",
    why="The trainer throws away what a hook returns. A callback that answers True to stop the run, or a metric to be "
    "logged, waits for an effect that never comes, and nothing tells.",
    after=BUILT,
)
def returns_nothing_from_hooks(bench: Bench) -> None:
    """Watches what the callback's own hooks return, in an ordinary, a resumed and an evaluation run."""
    callback = bench.built
    given = {name: method for name, method in overrides(callback) if name not in _ANSWERING}
    for name, method in given.items():
        kind = _deferred(method)
        if kind is not None:
            raise _answered(name, f"{name} is {kind}: calling it runs nothing of its body.", place_of(method))
    seen = watched(bench).answers.given
    for name in given:
        if name in seen:
            value, place = seen[name]
            raise _answered(name, f"{name} returned {value}.", place)
    require_finished(bench.rehearsal.outcome)


_ANSWERING = ("state_dict", "process_data")
_REACHED_BY = {"periodic_callback": ("after_update", "after_epoch"), "process_results": ("periodic_callback",)}
"""Hooks that the base class calls, and its methods that do so."""


def _deferred(method: Any) -> str | None:
    function = inspect.unwrap(getattr(method, "__func__", method))
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "an async function"
    return "a generator (there is a yield in it)" if inspect.isgeneratorfunction(function) else None


def _answered(name: str, seen: str, place: str | None) -> Finding:
    return Finding(
        seen=seen,
        expected="Hooks return None: nobody looks at what they answer.",
        fix="To stop the run raise EarlyStopIteration in periodic_callback; to log call self.writer.add_scalar(key, "
        f"value); to hand a value on set an attribute. Then take the value out of the return in {name}.",
        location=place,
    )


def _misspelt(callback: Any, name: str, function: Any, hook: str | None) -> Finding:
    kind = next(base.__name__ for base in type(callback).__mro__ if is_base_class(base))
    if name in HOOKS:
        seen = f"{name} is a hook, but the trainer never calls it on a {kind}, and nothing in the class does."
        needs = "PeriodicDataIteratorCallback" if name.startswith("process_") else "PeriodicCallback"
        fix = f"Derive the class from {needs}, whose hook this is, or move the work to a hook that a {kind} has."
    else:
        meant = f" The nearest hook is {hook}." if hook else " There is no such hook in this framework."
        seen = f"The public method {name} looks like a hook, but the trainer knows no hook of this name.{meant}"
        fix = f"Rename it to {hook}" if hook else "Move the work to after_update or after_epoch"
        fix += f", with the parameters of that hook; if {name} is a helper, call it, or name it with an underscore."
    return Finding(
        seen=seen,
        expected="Every method that looks like a hook is one, and is called in a run.",
        fix=fix,
        location=place_of(function),
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


CHECKS = (fits_hook_signatures, spells_hook_names, returns_nothing_from_hooks)
