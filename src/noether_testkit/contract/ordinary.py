"""The plan of an ordinary run: two epochs of four updates, or longer where an interval needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.subject import Subject
from noether_testkit.plan import TrainingPlan

LONGEST = 64
"""Updates in the longest ordinary run."""

TURNS = 4
"""How often an interval is due in an ordinary run: enough to get better, and then worse twice."""


def ordinary_plan(subject: Subject) -> TrainingPlan:
    """Returns a plan in which the callback's interval is due four times."""
    config = resolve_config(subject)
    plan = _plan_over(subject)
    if epochs := _interval(config, "every_n_epochs"):
        return _with_epochs(plan, TURNS * epochs, own_data=subject.datasets is not None)
    if updates := _interval(config, "every_n_updates"):
        return replace(plan, updates=_whole_epochs(TURNS * updates))
    if samples := _interval(config, "every_n_samples"):
        return replace(plan, updates=_whole_epochs(TURNS * samples // plan.batch_size))
    return plan


def updates_between_turns(subject: Subject) -> int:
    """Returns how many updates an interval of the callback has in its ordinary plan; 1 for one without interval."""
    config = resolve_config(subject)
    if epochs := _interval(config, "every_n_epochs"):
        return epochs * ordinary_plan(subject).updates_per_epoch
    if samples := _interval(config, "every_n_samples"):
        return max(1, samples // ordinary_plan(subject).batch_size)
    return _interval(config, "every_n_updates") or 1


def _plan_over(subject: Subject) -> TrainingPlan:
    """Returns a plan with about four updates an epoch over the subject's training set, or the default one."""
    train = dict(subject.datasets()).get("train") if subject.datasets is not None else None
    if train is None:
        return TrainingPlan()
    size = len(next(iter(train.values())))
    return TrainingPlan(dataset_size=size, batch_size=max(1, size // 4))


def _with_epochs(plan: TrainingPlan, epochs: int, *, own_data: bool) -> TrainingPlan:
    """Returns a plan of that many epochs, shorter ones where it would get too long."""
    per_epoch = plan.updates_per_epoch if own_data else max(1, min(4, LONGEST // epochs))
    size = plan.dataset_size if own_data else per_epoch * plan.batch_size
    return replace(plan, epochs=min(epochs, max(2, LONGEST // per_epoch)), dataset_size=size)


def _whole_epochs(updates: int) -> int:
    """Returns a length in whole epochs of four updates, between 8 and `LONGEST`."""
    return min(LONGEST, max(8, -(-updates // 4) * 4))


def _interval(config: Any, name: str) -> int | None:
    value = getattr(config, name, None)
    return value if isinstance(value, int) and value > 0 else None
