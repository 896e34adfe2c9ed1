"""What is tried: a run, the places where it is stopped, and the metrics that the callback reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.ordinary import LONGEST
from noether_testkit.contract.series import keys_of_the_kit, plausible
from noether_testkit.contract.subject import Subject
from noether_testkit.fakes.lineage import data_iterators, is_periodic
from noether_testkit.plan import Stop, StopKind, TrainingPlan

UNITS = ("every_n_updates", "every_n_epochs", "every_n_samples")
TURNS = 6
"""How often an interval is due in the longest trial."""

SERIES: dict[str, Callable[[int], float]] = {
    "in a wave": plausible,
    "getting worse if low is good": lambda turn: round(0.5 + 0.05 * turn, 6),
    "getting better if low is good": lambda turn: round(1 / (1 + turn), 6),
    "flat": lambda _: 0.5,
}
"""Metrics by their course, as functions of the turn of the interval, counted from 1."""

Interval = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One experiment: a run with a callback, and where it is stopped to be resumed.

    Attributes:
        plan: The run that is never stopped.
        stops: Where the run is stopped, in order; each time it is resumed from a checkpoint written there.
        interval: Unit and length of the callback's interval; as the subject has it where it is missing.
        course: Name of the course of the metrics that the kit logs.
        lost: Updates that are trained after the checkpoint and lost, by a crash.
        in_place: Whether the resumed run goes on in the same folder.
    """

    plan: TrainingPlan
    stops: tuple[Stop, ...]
    interval: Interval | None = None
    course: str = "in a wave"
    lost: int = 0
    in_place: bool = False

    def __str__(self) -> str:
        plan = self.plan
        parts = [] if self.interval is None else [f"{_unit_in_words(self.interval)}"]
        parts.append(_count(plan.total_updates, "update"))
        if plan.updates_per_epoch < plan.total_updates:
            parts.append(f"{plan.updates_per_epoch} an epoch")
        if plan.accumulation_steps > 1:
            parts.append(f"{plan.accumulation_steps} accumulation steps")
        if plan.dataset_size % plan.batch_size:
            parts.append("a ragged end of the training set")
        if self.course != "in a wave":
            parts.append(f"metrics {self.course}")
        return ", ".join([*parts, *(self._stop_in_words(stop) for stop in self.stops)])

    def _stop_in_words(self, stop: Stop) -> str:
        how = {"signal": "stopped by a signal", "early-stop": "stopped by another callback", "crash": "killed"}[
            stop.kind
        ]
        lost = f", {_count(self.lost, 'update')} after its checkpoint" if self.lost else ""
        return f"{how} after update {stop.after_update + self.lost}{lost}"


@dataclass(frozen=True, kw_only=True)
class Space:
    """The trials that make sense for a subject.

    Attributes:
        subject: What is judged.
        intervals: Its own interval, and others that its config takes.
        batch_sizes: Batch sizes that its data and its model take.
        fixed_size: Samples in its own training set, if it brings one.
        reads_metrics: Keys of the metrics that the kit logs for it.
        whole_epochs: Whether only the ends of epochs are boundaries: it gathers over epochs.
        own: The intervals of the callback and its descendants.
        any_data: Whether a run can be resumed without a shift of its data, whatever its batches.
        iterates: Whether the callback iterates over data in a harness that shifts them at some resumes.
    """

    subject: Subject
    intervals: tuple[Interval | None, ...]
    batch_sizes: tuple[int, ...]
    fixed_size: int | None
    reads_metrics: frozenset[str]
    whole_epochs: bool
    own: tuple[Interval, ...]
    any_data: bool
    iterates: bool

    def subject_of(self, trial: Trial) -> Subject:
        """Returns the subject with the interval and the metrics of a trial."""
        interval = trial.interval or next(iter(self.own), None)
        course = SERIES[trial.course]

        def metric(update: int) -> float:
            return course(_turn(interval, trial.plan, update - 1) + 1)

        metrics = dict.fromkeys(self.reads_metrics, metric)
        return replace(
            self.subject,
            config=config_with(self.subject, trial.interval) if trial.interval else self.subject.config,
            metrics={**metrics, **(self.subject.metrics or {})},
        )

    def boundaries(self, plan: TrainingPlan, interval: Interval | None) -> list[int]:
        """Returns the updates before the last one after which the callback has finished all it gathered."""
        intervals = self.own if interval is None else (interval,)
        if self.iterates and any(unit == "every_n_samples" for unit, _ in intervals):
            return []
        return [update for update in range(1, plan.total_updates) if self._is_boundary(plan, intervals, update)]

    def kinds(self, plan: TrainingPlan, update: int) -> tuple[StopKind, ...]:
        """Returns how a run can be stopped: a signal at an epoch's last update would cost the round of the epoch."""
        ends_epoch = update % plan.updates_per_epoch == 0
        return ("early-stop", "crash") if ends_epoch else ("signal", "early-stop", "crash")

    def _is_boundary(self, plan: TrainingPlan, intervals: tuple[Interval, ...], update: int) -> bool:
        if self.whole_epochs and update % plan.updates_per_epoch:
            return False
        return all(is_due(interval, plan, update) for interval in intervals)


