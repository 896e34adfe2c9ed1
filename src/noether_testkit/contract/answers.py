"""What the callback's own hooks answer in runs, and which of them are reached."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import in_words
from noether_testkit.contract.hooks import overrides
from noether_testkit.contract.locate import place_of


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was seen of the overrides of a callback.

    Attributes:
        given: Hook, value in words and place, for the first answer of each hook that was not `None`.
        reached: The hooks whose own code ran, in training, resumed and evaluation runs.
    """

    given: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)


def answers(bench: Bench) -> Answers:
    """Returns what the overrides answered in an ordinary run, a resumed one, and an evaluation run."""
    return bench.once("answers", lambda: _observe(bench))


def code_of(method: Any) -> CodeType | None:
    """Returns the code of a method, without what decorators put around it."""
    function = inspect.unwrap(getattr(method, "__func__", method))
    return getattr(function, "__code__", None)


def _observe(bench: Bench) -> Answers:
    callback, _ = bench.build()
    seen = Answers()
    codes = {code: (name, method) for name, method in overrides(callback) if (code := code_of(method)) is not None}

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        known = codes.get(frame.f_code)
        if known is None or event not in ("call", "return"):
            return
        name, method = known
        seen.reached.add(name)
        if event == "return" and argument is not None and name not in seen.given:
            seen.given[name] = in_words(argument), place_of(method)

    with _profiling(profile):
        outcome = bench.train(bench.plan_with_checkpoint)
        for checkpoint in outcome.checkpoints.values():
            bench.train(bench.plan.resumed(checkpoint))
        bench.evaluate()
    return seen


@contextmanager
def _profiling(profile: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(previous)
