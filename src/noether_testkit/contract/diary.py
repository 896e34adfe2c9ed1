"""A diary of a callback's state: what it answers, and under which key, at every moment of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.compare import Difference, differences, snapshot
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
        spoiled: What a load changed in the mapping that it was given.
    """

    hook: str
    update: int
    state: Any = None
    key: Any = None
    error: BaseException | None = None
    unsteady: frozenset[str] = frozenset()
    spoiled: tuple[Difference, ...] = ()

    @property
    def when(self) -> str:
        """The moment in words."""
        return "after construction" if self.hook == "__init__" else f"after {self.hook} (update {self.update})"


@dataclass(frozen=True, kw_only=True)
class Diary:
    """What a callback answered in a run.

    Attributes:
        entries: One entry for the constructor, each hook and each load, in order.
        outcome: What came of the run.
    """

    entries: tuple[Entry, ...]
    outcome: Outcome

    @property
    def is_stateless(self) -> bool:
        """Whether the answer was always None."""
        return all(entry.state is None for entry in self.entries)


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """A run that was resumed and watched until its start hook was over.

    Attributes:
        update: The update after which the checkpoint was written.
        saved: The state when it was written.
        diary: What the callback answered from its constructor to the start hook.
    """

    update: int
    saved: Any
    diary: Diary

    @property
    def started(self) -> Entry | None:
        """The entry after the start hook, if it came so far."""
        return next((entry for entry in self.diary.entries if entry.hook == "before_training"), None)

    @property
    def loaded(self) -> tuple[Entry, ...]:
        """The entries after each load of the state."""
        return tuple(entry for entry in self.diary.entries if entry.hook == "load_state_dict")


def ordinary_diary(bench: Bench) -> Diary:
    """Returns the diary of an ordinary run."""
    return bench.once("diary", lambda: _keep(bench, bench.plan))


def diary_with_checkpoints(bench: Bench) -> Diary:
    """Returns the diary of an ordinary run with checkpoints."""
    return bench.once("diary with checkpoints", lambda: _keep(bench, bench.plan_with_checkpoints))


def evaluation_diary(bench: Bench) -> Diary:
    """Returns the diary of an evaluation run."""
    return bench.once("diary of an evaluation", lambda: _keep(bench, replace(bench.plan, evaluate=True)))


def resumptions(bench: Bench) -> tuple[Resumption, ...]:
    """Returns what the callback answered when the ordinary run was resumed from each of its checkpoints."""
    return bench.once("resumptions", lambda: tuple(_resume(bench)))


def last_state(states: list[Any]) -> Watcher:
    """Returns a watcher that adds the state after the last hook to a list."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook == "after_training":
            states.append(_entry(moment).state)

    return watch


def unsteady_in_runs(bench: Bench) -> frozenset[str]:
    """Returns the paths of the state that differ between two equal runs, or two calls in a row."""
    return unsteady_paths(ordinary_diary(bench).entries, diary_with_checkpoints(bench).entries)


def unsteady_until_now(bench: Bench) -> frozenset[str]:
    """Returns the same after one more run: a clock that ticks in seconds may have moved on by now."""
    now = _keep(bench, bench.plan)
    return unsteady_in_runs(bench) | unsteady_paths(ordinary_diary(bench).entries, now.entries)


def _resume(bench: Bench) -> Iterator[Resumption]:
    """The folder of a bench is gone with it, so checkpoints are written and read within one."""
    stateless = ordinary_diary(bench).is_stateless
    outcome = bench.train(bench.plan_with_checkpoint if stateless else bench.plan_with_checkpoints)
    for update, checkpoint in outcome.checkpoints.items():
        diary = _keep(bench, bench.plan.resumed(checkpoint), until="before_training")
        yield Resumption(update=update, saved=outcome.saved[update], diary=diary)


def _keep(bench: Bench, plan: TrainingPlan, until: str | None = None) -> Diary:
    entries: list[Entry] = []
    outcome = bench.train(plan, watch=_writing(entries, until))
    return Diary(entries=tuple(entries), outcome=outcome)


def _writing(entries: list[Entry], until: str | None) -> Watcher:
    """Returns a watcher that adds an entry after each call but those of `state_dict`."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        given = moment.positional[0] if moment.hook == "load_state_dict" else None
        as_given = snapshot(given)
        blind = {each.path for each in differences(as_given, given)}
        yield
        if moment.hook != "state_dict":
            entries.append(replace(_entry(moment), spoiled=tuple(differences(as_given, given, ignore=blind))))
        if moment.hook == until:
            raise Enough

    return watch


def unsteady_paths(left: Sequence[Entry], right: Sequence[Entry]) -> frozenset[str]:
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
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the callback raises is what is asked for
        return Entry(hook=moment.hook, update=moment.update, error=error)
    return Entry(hook=moment.hook, update=moment.update, state=first, key=key, unsteady=unsteady)
