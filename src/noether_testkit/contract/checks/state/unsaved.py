"""The check of attributes that change in a run and are not saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from noether_testkit.contract.attributes import own_values
from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.check import Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import ABSENT, differences, in_words
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.ordinary import updates_between_turns
from noether_testkit.contract.stateful import SAVED, overrides, place_of_method, require_finished, require_state
from noether_testkit.plan import Checkpoint, Stop, TrainingPlan

_BASE = frozenset(
    {"name", "every_n_epochs", "every_n_updates", "every_n_samples", "batch_size", "dataset_key", "total_data_time"}
)
_OF_A_SESSION = frozenset(
    {"session", "start", "began", "begin", "since", "time", "times", "timer", "clock", "elapsed", "cache", "cached"}
)
_UNITS = frozenset({"s", "ms", "us", "ns", "sec", "seconds", "at"})
_MOST = 2
"""Updates from which a run is resumed."""

Values = Mapping[str, Any]


@dataclass
class _Record:
    """The attributes of a callback in a run: when it starts, and after each update."""

    start: Values = field(default_factory=dict)
    after: dict[int, Values] = field(default_factory=dict)


@check(
    force=Force.MAY,
    promise="has no attribute that changed in a run and is different after a restore.",
    why="What a callback keeps on itself and does not save starts over at each resume. Often that is meant so, as with "
    "timers and caches; where it is not, the resumed run decides otherwise than the one that was not interrupted.",
    after=(*SAVED, "round-trips-its-state", "loads-twice-like-once", "keeps-loaded-state-at-start"),
    explained_by=("reads-state-without-effect", "loads-without-changing-its-input", "resumes-as-if-uninterrupted"),
)
def saves_what_it_changes(bench: Bench) -> None:
    """Compares the attributes of a run that was resumed with those of one that was not, at the end of intervals."""
    require_state(bench)
    require_finished(bench)
    plan = replace(bench.plan, reseed=True)  # a resume does not restore the random generators
    stride = updates_between_turns(bench.subject)
    last = bench.plan.total_updates - stride
    boundaries = tuple(range(stride, last + 1, stride))[-_MOST:]
    if not boundaries:
        raise NotApplicable("An ordinary run has no update between two intervals at which it could be resumed.")
    first, again = _Record(), _Record()
    for update, checkpoint in _checkpoints(bench, plan, boundaries, first):
        resumed = _Record()
        bench.train(plan.resumed(checkpoint), watch=_recording(resumed, until=update + stride))
        lost = _lost(first, resumed, update, update + stride)
        if lost and not again.after:
            bench.train(plan, watch=_recording(again))
        lost = [name for name in lost if name not in _unsteady(first, again)]
        if lost:
            raise _finding(bench, lost, first, resumed, update, update + stride)


def _checkpoints(
    bench: Bench, plan: TrainingPlan, updates: tuple[int, ...], first: _Record
) -> Iterator[tuple[int, Checkpoint]]:
    """Records a run and yields its checkpoints; where files are read back, those of runs that died right after."""
    if not overrides(bench, "resume_from_checkpoint"):
        yield from bench.train(replace(plan, checkpoint_after=updates), watch=_recording(first)).checkpoints.items()
        return
    bench.train(plan, watch=_recording(first))
    for update in updates:
        stopped = replace(plan, checkpoint_after=(update,), stop=Stop(after_update=update, kind="crash"))
        yield from bench.train(stopped).checkpoints.items()


def _lost(first: _Record, resumed: _Record, update: int, following: int) -> list[str]:
    """Returns the attributes that a resume loses, and that the next interval does not make good."""
    if update not in first.after or following not in first.after or following not in resumed.after:
        return []
    return [
        name
        for name, value in first.after[update].items()
        if name not in _BASE
        and not _is_of_a_session(name)
        and not isinstance(value, deque)
        and _differ(first.start.get(name, ABSENT), value)
        and _differ(value, resumed.start.get(name, ABSENT))
        and _differ(first.after[following].get(name, ABSENT), resumed.after[following].get(name, ABSENT))
    ]


def _is_of_a_session(name: str) -> bool:
    """Returns whether the first or the last word of a name, but for units, says that it belongs to a session."""
    words = [word for word in name.lower().split("_") if word and word not in _UNITS]
    return bool(words) and (words[0] in _OF_A_SESSION or words[-1] in {*_OF_A_SESSION, "started"})


def _finding(bench: Bench, lost: list[str], first: _Record, resumed: _Record, update: int, following: int) -> Finding:
    name = lost[0]
    values = (first.after[update], resumed.start, first.after[following], resumed.after[following])
    then, now, uninterrupted, interrupted = (in_words(each.get(name, ABSENT)) for each in values)
    others = f" The same is true of {', '.join(f'self.{each}' for each in lost[1:])}." if lost[1:] else ""
    return Finding(
        seen=f"self.{name} was {then} after update {update}. When the run was resumed from there, it was {now} after "
        f"before_training, and {interrupted} after update {following}, where the run that was not interrupted had "
        f"{uninterrupted}.{others}",
        expected="What a run has changed is there again when it is resumed, unless it is meant to start over.",
        fix=f"If it matters, add it to state_dict under a name such as {name.lstrip('_')!r} and take it back in "
        "load_state_dict. If it belongs to the session, leave it: this is advice.",
        location=place_of_method(bench, "state_dict") or place_of(type(bench.built)),
    )


def _unsteady(first: _Record, again: _Record) -> frozenset[str]:
    pairs = [
        (first.start, again.start),
        *((first.after[update], again.after.get(update, {})) for update in first.after),
    ]
    return frozenset(name for left, right in pairs for name in left if _differ(left[name], right.get(name, ABSENT)))


def _differ(left: Any, right: Any) -> bool:
    """Returns whether two values differ by more than the rounding of a narrower type."""
    if type(left) is type(right) and isinstance(left, float | torch.Tensor):
        one, other = torch.as_tensor(left), torch.as_tensor(right)
        if one.shape == other.shape and one.is_floating_point() and other.is_floating_point():
            return not torch.allclose(one.double(), other.double(), rtol=0.01, equal_nan=True)
    return bool(differences(left, right))


def _recording(record: _Record, until: int | None = None) -> Watcher:
    """Returns a watcher that notes the attributes after the start hook and after the last hook of each update."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if until is not None and moment.update > until:
            raise Enough
        yield
        if moment.hook == "before_training":
            record.start = own_values(moment.callback)
        elif moment.hook in ("after_update", "after_epoch"):
            record.after[moment.update] = own_values(moment.callback)

    return watch
