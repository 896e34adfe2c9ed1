"""Names the attributes that a callback had when it was saved, and has no more when it is resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.resume.closeness import is_close
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.contract.subject import COLLABORATORS

_NOT_ITS_OWN = frozenset({*COLLABORATORS, "writer", "_logger", "logger", "total_data_time", "sampler_config"})


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """What most likely was lost.

    Attributes:
        sentence: Names the attributes; empty where all came back.
        location: The class of the callback.
    """

    sentence: str
    location: str | None


def culprit_of(bench: Bench, space: Space, trial: Trial) -> Culprit:
    """Compares the attributes before the save with those after the restore, for the last stop of a trial."""
    subject = space.subject_of(trial)
    stop = trial.stops[-1]
    saved: dict[str, Any] = {}
    plan = replace(trial.plan, stop=replace(stop, kind="crash"), checkpoint_after=(stop.after_update,))
    outcome = bench.train(plan, subject=subject, watch=_keeping(saved))
    checkpoint = outcome.checkpoints.get(stop.after_update)
    if checkpoint is None:
        return Culprit(sentence="", location=None)
    restored: dict[str, Any] = {}
    bench.train(trial.plan.resumed(checkpoint), subject=subject, watch=_keeping(restored, until="before_training"))
    callback, _ = bench.build()
    return Culprit(sentence=_sentence(saved, restored), location=place_of(type(callback)))


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


def _sentence(saved: Mapping[str, Any], restored: Mapping[str, Any]) -> str:
    lost = [each for each in differences(saved, restored, path="self") if not is_close(*each.values)]
    if not lost:
        return ""
    told = "; ".join(
        f"{_attribute(each)} was {each.left} before, and {each.right} after the restore" for each in lost[:3]
    )
    return f"Most likely lost: {told}."


def _attribute(difference: Difference) -> str:
    """Returns `self.best['x']` for the path `self['best']['x']`."""
    name, _, rest = difference.path.removeprefix("self['").partition("']")
    return f"self.{name}{rest}"
