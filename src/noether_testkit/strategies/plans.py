"""Draws training runs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from noether_testkit.errors import PlanError
from noether_testkit.plan import TrainingPlan

_LARGEST_BATCH = 4
_LONGEST_EPOCH = 6
_LARGEST_TEST_SET = 7

Length = dict[str, int]


def training_plans(
    *, min_updates: int = 1, max_updates: int = 20, accumulation: bool = True, ragged: bool = True
) -> SearchStrategy[TrainingPlan]:
    """Draws plans of runs that the framework can train.

    The length is given in epochs, updates or samples. Several accumulation steps come with epochs only: the
    framework refuses them with updates, and runs out of batches with some numbers of samples. Plans shrink to one
    update on one sample.

    Args:
        min_updates: Updates in the shortest run; 0 draws runs without updates, too.
        max_updates: Updates in the longest run.
        accumulation: Draws updates of several accumulation steps, too.
        ragged: Draws data sets, and lengths in samples, that are no whole number of batches, too.

    Raises:
        PlanError: No run can have so many updates.
    """
    if not 0 <= min_updates <= max_updates:
        raise PlanError(
            f"min_updates={min_updates} and max_updates={max_updates} leave no plan to draw. "
            "Give numbers from 0, the smaller one as min_updates."
        )
    return _plans(min_updates, max_updates, accumulation=accumulation, ragged=ragged)


@st.composite
def _plans(draw: DrawFn, first: int, last: int, *, accumulation: bool, ragged: bool) -> TrainingPlan:
    batch_size = draw(st.integers(1, _LARGEST_BATCH))
    per_epoch = draw(st.integers(1, _LONGEST_EPOCH))
    left_over = draw(st.integers(0, batch_size - 1)) if ragged else 0
    length = draw(
        st.integers(first, last).map(lambda updates: {"updates": updates})
        | _in_epochs(first, last, per_epoch)
        | _in_samples(first, last, batch_size, ragged=ragged)
    )
    steps = [step for step in range(1, batch_size + 1) if batch_size % step == 0]
    test_size = st.integers(1, _LARGEST_TEST_SET)
    if not ragged:
        test_size = st.integers(1, max(1, _LARGEST_TEST_SET // batch_size)).map(lambda batches: batches * batch_size)
    fields: dict[str, Any] = {**length, "batch_size": batch_size, "dataset_size": per_epoch * batch_size + left_over}
    return TrainingPlan(
        **fields,
        test_size=draw(test_size),
        accumulation_steps=draw(st.sampled_from(steps)) if accumulation and "epochs" in length else 1,
    )


def _in_epochs(first: int, last: int, per_epoch: int) -> SearchStrategy[Length]:
    """Draws numbers of whole epochs that have `first` to `last` updates, where there are any."""
    fewest, most = max(1, -(-first // per_epoch)), last // per_epoch
    if fewest > most:
        return st.nothing()
    return st.integers(fewest, most).map(lambda epochs: {"epochs": epochs})


def _in_samples(first: int, last: int, batch_size: int, *, ragged: bool) -> SearchStrategy[Length]:
    """Draws numbers of samples that make `first` to `last` updates; less than a batch still makes one."""
    fewest = max(1, first)
    if fewest > last:
        return st.nothing()
    samples = st.integers(fewest, last).map(lambda updates: updates * batch_size)
    if ragged:
        samples = st.integers(1 if fewest == 1 else fewest * batch_size, (last + 1) * batch_size - 1)
    return samples.map(lambda number: {"samples": number})