def space_of(bench: Bench) -> Space:
    """Returns the trials that make sense for the subject of a bench."""
    subject = bench.subject
    callback = bench.built
    own = tuple(_intervals_of(callback))
    train = None if subject.datasets is None else dict(subject.datasets()).get("train")
    return Space(
        subject=subject,
        intervals=(None, *_other_intervals(bench, callback, own)),
        batch_sizes=(bench.plan.batch_size,) if subject.datasets or subject.model else (2, 1, 3),
        fixed_size=None if train is None else bench.plan.dataset_size,
        reads_metrics=keys_of_the_kit(subject) - bench.rehearsal.silent_keys,
        whole_epochs=_gathers_over_epochs(bench, callback, own),
        own=own,
        any_data=bench.shifts_no_data,
        iterates=not bench.shifts_no_data and bool(data_iterators(callback)),
    )


def config_with(subject: Subject, interval: Interval) -> Any:
    """Returns the subject's config with another interval.

    Raises:
        Exception: The config class refuses it.
    """
    unit, length = interval
    config = resolve_config(subject)
    values = {name: getattr(config, name) for name in type(config).model_fields}
    values |= {name: None for name in UNITS if name in values} | {unit: length}
    if unit == "every_n_samples" and values.get("batch_size") is None:
        values["batch_size"] = 2
    return type(config).model_validate({name: value for name, value in values.items() if value is not None})


def is_due(interval: Interval, plan: TrainingPlan, update: int) -> bool:
    """Returns whether an interval is due after an update."""
    return _turn(interval, plan, update) > _turn(interval, plan, update - 1)


def _turn(interval: Interval | None, plan: TrainingPlan, update: int) -> int:
    """Returns how often an interval has been due up to an update, that one included."""
    unit, length = interval or ("every_n_updates", 1)
    if unit == "every_n_epochs":
        return update // (plan.updates_per_epoch * length)
    return update // length if unit == "every_n_updates" else update * plan.batch_size // length


def _intervals_of(callback: Any) -> Iterator[Interval]:
    """Yields the intervals of a callback and of its descendants."""
    for unit in UNITS:
        length = getattr(callback, unit, None)
        if isinstance(length, int) and length > 0:
            yield unit, length
    for child in callback.get_children():
        yield from _intervals_of(child)


def _gathers_over_epochs(bench: Bench, callback: Any, own: tuple[Interval, ...]) -> bool:
    """Returns whether only the ends of epochs are boundaries: the callback has a hook of its own there.

    In the framework, data that a callback iterates over each epoch is shifted by a resume elsewhere, too.
    """
    if is_periodic(callback) and is_overridden(callback, "after_epoch"):
        return True
    by_epochs = any(unit == "every_n_epochs" for unit, _ in own)
    return by_epochs and not bench.shifts_no_data and bool(data_iterators(callback))


def _other_intervals(bench: Bench, callback: Any, own: tuple[Interval, ...]) -> Iterator[Interval]:
    subject = bench.subject
    if data_iterators(callback) and not bench.shifts_no_data:
        return
    config = resolve_config(subject)
    if not isinstance(config, BaseModel) or len(own) != 1 or not set(UNITS) <= type(config).model_fields.keys():
        return
    for interval in (("every_n_updates", 1), ("every_n_updates", 3), ("every_n_epochs", 1), ("every_n_samples", 4)):
        if interval != own[0] and _is_taken(subject, interval):
            yield interval


def _is_taken(subject: Subject, interval: Interval) -> bool:
    try:
        config_with(subject, interval)
    except Exception:  # noqa: BLE001 - a validator of the user's may raise anything
        return False
    return True


def longest(interval: Interval | None, updates_per_epoch: int, batch_size: int) -> int:
    """Returns the updates of the longest trial: the interval is due `TURNS` times."""
    unit, length = interval or ("every_n_updates", 1)
    stride = {"every_n_updates": length, "every_n_epochs": length * updates_per_epoch}.get(unit, length // batch_size)
    return min(LONGEST, TURNS * max(1, stride))


def _unit_in_words(interval: Interval) -> str:
    unit, length = interval
    name = unit.removeprefix("every_n_")
    return f"every {length} {name}" if length > 1 else f"every {name.removesuffix('s')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
