"""Checks of how hooks are spelt, and of what they take."""

from __future__ import annotations

from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.hooks import Signature, calls_of, overrides, why_unbound
from noether_testkit.contract.locate import entered, place_of


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


CHECKS = (fits_hook_signatures,)
