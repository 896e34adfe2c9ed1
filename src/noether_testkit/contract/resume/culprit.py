"""Names the attributes that a callback had when it was saved, and has no more when it is resumed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.compare import ABSENT, Difference, differences
from noether_testkit.contract.diary import ordinary_diary
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.resume.closeness import is_close
from noether_testkit.contract.resume.experiment import twin_of
from noether_testkit.contract.resume.holdings import NOT_ITS_OWN, GeneratorState, attributes_of
from noether_testkit.contract.resume.trial import Space, Trial

_SHOWN = 3
_OPENED = re.compile(r"\['(\.[^']*|<[^']*>)'\]")


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """What most likely was lost.

    Attributes:
        lost: What differs between the attributes before the save and after the restore.
        location: The class of the callback.
        fresh: The attributes of a callback that was just built.
        restored: The attributes after the restore.
        emptied: Names of the attributes that are as fresh after each turn, and were not so when it was saved.
    """

    lost: tuple[Difference, ...]
    location: str | None
    fresh: Mapping[str, Any]
    restored: Mapping[str, Any] = field(default_factory=dict)
    emptied: frozenset[str] = frozenset()

    @property
    def sentence(self) -> str:
        """Names the attributes; empty where all came back."""
        if not self.lost:
            return ""
        told = (f"{_attribute(each)} was {each.left} before, and {each.right} after the restore" for each in self.lost)
        return f"Most likely lost: {'; '.join(islice(told, _SHOWN))}."

    @property
    def loses_a_generator(self) -> bool:
        """Whether a generator of random numbers is not where it was."""
        return any(isinstance(each.values[0], GeneratorState) for each in self.lost)

    @property
    def is_window(self) -> bool:
        """Whether what was lost was nothing or empty at first and is so again, as a window of the last values is."""
        return bool(self.lost) and all(self._starts_again(each) for each in self.lost)

    @property
    def is_one_turn(self) -> bool:
        """Whether single values were lost, such as that of the turn before, which one turn brings back."""
        return self.is_window and any(not _is_collection(each.values[0]) for each in self.lost)

    @property
    def is_bounded(self) -> bool:
        """Whether what was lost are windows of a fixed length."""
        return bool(self.lost) and all(getattr(each.values[0], "maxlen", None) for each in self.lost)

    @property
    def is_half_window(self) -> bool:
        """Whether what was lost is a whole window that each turn empties: it starts anew, and nothing else is lost."""
        return bool(self.lost) and self._names == self.emptied

    @property
    def splits_a_window(self) -> bool:
        """Whether a part of a window that each turn empties came back, and another part did not."""
        return bool(self._names & self.emptied) and not self.emptied <= self._names

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(_name_in(each.path) for each in self.lost)

    def _starts_again(self, each: Difference) -> bool:
        right = each.values[1]
        is_nothing = right is None or right is ABSENT or (_is_collection(right) and _is_empty(right))
        return is_nothing and self._is_fresh(each)

    def _is_fresh(self, each: Difference) -> bool:
        changed = (found.path for found in differences(self.fresh, self.restored, path="self"))
        return not any(each.path.startswith(path) or path.startswith(each.path) for path in changed)


def _is_collection(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def culprit_of(bench: Bench, space: Space, trial: Trial) -> Culprit:
    """Compares the attributes before the save with those after the restore, for the last stop of a trial."""
    return bench.once(f"culprit {trial!r}", lambda: _culprit_of(bench, space, trial))


def _culprit_of(bench: Bench, space: Space, trial: Trial) -> Culprit:
    subject = space.subject_of(trial)
    stop = trial.stops[-1]
    saved: dict[str, Any] = {}
    again: dict[str, Any] = {}
    plan = replace(trial.plan, stop=replace(stop, kind="crash"), checkpoint_after=(stop.after_update,))
    outcome = bench.train(plan, subject=subject, watch=_keeping(saved))
    checkpoint = outcome.checkpoints.get(stop.after_update)
    restored: dict[str, Any] = {}
    if checkpoint is not None:
        bench.train(trial.plan.resumed(checkpoint), subject=subject, watch=_keeping(restored, until="before_training"))
    callback = bench.built
    fresh = attributes_of(callback)
    found = [each for each in differences(saved, restored, path="self") if not is_close(*each.values)]
    if found:  # timers differ between any two runs
        bench.train(plan, subject=subject, watch=_keeping(again))
        unsteady = {each.path for each in differences(saved, again, path="self")}
        found = [each for each in found if each.path not in unsteady]
    emptied = frozenset(_emptied(bench, space, trial, fresh)) if found else frozenset()
    return Culprit(
        lost=tuple(found) if restored else (),
        location=place_of(type(callback)),
        fresh=fresh,
        restored=restored,
        emptied=frozenset(name for name in emptied if not _are_alike(fresh[name], saved.get(name))),
    )


def has_nothing_to_lose(bench: Bench, space: Space, trials: Iterable[Trial]) -> bool:
    """Returns whether a callback has neither state nor files, and all its attributes are back after these resumes."""
    callback = bench.built
    looked_at = {*attributes_of(callback), *NOT_ITS_OWN}
    if not ordinary_diary(bench).is_stateless or is_overridden(callback, "resume_from_checkpoint"):
        return False
    if not vars(callback).keys() <= looked_at or callback.get_children():
        return False
    return not any(
        twin_of(bench, space, trial).files or culprit_of(bench, space, trial).lost for trial in trials if trial.stops
    )


def _emptied(bench: Bench, space: Space, trial: Trial, fresh: Mapping[str, Any]) -> Iterator[str]:
    """Yields the names of the attributes that are as fresh at the end of each interval."""
    plan = replace(trial.plan, updates=trial.plan.total_updates + 1, epochs=None, samples=None)
    turns = frozenset(space.boundaries(plan, trial.interval))
    after: dict[int, dict[str, Any]] = {}
    bench.train(plan, subject=space.subject_of(trial), watch=_keeping_at(after, turns))
    if not after:
        return
    for name, value in fresh.items():
        if all(_are_alike(value, attributes.get(name)) for attributes in after.values()):
            yield name


def _are_alike(fresh: Any, value: Any) -> bool:
    """Returns whether a value is as it was at first, or has nothing in it either."""
    return not differences(fresh, value) or (_is_empty(fresh) and _is_empty(value))


def _is_empty(value: Any) -> bool:
    """Returns whether there is no value in a container, but for empty containers."""
    if isinstance(value, Mapping):
        return all(_is_empty(each) for each in value.values())
    return isinstance(value, list | tuple | set | deque) and all(_is_empty(each) for each in value)


def _keeping_at(attributes: dict[int, dict[str, Any]], updates: Collection[int]) -> Watcher:
    """Returns a watcher that keeps the attributes after the rounds of some updates."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook in ("after_update", "after_epoch") and moment.update in updates:
            attributes[moment.update] = attributes_of(moment.callback)

    return watch


def _keeping(attributes: dict[str, Any], until: str | None = None) -> Watcher:
    """Returns a watcher that keeps the attributes after each call, and ends the run after a hook."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        attributes.clear()
        attributes.update(attributes_of(moment.callback))
        if moment.hook == until:
            raise Enough

    return watch


def _attribute(difference: Difference) -> str:
    """Returns `self.best['x']` for the path `self['best']['x']`."""
    rest = difference.path.removeprefix("self['").partition("']")[2]
    return _OPENED.sub(r"\1", f"self.{_name_in(difference.path)}{rest}")


def _name_in(path: str) -> str:
    return path.removeprefix("self['").partition("']")[0]
