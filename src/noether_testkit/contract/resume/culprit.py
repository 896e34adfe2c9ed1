"""Names the attributes that a callback had when it was saved, and has no more when it is resumed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.diary import ordinary_diary
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.resume.closeness import is_close
from noether_testkit.contract.resume.experiment import twin_of
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.contract.subject import COLLABORATORS

_SHOWN = 3
_NOT_ITS_OWN = frozenset({*COLLABORATORS, "writer", "_logger", "logger", "total_data_time", "sampler_config"})


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """What most likely was lost.

    Attributes:
        lost: What differs between the attributes before the save and after the restore.
        location: The class of the callback.
        fresh: The attributes of a callback that was just built.
    """

    lost: tuple[Difference, ...]
    location: str | None
    fresh: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """Names the attributes; empty where all came back."""
        if not self.lost:
            return ""
        told = (f"{_attribute(each)} was {each.left} before, and {each.right} after the restore" for each in self.lost)
        return f"Most likely lost: {'; '.join(islice(told, _SHOWN))}."

    @property
    def is_window(self) -> bool:
        """Whether what was lost are collections that start empty again, as a window of the last values does."""
        return bool(self.lost) and all(self._starts_again(each) for each in self.lost)

    @property
    def names(self) -> frozenset[str]:
        """The names of the attributes that were lost."""
        return frozenset(_name_in(each.path) for each in self.lost)

    @property
    def starts_again(self) -> bool:
        """Whether what was lost is after the restore as it was in a callback that was just built."""
        return bool(self.lost) and all(self._is_fresh(each) for each in self.lost)

    def _starts_again(self, each: Difference) -> bool:
        left, _ = each.values
        is_collection = hasattr(left, "__len__") and not isinstance(left, str | bytes)
        return is_collection and self._is_fresh(each)

    def _is_fresh(self, each: Difference) -> bool:
        return not differences(self.fresh.get(_name_in(each.path)), each.values[1], path=each.path)


def is_half_filled(bench: Bench, space: Space, trial: Trial) -> bool:
    """Returns whether only windows were lost: what starts again, and is empty at the ends of intervals anyway."""
    culprit = culprit_of(bench, space, trial)
    if culprit.is_window:
        return True
    places = space.boundaries(trial.plan, trial.interval)
    if not places or not culprit.starts_again:
        return False
    stops = (replace(trial.stops[-1], after_update=places[-1]),)
    return not culprit.names & culprit_of(bench, space, replace(trial, stops=stops)).names


def culprit_of(bench: Bench, space: Space, trial: Trial) -> Culprit:
    """Compares the attributes before the save with those after the restore, for the last stop of a trial."""
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
    callback, _ = bench.build()
    found = [each for each in differences(saved, restored, path="self") if not is_close(*each.values)]
    if found:  # timers differ between any two runs
        bench.train(plan, subject=subject, watch=_keeping(again))
        unsteady = {each.path for each in differences(saved, again, path="self")}
        found = [each for each in found if each.path not in unsteady]
    return Culprit(
        lost=tuple(found) if restored else (), location=place_of(type(callback)), fresh=attributes_of(callback)
    )


def has_nothing_to_lose(bench: Bench, space: Space, trials: Iterable[Trial]) -> bool:
    """Returns whether a callback has neither state nor files, and all its attributes are back after these resumes."""
    callback, _ = bench.build()
    looked_at = {*attributes_of(callback), *_NOT_ITS_OWN}
    if not ordinary_diary(bench).is_stateless or is_overridden(callback, "resume_from_checkpoint"):
        return False
    if not vars(callback).keys() <= looked_at or callback.get_children():
        return False
    return not any(
        twin_of(bench, space, trial).files or culprit_of(bench, space, trial).lost for trial in trials if trial.stops
    )


def attributes_of(callback: Any) -> dict[str, Any]:
    """Returns copies of the attributes of a callback that are its own: no collaborators, no modules, no loggers."""
    return {
        name: snapshot(value)
        for name, value in vars(callback).items()
        if name not in _NOT_ITS_OWN and not isinstance(value, torch.nn.Module) and not callable(value)
    }


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
    return f"self.{_name_in(difference.path)}{rest}"


def _name_in(path: str) -> str:
    return path.removeprefix("self['").partition("']")[0]
