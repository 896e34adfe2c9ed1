"""What a resumed run left otherwise than its twin, which was never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from noether_testkit.contract.compare import Difference, differences
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.resume.closeness import ROUNDING, is_close, rounding_at

_IN_SERIES = frozenset({"log", "nonscalar", "tracker"})


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One thing that a resumed run left otherwise than its twin.

    Attributes:
        kind: `error`, `decision`, `log`, `nonscalar`, `tracker`, `summary`, `file`, `weights`, `optimizer` or `state`.
        what: What it is, in words, such as "the log value 'best' of update 6".
        path: Its name among others of its kind, the same in every trial.
        twin: The value in the run that was never stopped, in words.
        resumed: The value in the resumed run, in words.
        passes: Whether later values of the same name agree again, up to the end.
        is_short: Whether too few values are left to tell.
        wrong: How many values of a series differ.
        error: What ended the resumed run, for an `error`.
    """

    kind: str
    what: str
    path: str
    twin: str
    resumed: str
    passes: bool = False
    is_short: bool = False
    wrong: int = 0
    error: BaseException | None = None

    @property
    def is_in_series(self) -> bool:
        """Whether it is one value of several by update."""
        return self.kind in _IN_SERIES

    def told(self) -> str:
        """Returns both values in a sentence without its end."""
        if self.error is not None:
            return f"a run that was never stopped goes through, and in the resumed one {self.what} {self.resumed}"
        if self.kind == "decision":
            return f"in a run that was never stopped, {self.twin}; resumed, {self.resumed}"
        return f"{self.what} is {self.twin} in a run that was never stopped, and {self.resumed} in the resumed one"


@dataclass(frozen=True, kw_only=True)
class Session:
    """A run in one session or several, and what it left.

    Attributes:
        outcome: What came of the last session, with the summary of all.
        files: What is in the files of all sessions, by name.
        tables: The rows of those that are texts, where anybody asks for them.
        last: What is in the files of the last session's folder; as `files` where it was the only one.
        earlier: What is in the files of earlier sessions' folders.
        notes: Names of the files that the last session left as they were when training started.
        warned: What was warned of when the sessions started.
        start: The counters at which the last session started.
        number: How many sessions there were before the last.
    """

    outcome: Outcome
    files: Mapping[str, Any]
    tables: Mapping[str, list[str]] = field(default_factory=dict)
    last: Mapping[str, Any] | None = None
    earlier: Mapping[str, Any] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    warned: tuple[str, ...] = ()
    start: tuple[int, ...] = ()
    number: int = 0

    @property
    def last_files(self) -> Mapping[str, Any]:
        """What is in the files of the last session."""
        return self.files if self.last is None else self.last


def of_leaves(
    kind: str, what: str, twin: Any, resumed: Any, prefix: str = "", rounding: float = ROUNDING
) -> Iterator[Mismatch]:
    """Yields a mismatch for each place at which two values differ."""
    for each in _apart(twin, resumed, kind, rounding):
        inside = each.path.removeprefix(kind)
        yield Mismatch(
            kind=kind,
            what=what.format(path=each.path, inside=f"{inside} in " if inside else "the content of "),
            path=f"{prefix}{each.path}",
            twin=each.left,
            resumed=each.right,
        )


def _apart(twin: Any, resumed: Any, kind: str, rounding: float) -> list[Difference]:
    found = differences(twin, resumed, path=kind)
    return [each for each in found if not is_close(*each.values, rounding_at(each.values[0], rounding))]
