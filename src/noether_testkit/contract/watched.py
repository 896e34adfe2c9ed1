"""What several checks see in the same runs, by watchers that change nothing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import in_words
from noether_testkit.contract.graphs import GraphWatch
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.hooks import TRAINING_HOOKS, overrides
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.options import OptionWatch
from noether_testkit.contract.probes import AutogradProbe, Change, RecordedOperation, recorded_operations, watching


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was seen of the overrides of a callback.

    Attributes:
        given: Hook, value in words and place, for the first answer of each hook that was not `None`.
        reached: The hooks whose own code ran, in training, resumed and evaluation runs.
    """

    given: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What was seen in an ordinary run, one with a checkpoint, one that is resumed from there, and an evaluation run.

    Attributes:
        modes: Calls that changed a switch, and what they changed.
        operations: Calls that recorded operations on a graph, with the first of them and their number.
        answers: What the callback's own hooks answered.
        graphs: What the callback held in the ordinary run, and in the evaluation run.
        options: What the callback held as options in the ordinary run.
        outcome: What came of the run with a checkpoint.
        evaluation: What came of the evaluation run.
    """

    modes: list[tuple[Moment, list[Change]]]
    operations: list[tuple[Moment, RecordedOperation, int]]
    answers: Answers
    graphs: tuple[GraphWatch, GraphWatch]
    options: OptionWatch
    outcome: Outcome
    evaluation: Outcome


class ModeWatch:
    """Notes which switches differ after a call."""

    def __init__(self) -> None:
        self.found: list[tuple[Moment, list[Change]]] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Looks around a call."""
        with watching(AutogradProbe()) as changes:
            try:
                yield
            finally:
                self.found.append((moment, changes))


class OperationWatch:
    """Notes the recorded operations of each hook."""

    def __init__(self) -> None:
        self.found: list[tuple[Moment, RecordedOperation, int]] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Listens during a call."""
        if moment.hook not in TRAINING_HOOKS:
            yield
            return
        with recorded_operations() as operations:
            try:
                yield
            finally:
                if operations:
                    self.found.append((moment, operations[0], len(operations)))


class AnswerWatch:
    """Notes what the callback's own hooks answer, those as well that other hooks call.

    Args:
        callback: A callback of that kind.
    """

    def __init__(self, callback: Any) -> None:
        self.answers = Answers()
        self._codes: Mapping[CodeType, tuple[str, Any]] = {
            code: (name, method) for name, method in overrides(callback) if (code := code_of(method)) is not None
        }

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Listens during a call."""
        previous = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(previous)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        known = self._codes.get(frame.f_code)
        if known is None or event not in ("call", "return"):
            return
        name, method = known
        self.answers.reached.add(name)
        if event == "return" and argument is not None and name not in self.answers.given:
            self.answers.given[name] = in_words(argument), place_of(method)


def watched(bench: Bench) -> Watched:
    """Returns what was seen in the runs, which are done once for all checks."""
    return bench.once("watched", lambda: _watch(bench))


def code_of(method: Any) -> CodeType | None:
    """Returns the code of a method, without what decorators put around it."""
    function = inspect.unwrap(getattr(method, "__func__", method))
    return getattr(function, "__code__", None)


def _watch(bench: Bench) -> Watched:
    modes, operations, answers = ModeWatch(), OperationWatch(), AnswerWatch(bench.built)
    graphs, options = (GraphWatch([]), GraphWatch([])), OptionWatch(bench.subject)

    @contextmanager
    def watch_plain(moment: Moment) -> Iterator[None]:
        with graphs[0](moment), options(moment):
            yield

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        with modes(moment), operations(moment), answers(moment):
            yield

    @contextmanager
    def watch_evaluation(moment: Moment) -> Iterator[None]:
        with graphs[1](moment), watch(moment):
            yield

    bench.train(watch=watch_plain)
    outcome = bench.train(bench.plan_with_checkpoint, watch=watch)
    for checkpoint in outcome.checkpoints.values():
        bench.train(bench.plan.resumed(checkpoint), watch=watch)
    evaluation = bench.evaluate(watch=watch_evaluation)
    return Watched(
        modes=[(moment, changes) for moment, changes in modes.found if changes],
        operations=operations.found,
        answers=answers.answers,
        graphs=graphs,
        options=options,
        outcome=outcome,
        evaluation=evaluation,
    )
