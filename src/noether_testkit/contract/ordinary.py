"""The plan of an ordinary run: two epochs of four updates, or longer where an interval needs it."""

from __future__ import annotations

from typing import Any

from noether_testkit.contract.construction import resolve_config
from noether_testkit.contract.subject import Subject
from noether_testkit.plan import TrainingPlan

LONGEST = 64
"""Updates in the longest ordinary run."""


def ordinary_plan(subject: Subject) -> TrainingPlan:
    """Returns a plan in which the callback's interval is due at least twice, where that is to be had.

    An interval of more than half of `LONGEST` updates is due less often, or never.
    """
    config = resolve_config(subject)
    if epochs := _interval(config, "every_n_epochs"):
        per_epoch = max(1, min(4, LONGEST // (2 * epochs)))
        return TrainingPlan(epochs=max(2, min(2 * epochs, LONGEST)), dataset_size=2 * per_epoch)
    if updates := _interval(config, "every_n_updates"):
        return TrainingPlan(updates=_whole_epochs(2 * updates))
    if samples := _interval(config, "every_n_samples"):
        return TrainingPlan(updates=_whole_epochs(samples))
    return TrainingPlan()


def _whole_epochs(updates: int) -> int:
    """Returns a length in whole epochs of four updates, between 8 and `LONGEST`."""
    return min(LONGEST, max(8, -(-updates // 4) * 4))


def _interval(config: Any, name: str) -> int | None:
    value = getattr(config, name, None)
    return value if isinstance(value, int) and value > 0 else None
