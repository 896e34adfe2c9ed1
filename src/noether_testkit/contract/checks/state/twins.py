"""The check of two callbacks of one kind in one run."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import Parameter
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import differences
from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.construction import build, signature
from noether_testkit.contract.diary import ordinary_diary
from noether_testkit.contract.footprint import folder_of, footprint, plain_footprint
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of_constructor, place_of_error
from noether_testkit.contract.stateful import SHAPED, place_of_method, require_finished
from noether_testkit.contract.subject import Subject

_NAME = "twin"
_INTERVALS = ("every_n_epochs", "every_n_updates", "every_n_samples")


@dataclass
class _Sight:
    """What was seen of one callback in a run.

    Attributes:
        outcome: What came of the run.
        twin: The other callback, once it is built.
        key: The callback's `checkpoint_key`.
        files: The files that it wrote, relative to the run folder.
        muted: Keys that the other one would have logged, too.
    """

    outcome: Outcome = field(default_factory=lambda: Outcome(error=None))
    twin: Any = None
    key: Any = None
    files: set[str] = field(default_factory=set)
    muted: set[str] = field(default_factory=set)


@check(
    force=Force.MUST,
    promise="shares a run with a second instance of another name and interval: its state has a key of its own or it "
    "refuses clearly, and its files are its own.",
    why="Two of a kind are natural: two metrics, two intervals, two decays. The trainer refuses two states under one "
    "key before the first update, and of two callbacks that write one file, one finds the other's content in it.",
    after=(*SHAPED, "is-stateful-from-construction"),
    explained_by=("keeps-its-name", "isolates-instances"),
)
def shares_a_run_with_its_twin(bench: Bench) -> str | None:
    """Trains the callback together with a second one of its kind, and compares keys and files."""
    require_finished(bench)
    twin = _twin_of(bench.subject)
    seen = _run_with(bench, bench.subject, twin)
    if not ordinary_diary(bench).is_stateless:
        _require_own_key(bench, seen)
    refused = _require_completed(bench, twin, seen)
    if refused is not None:
        return refused
    if seen.files:
        _require_own_files(bench, seen, _run_with(bench, twin, bench.subject))
    if not seen.muted:
        return None
    return (
        f"Both log {', '.join(sorted(map(repr, seen.muted)))}: at an update at which both are due, the run ends with a "
        "KeyError."
    )


def _twin_of(subject: Subject) -> Subject:
    """Returns the subject of a second instance with another name, and another interval where there is one."""
    takes = signature(subject)
    takes_name = "name" in takes or any(each.kind is Parameter.VAR_KEYWORD for each in takes.values())
    config = resolve_config(subject)
    fields = type(config).model_fields if isinstance(config, BaseModel) else {}
    if not takes_name and "id" not in fields:
        raise NotApplicable("It takes no name, so that there is no second one of another name.")
    if fields:
        intervals = {name: value + 1 for name in _INTERVALS if isinstance(value := getattr(config, name, None), int)}
        config = config.model_copy(update={**intervals, **({"id": _NAME} if "id" in fields else {})})
    kwargs = {**(subject.kwargs or {}), **({"name": _NAME} if takes_name else {})}
    return replace(subject, config=config, kwargs=kwargs, companions=(), expected_failures=None)


def _run_with(bench: Bench, subject: Subject, twin: Subject) -> _Sight:
    """Trains a subject together with a twin, whose log entries of the same keys are dropped."""
    sight = _Sight()

    def make_twin(**collaborators: Any) -> Any:
        writer = _Muted(collaborators["log_writer"], bench.rehearsal.outcome.logged_keys, sight.muted)
        sight.twin = build(twin, {**collaborators, "log_writer": writer})
        return sight.twin

    companions = (*bench.subject.companions, Subject(make_twin))
    sight.outcome = bench.train(subject=replace(subject, companions=companions), watch=_noting(sight))
    return sight


def _noting(sight: _Sight) -> Any:
    """Returns a watcher that notes the key, and the files that are made or changed in a hook."""
    folders: list[Path] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook == "__init__":
            folders.append(folder_of(moment))
        before = _stamps(folders[0])
        try:
            yield
        finally:
            checkpoints = _trainers_own(moment.model)
            sight.files |= {name for name, stamp in _stamps(folders[0]) - before if not checkpoints.search(name)}
        if moment.hook == "__init__":
            sight.key = moment.callback.checkpoint_key

    return watch


def _require_own_key(bench: Bench, seen: _Sight) -> None:
    if seen.twin is None or seen.twin.checkpoint_key != seen.key:
        return
    raise Finding(
        seen=f"A second instance with the name {_NAME!r} has the checkpoint_key {seen.key!r}, as the first one has, "
        "and both have a state.",
        expected="The name decides on the key: self.checkpoint_key is the name that was given.",
        fix="Hand the name on: super().__init__(callback_config, **kwargs), or name=name; and leave checkpoint_key to "
        "the base class. Where one instance is enough, raise a ValueError that says so.",
        location=place_of_method(bench, "checkpoint_key") or place_of_constructor(bench.subject.callback),
    )


def _require_completed(bench: Bench, twin: Subject, seen: _Sight) -> str | None:
    """Returns why the run with two was not completed, where that is no fault."""
    error = seen.outcome.error
    if error is None:
        return None
    if bench.refuses(error):
        return f"It refuses a second instance: {error_in_words(error)}."
    if _is_log_collision(error):
        return "Both log one key: at an update at which both are due, the run ends with a KeyError."
    alone = bench.train(subject=twin)
    if alone.error is not None:
        return f"With another name and interval it does not train alone either: {error_in_words(alone.error)}."
    raise Finding(
        seen=f"Alone, each of two instances of different names and intervals trains. Together, the run ended with "
        f"{error_in_words(error)}.",
        expected="Two of a kind train together, or the second one says why it cannot.",
        fix="Keep what belongs to one instance on self, under its name, and touch nothing of which there is one a run.",
        location=place_of_error(error) or place_of_constructor(bench.subject.callback),
    )


def _require_own_files(bench: Bench, first: _Sight, second: _Sight) -> None:
    shared = _contested(bench, first.files & second.files)
    if not shared:
        return
    raise Finding(
        seen=f"Two instances of different names and intervals both wrote {shared[0]}."
        + (f" They share {len(shared) - 1} more files." if len(shared) > 1 else ""),
        expected="Each instance writes files of its own.",
        fix="Put self.checkpoint_key, which is the name or the class, into the file's name (or into model_info of "
        "save_model_checkpoint). Where one instance is enough, raise a ValueError that says so.",
        location=place_of_constructor(bench.subject.callback),
    )


def _contested(bench: Bench, names: set[str]) -> list[str]:
    """Returns the files in which two callbacks do not write the same."""
    if not names:
        return []
    mine, again = plain_footprint(bench)["files"], footprint(bench)["files"]
    theirs = footprint(bench, subject=_twin_of(bench.subject))["files"]
    return [
        name
        for name in sorted(names)
        if differences(mine.get(name), theirs.get(name), ignore=_paths(mine.get(name), again.get(name)))
    ]


def _paths(left: Any, right: Any) -> set[str]:
    """Returns where the files of two equal runs differ, such as the name of the run."""
    found = differences(left, right)
    return {each.path for each in found} if isinstance(left, Mapping) else set()


def _stamps(folder: Path) -> set[tuple[str, tuple[int, int]]]:
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            found.add((str(path.relative_to(folder)), (stat.st_mtime_ns, stat.st_size)))
    return found


def _trainers_own(model: Any) -> re.Pattern[str]:
    """Returns a pattern of the trainer's checkpoints and log, which belong to no callback."""
    name = re.escape(str(getattr(model, "name", "model")))
    return re.compile(rf"(^|/){name}(\.[\w.]+)?_cp=[^/]*_(model|optim|trainer)\.th$|^tracker/")


def _is_log_collision(error: BaseException) -> bool:
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return isinstance(error, KeyError) and any(name in ("add_scalar", "add_nonscalar") for name in frames)


class _Muted:
    """A log writer that drops some keys: two of a kind log the same ones, which is a matter of advice."""

    def __init__(self, writer: Any, keys: frozenset[str], muted: set[str]) -> None:
        self._writer = writer
        self._keys = keys
        self._muted = muted

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._writer, name)
        if name not in ("add_scalar", "add_nonscalar"):
            return method

        def add(key: str, *args: Any, **kwargs: Any) -> Any:
            if key.removesuffix("/") in self._keys or key in self._keys:
                self._muted.add(key)
                return None
            return method(key, *args, **kwargs)

        return add
