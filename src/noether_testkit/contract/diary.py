"""A diary of a callback's state: what it answers, and under which key, at every moment of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import differences, snapshot
from noether_testkit.contract.harness import Moment, Outcome, Watcher
from noether_testkit.plan import TrainingPlan


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a callback answered right after a hook.

    Attributes:
        hook: The hook.
        update: The update that the counter showed.
        state: A copy of the state.
        key: The `checkpoint_key`.
        error: What `state_dict` or `checkpoint_key` raised instead.
        unsteady: Paths that differ between two calls in a row, such as clocks.
    """

    hook: str
    update: int
    state: Any = None
    key: Any = None
    error: BaseException | None = None
    unsteady: frozenset[str] = frozenset()

    @property
    def when(self) -> str:
        """The moment in words."""
        return "after construction" if self.hook == "__init__" else f"after {self.hook} (update {self.update})"


def keep_diary(bench: Bench, plan: TrainingPlan | None = None) -> tuple[list[Entry], Outcome]:
    """Runs a plan and asks for the state after the constructor, each hook and each load."""
    entries: list[Entry] = []
    outcome = bench.train(plan, watch=writing(entries))
    return entries, outcome


def writing(entries: list[Entry]) -> Watcher:
    """Returns a watcher that adds an entry after each call but those of `state_dict`."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook != "state_dict":
            entries.append(_entry(moment))

    return watch


def unsteady_paths(left: list[Entry], right: list[Entry]) -> frozenset[str]:
    """Returns the paths that differ within or between two diaries of the same plan."""
    paths = {path for entry in [*left, *right] for path in entry.unsteady}
    for mine, theirs in zip(left, right, strict=False):
        paths.update(difference.path for difference in differences(mine.state, theirs.state))
    return frozenset(paths)


def _entry(moment: Moment) -> Entry:
    callback = moment.callback
    try:
        first, again = snapshot(callback.state_dict()), callback.state_dict()
        unsteady = frozenset(difference.path for difference in differences(first, again))
        key = callback.checkpoint_key
    except Exception as error:  # noqa: BLE001 - whatever the callback raises is what is asked for
        return Entry(hook=moment.hook, update=moment.update, error=error)
    return Entry(hook=moment.hook, update=moment.update, state=first, key=key, unsteady=unsteady)
