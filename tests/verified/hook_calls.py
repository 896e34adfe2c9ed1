"""How often a run calls each hook of a tracing callback, by arithmetic."""

from __future__ import annotations

from math import ceil

from tests.verified.tracing import CHILD, Spec

from noether_testkit import TrainingPlan

Calls = dict[tuple[int, str], int]
"""Numbers of calls by index of a callback and name of a hook; only those that are called at all."""


def calls_in(
    plan: TrainingPlan, index: int, spec: Spec, *, saved_after: int | None = None, resumed_at: int | None = None
) -> Calls:
    """Returns how often the hooks of a callback, and of its child, are called in a run in which nothing happens.

    Args:
        plan: The run.
        index: The index of the callback.
        spec: The callback.
        saved_after: The update after which a checkpoint is saved, if there is one.
        resumed_at: The update at which the run goes on from a checkpoint, if it does.
    """
    counts: dict[str, int] = {}
    if not plan.evaluate:
        counts |= {"state_dict": 1 + 2 * (saved_after is not None) + 4 * (resumed_at is not None)}
        counts |= {"before_training": 1, "after_training": 1}
    if resumed_at is not None:
        counts |= {"load_state_dict": 2, "resume_from_checkpoint": 1}
    turns = 0
    if spec.kind != "base":
        turns = 1 if plan.evaluate else _turns(plan, spec, resumed_at or 0)
        counts |= {"at_eval": 1} if plan.evaluate else _rounds(plan, resumed_at or 0)
        counts |= {"periodic_callback": turns}
    data = {"process_data": turns * _batches(plan, spec), "process_results": turns}
    if spec.kind == "iterator":
        counts |= data
    calls = {(index, hook): count for hook, count in counts.items()}
    if spec.kind == "composite":
        calls |= {(CHILD + index, hook): count for hook, count in {"periodic_callback": turns, **data}.items()}
    return {call: count for call, count in calls.items() if count}


def _rounds(plan: TrainingPlan, start: int) -> dict[str, int]:
    updates, per_epoch = plan.total_updates - start, plan.updates_per_epoch
    return {
        "track_after_accumulation_step": updates * plan.accumulation_steps,
        "track_after_update_step": updates,
        "after_update": updates,
        "after_epoch": plan.total_updates // per_epoch - start // per_epoch,
    }


def _turns(plan: TrainingPlan, spec: Spec, start: int) -> int:
    """Returns how often an interval ends after the start; not more than once at an update."""
    length = {"every_n_epochs": plan.updates_per_epoch * plan.batch_size, "every_n_updates": plan.batch_size}
    samples = spec.interval * length.get(spec.unit, 1)
    updates = range(start + 1, plan.total_updates + 1)
    return sum(n * plan.batch_size // samples > (n - 1) * plan.batch_size // samples for n in updates)


def _batches(plan: TrainingPlan, spec: Spec) -> int:
    return ceil(plan.test_size / spec.config.get("batch_size", plan.batch_size // plan.accumulation_steps))
