"""Promises of the counter of a run."""

from __future__ import annotations

import pytest

from noether_testkit.core.utils.training import TrainingIteration as Point
from noether_testkit.core.utils.training import UpdateCounter


def counter(start: Point | None = None, end: Point | None = None) -> UpdateCounter:
    """At four updates an epoch and two samples an update."""
    return UpdateCounter(start or Point(0, 0, 0), end or Point(epoch=2), 4, 2)


@pytest.mark.parametrize(
    ("start", "end", "full"),
    [
        (Point(0, 0, 0), Point(epoch=2), Point(2, 8, 16)),
        (Point(0, 0, 0), Point(update=6), Point(1, 6, 12)),
        (Point(0, 0, 0), Point(sample=7), Point(0, 3, 6)),
        (Point(0, 0, 0), Point(epoch=0), Point(0, 0, 0)),
        (Point(0, 3, 6), Point(update=8), Point(1, 8, 16)),
        (Point(0, 3, 6), Point(update=12), Point(2, 12, 24)),
        (Point(1, 5, 10), Point(epoch=2), Point(2, 9, 18)),
        (Point(2, 8, 16), Point(update=6), Point(2, 6, 12)),
        (Point(2, 8, 16), Point(sample=6), Point(1, 3, 6)),
    ],
)
def test_the_end_is_the_start_and_whole_units_from_there(start: Point, end: Point, full: Point) -> None:
    """So within an epoch its epoch is one too low, or, given in epochs, an update too far."""
    assert counter(start, end).end_iteration == full


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        (Point(0, 0), Point(epoch=1), ValueError),
        (Point(0, 0, 0), Point(), ValueError),
        (Point(0, 0, 0), Point(1, 4), ValueError),
        (Point(1, 0, 0), Point(epoch=3), AssertionError),
        (Point(0, 1, 3), Point(epoch=3), AssertionError),
        (Point(0, 0, 0), Point(sample=0), AssertionError),
    ],
)
def test_starts_and_ends_that_make_no_sense_are_refused(start: Point, end: Point, error: type[Exception]) -> None:
    """With the framework's exceptions, and a sentence."""
    with pytest.raises(error, match=r"\w+ \w+"):
        counter(start, end)


def test_progress_moves_in_place() -> None:
    """The start stays, and `cur_iteration` is one object all along."""
    progress = counter()
    current = progress.cur_iteration
    progress.add_samples(2)
    progress.next_update()
    progress.next_epoch()
    assert progress.cur_iteration is current
    assert (progress.epoch, progress.update, progress.sample) == (1, 1, 2)
    assert progress.start_iteration == Point(0, 0, 0)
    assert progress.epoch_as_float == 0.25


def test_whole_epochs_are_counted_by_updates() -> None:
    """The very start counts as one."""
    progress = counter()
    full = []
    for _ in range(9):
        full.append(progress.is_full_epoch)
        progress.next_update()
    assert [number for number, is_full in enumerate(full) if is_full] == [0, 4, 8]


def test_a_run_is_finished_when_no_number_is_behind_the_end() -> None:
    """Being further than the end is finished, too."""
    progress = counter(Point(1, 7, 14), Point(update=8))
    assert not progress.is_finished
    for _ in range(2):
        progress.next_update()
        progress.add_samples(2)
        assert progress.is_finished


@pytest.mark.parametrize("name", ["epoch", "update", "sample", "is_finished"])
def test_progress_cannot_be_assigned(name: str) -> None:
    """Only the trainer moves it, by its methods."""
    with pytest.raises(AttributeError):
        setattr(counter(), name, 1)
