"""Check that instances do not reach into one another, nor into their config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.configs import fields_of, resolve_config
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.locate import place_of_constructor
from noether_testkit.contract.reach import collaborators_and_model, leaves, weights_held
from noether_testkit.contract.shared import SharedThings
from noether_testkit.contract.subject import Subject
from noether_testkit.contract.trials import provoking


@check(
    force=Force.MUST,
    promise="changes neither its config nor another instance.",
    why="A run may have two callbacks of one kind, and a process several runs. A list that is a class attribute or a "
    "default belongs to all of them: each sees what the others gathered, and a config that was changed builds another "
    "callback the next time.",
    after=BUILT,
)
def isolates_instances(bench: Bench) -> None:
    """Lets an instance run beside an idle one, and looks at the idle one, the config, and what the class shares."""
    watch = _RunWatch(bench.subject)
    bench.train(watch=watch)
    if watch.shared is None:
        require_finished(bench.rehearsal.outcome)
        return
    try:
        _require_same_config(watch)
        again = _RunWatch(bench.subject)
        if watch.shared_changes or watch.idle_changes:
            bench.train(watch=again)
            _require_own_values(watch, again)
        if watch.shared_changes:
            _require_same_run(bench, watch)
    finally:
        watch.shared.put_back()
    require_finished(bench.rehearsal.outcome)


class _RunWatch:
    """Watches a run beside an idle instance."""

    def __init__(self, subject: Subject) -> None:
        self.shared: SharedThings | None = None
        self.config: Any = None
        self.shared_changes: list[Difference] = []
        self.idle_changes: list[Difference] = []
        self.config_changes: list[Difference] = []
        self.after = ""
        self.owner: Any = None
        self.held: dict[str, Any] = {}
        self.state: Any = None
        self.answers: list[Any] = []
        self._subject = subject
        self._idle: Any = None
        self._look: dict[str, Any] = {}
        self._config: dict[str, Any] = {}
        self._closed: frozenset[int] = frozenset()
        self._built: SharedThings | None = None

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        if moment.hook == "__init__":
            closed = collaborators_and_model(moment.arguments)
            if isinstance(self._subject.callback, type):
                self.shared = SharedThings(self._subject.callback, closed)
            yield
            self._start(moment, closed)
        else:
            yield
        self._compare(moment)

    def _start(self, moment: Moment, closed: frozenset[int]) -> None:
        self.owner = type(moment.callback)
        self.shared = self.shared or SharedThings(self.owner, closed)
        self._closed = closed
        try:
            self._idle = build(self._subject, moment.arguments)
        except Exception:  # noqa: BLE001 - what its constructor logs may be refused for the second time
            return
        self._look = leaves(self._idle, closed)
        self._config = leaves(fields_of(resolve_config(self._subject)), name="config")
        self._built = SharedThings(self.owner, closed)

    def _compare(self, moment: Moment) -> None:
        """Compares config, idle instance and class; what was seen last counts."""
        if self._built is None:
            return
        if not self.config_changes:
            self.config_changes = _config_changes(self._subject, moment, self._config)
            self.after = str(moment)
        if moment.hook in ("after_training", "after_update", "before_training"):
            self.shared_changes = self._built.changes()
            changes = differences(self._look, leaves(self._idle, self._closed), path="")
            weights = weights_held(self._idle, moment.model, self._closed) if changes else {}
            self.idle_changes = [each for each in changes if _path(each) not in weights]
        self.held = leaves(moment.callback, self._closed)
        if moment.hook == "after_training":
            self.state = snapshot(moment.callback.state_dict())


def _config_changes(subject: Subject, moment: Moment, as_built: dict[str, Any]) -> list[Difference]:
    if not differences(as_built, leaves(fields_of(moment.stage.config), name="config")):
        return []
    given = [leaves(fields_of(resolve_config(subject)), name="config") for _ in range(2)]
    unsteady = {each.path for each in differences(*given)}
    now = leaves(fields_of(moment.stage.config), name="config")
    return [each for each in differences(given[0], now) if each.path not in unsteady]


def _require_same_config(watch: _RunWatch) -> None:
    if not watch.config_changes:
        return
    change = watch.config_changes[0]
    raise Finding(
        seen=f"The config that the callback was built with is another one after {watch.after}: "
        f"{_path(change)} was {change.left} and is {change.right}.",
        expected="A config is read, never written: the next callback that is built from it finds it as it was.",
        fix="Copy what has to change: self.keys = list(callback_config.keys), dict(...), or copy.deepcopy(...).",
        location=place_of_constructor(watch.owner),
    )


def _require_own_values(first: _RunWatch, again: _RunWatch) -> None:
    """What only fills once, as a cache does, changes nothing in the second of two equal runs."""
    steady = {each.path for each in [*again.shared_changes, *again.idle_changes]}
    for what, changes in (("an idle instance", first.idle_changes), ("what all instances share", first.shared_changes)):
        found = [each for each in changes if each.path in steady or _grows(each, again)]
        if found:
            change = found[0]
            raise Finding(
                seen=f"While one instance was trained, {what} changed: {_path(change)} was {change.left} and is now "
                f"{change.right}. A second run changes it again.",
                expected="What an instance gathers is its own.",
                fix="Create lists, dicts, sets and tensors in the constructor, one an instance: self.history = [] in "
                "place of a class attribute, and a parameter's default None in place of [] or {}.",
                location=place_of_constructor(first.owner),
            )


def _grows(change: Difference, again: _RunWatch) -> bool:
    """Returns whether a container that got a new entry in the first run got another one in the second."""
    stem = change.path.partition("[")[2].rpartition("[")[0]
    return bool(stem) and any(stem in each.path for each in [*again.shared_changes, *again.idle_changes])


def _require_same_run(bench: Bench, watch: _RunWatch) -> None:
    """Runs an instance in a fresh class twice, and after another instance's run: the log must tell no difference."""
    if watch.shared is None:
        return
    other = replace(bench.plan, seed=bench.plan.seed + 1)
    looks: list[dict[str, Any]] = []
    for before in ((), (), (bench.subject, *provoking(bench.subject))):
        watch.shared.put_back()
        for subject in before:
            bench.train(subject=subject)
        seen = _RunWatch(bench.subject)
        outcome = bench.train(other, watch=seen)
        looks.append({"log": [dict(entry) for entry in outcome.log], "state": seen.state})
    unsteady = {each.path for each in differences(looks[0], looks[1], path="run")}
    felt = [each for each in differences(looks[0], looks[2], path="run") if each.path not in unsteady]
    if felt:
        shared = _path(watch.shared_changes[0])
        raise Finding(
            seen=f"Trained first, an instance has {felt[0].path} = {felt[0].left}; trained after others, "
            f"{felt[0].right}: they share {shared}.",
            expected="A run is the same, whatever instances were trained before it.",
            fix="Create what an instance gathers in its constructor: self.history = [] in place of a class attribute.",
            location=place_of_constructor(watch.owner),
        )


def _path(change: Difference) -> str:
    """Returns the path within an object, as differences of looks at it have it: `['self.history[0]']`."""
    return change.path[2:-2]


CHECKS = (isolates_instances,)
