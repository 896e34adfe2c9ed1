"""Verified behaviours of the counter and of its points in training."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.verified.worlds import World

Numbers = tuple[int | None, int | None, int | None]
POINTS: list[Numbers] = list(product([None, 0, 3], repeat=3))


def named(value: Any) -> dict[str, Any]:
    return dict(value)


@pytest.mark.parametrize(
    ("length", "end"),
    [
        ({"epoch": 2}, (2, 8, 16)),
        ({"update": 6}, (1, 6, 12)),
        ({"update": 0}, (0, 0, 0)),
        ({"sample": 7}, (0, 3, 6)),
        ({"sample": 1}, (0, 0, 0)),
    ],
)
def test_the_end_of_a_run_is_told_in_all_three_units(world: World, length: dict[str, int], end: Numbers) -> None:
    """Parts of a unit are cut off."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(**length))
    assert counter.end_iteration == world.iteration(*end)


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ((0, 3, 6), {"epoch": 3}, (3, 15, 30)),
        ((0, 3, 6), {"update": 12}, (2, 12, 24)),
        ((0, 3, 6), {"sample": 16}, (1, 8, 16)),
        ((1, 5, 10), {"epoch": 2}, (2, 9, 18)),
        ((2, 8, 16), {"epoch": 1}, (1, 4, 8)),
        ((2, 8, 16), {"update": 6}, (2, 6, 12)),
    ],
)
def test_what_remains_is_counted_from_the_start(
    world: World, start: Numbers, length: dict[str, int], end: Numbers
) -> None:
    """So a start within an epoch makes the end's epoch one too low, or a run by epochs too long."""
    counter = world.counter(world.iteration(*start), world.iteration(**length))
    assert counter.end_iteration == world.iteration(*end)


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        ((0, 0, None), (2, None, None), ValueError),
        ((0, 0, None), (1, 4, 8), ValueError),
        ((1, 4, 9), (2, None, None), AssertionError),
        ((0, 4, 8), (2, None, None), AssertionError),
        ((1, 4, 9), (1, 4, None), AssertionError),
        ((0, 0, 0), (1, 4, None), ValueError),
        ((0, 0, 0), (None, None, None), ValueError),
        ((0, 0, 0), (None, None, 0), AssertionError),
    ],
)
def test_a_run_with_a_contradictory_start_or_end_is_refused(
    world: World, start: Numbers, end: Numbers, error: type[Exception]
) -> None:
    """The start is looked at first."""
    with pytest.raises(error):
        world.counter(world.iteration(*start), world.iteration(*end))


def test_the_counter_is_moved_unit_by_unit(world: World) -> None:
    """Nothing moves by itself."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(epoch=2))
    counter.add_samples(2)
    assert (counter.epoch, counter.update, counter.sample) == (0, 0, 2)
    counter.next_update()
    assert (counter.epoch, counter.update, counter.sample) == (0, 1, 2)
    counter.next_epoch()
    assert (counter.epoch, counter.update, counter.sample) == (1, 1, 2)
    assert counter.epoch_as_float == 0.25


def test_the_progress_is_one_object_that_moves_on(world: World) -> None:
    """The start stays; a copy stays, too."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(epoch=2))
    kept, copied = counter.cur_iteration, counter.cur_iteration.copy()
    counter.next_update()
    assert (kept.update, copied.update, counter.start_iteration.update) == (1, 0, 0)


@pytest.mark.parametrize(("updates", "is_full"), [(0, True), (1, False), (4, True), (6, False), (8, True)])
def test_an_epoch_is_full_where_its_updates_are(world: World, updates: int, is_full: bool) -> None:
    """At update 0 as well."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(epoch=3))
    for _ in range(updates):
        counter.next_update()
    assert counter.is_full_epoch is is_full


def test_a_run_is_finished_when_all_three_units_are(world: World) -> None:
    """Not when the updates alone are there."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(update=1))
    counter.next_update()
    assert not counter.is_finished
    counter.add_samples(2)
    assert counter.is_finished


@pytest.mark.parametrize("name", ["epoch", "update", "sample", "is_finished", "is_full_epoch", "epoch_as_float"])
def test_the_numbers_of_a_counter_cannot_be_set(world: World, name: str) -> None:
    """They are read from its progress."""
    counter = world.counter(world.iteration(0, 0, 0), world.iteration(epoch=2))
    with pytest.raises(AttributeError):
        setattr(counter, name, 1)


@pytest.mark.parametrize("numbers", POINTS, ids=str)
def test_a_point_is_written_by_its_numbers(world: World, numbers: Numbers) -> None:
    """One number by name, all else in the short form."""
    epoch, update, sample = numbers
    names = [
        (name, value) for name, value in zip(("Epoch", "Update", "Sample"), numbers, strict=True) if value is not None
    ]
    expected = f"{names[0][0]}: {names[0][1]}" if len(names) == 1 else f"E{epoch}_U{update}_S{sample}"
    point = world.iteration(*numbers)
    assert (str(point), repr(point)) == (expected, expected)


@pytest.mark.parametrize("numbers", POINTS, ids=str)
def test_a_point_tells_which_numbers_it_sets(world: World, numbers: Numbers) -> None:
    """As pairs, as a count, and whether it is full or minimal."""
    point = world.iteration(*numbers)
    pairs = [pair for pair in zip(("epoch", "update", "sample"), numbers, strict=True) if pair[1] is not None]
    assert list(point) == pairs
    assert point.specified_properties_count == len(pairs)
    assert (point.is_fully_specified, point.is_minimally_specified) == (len(pairs) == 3, len(pairs) == 1)


@pytest.mark.parametrize("numbers", POINTS, ids=str)
def test_equal_points_have_equal_hashes(world: World, numbers: Numbers) -> None:
    """A copy is equal and another object; nothing else is equal to a point."""
    point = world.iteration(*numbers)
    assert point.copy() == point
    assert point.copy() is not point
    assert hash(point.copy()) == hash(point)
    assert point != str(point)


def test_a_point_is_true_whatever_its_numbers(world: World) -> None:
    """Even at 0."""
    assert world.iteration(0, 0, 0)
    assert world.iteration()


def test_a_point_is_at_least_another_if_all_its_numbers_are(world: World) -> None:
    """And below it otherwise, so two points can be below each other."""
    low, high, mixed = world.iteration(0, 3, 6), world.iteration(1, 4, 8), world.iteration(0, 5, 10)
    assert high >= low
    assert low < high
    assert high < mixed
    assert mixed < high
    assert low <= low.copy()


@pytest.mark.parametrize("operation", ["__ge__", "__add__", "__sub__"])
def test_points_of_other_units_cannot_be_compared_or_combined(world: World, operation: str) -> None:
    """Both must set the same numbers."""
    with pytest.raises(RuntimeError):
        getattr(world.iteration(epoch=1), operation)(world.iteration(update=4))


@pytest.mark.parametrize("operation", ["__ge__", "__add__", "__sub__"])
def test_a_point_and_a_number_cannot_be_compared_or_combined(world: World, operation: str) -> None:
    """A number has no unit."""
    with pytest.raises(AttributeError):
        getattr(world.iteration(epoch=1), operation)(1)


def test_points_are_added_and_subtracted_unit_by_unit(world: World) -> None:
    """A difference can be negative."""
    low, high = world.iteration(0, 3, 6), world.iteration(1, 4, 8)
    assert low + high == world.iteration(1, 7, 14)
    assert low - high == world.iteration(-1, -1, -2)
    assert world.iteration(update=2) - world.iteration(update=5) == world.iteration(update=-3)


@pytest.mark.parametrize(
    ("numbers", "full"),
    [
        ((2, None, None), (2, 8, 16)),
        ((None, 6, None), (1, 6, 12)),
        ((None, None, 7), (0, 3, 6)),
        ((None, -3, None), (0, -3, -6)),
        ((None, None, -7), (0, -3, -6)),
        ((9, 9, 9), (9, 9, 9)),
    ],
)
def test_one_number_gives_the_other_two(world: World, numbers: Numbers, full: Numbers) -> None:
    """Parts are cut towards zero; what is full stays, right or not."""
    assert world.iteration(*numbers).to_fully_specified(4, 2) == world.iteration(*full)


@pytest.mark.parametrize(
    ("numbers", "error"),
    [((1, 4, None), ValueError), ((None, None, None), ValueError), ((None, None, 0), AssertionError)],
)
def test_no_or_two_numbers_and_sample_0_give_nothing(world: World, numbers: Numbers, error: type[Exception]) -> None:
    """There is no way to tell the others."""
    with pytest.raises(error):
        world.iteration(*numbers).to_fully_specified(4, 2)


def test_a_point_is_reduced_to_the_numbers_of_another(world: World) -> None:
    """Those of the other must not be more."""
    point = world.iteration(1, 4, 8)
    assert point.to_target_specification(world.iteration(update=0)) == world.iteration(update=4)
    assert world.iteration(epoch=1).to_target_specification(world.iteration(update=0)) == world.iteration()
    with pytest.raises(ValueError, match=r"."):
        world.iteration(epoch=1).to_target_specification(point)


def test_points_count_the_numbers_that_they_share(world: World) -> None:
    """Missing ones are equal, too; the units are the same only if all are."""
    point = world.iteration(1, 4, None)
    assert point.get_n_equal_properties(world.iteration(1, 5, None)) == 2
    assert point.has_same_specified_properties(world.iteration(2, 8, None))
    assert not point.has_same_specified_properties(world.iteration(2, 8, 16))


@pytest.mark.parametrize("text", ["E1_U4_S8", "E1_U4_S8.error"])
def test_a_point_is_read_at_the_start_of_a_text(world: World, text: str) -> None:
    """What follows does not matter."""
    assert world.training.TrainingIteration.from_string(text) == world.iteration(1, 4, 8)


@pytest.mark.parametrize("text", ["xE1_U4_S8", "E1_U4", ""])
def test_a_text_that_starts_otherwise_is_no_point(world: World, text: str) -> None:
    """Even if one stands further on."""
    with pytest.raises(ValueError, match=r"."):
        world.training.TrainingIteration.from_string(text)


def test_a_point_is_found_anywhere_in_a_text(world: World) -> None:
    """In the name of a checkpoint, for one."""
    kind, text = world.training.TrainingIteration, "model_cp=E1_U4_S8_model.th"
    assert kind.contains_string(text)
    assert kind.find_string(text) == "E1_U4_S8"
    assert kind.from_filename(text) == world.iteration(1, 4, 8)
    assert not kind.contains_string("model_cp=latest_model.th")
    with pytest.raises(ValueError, match=r"."):
        kind.find_string("model_cp=latest_model.th")
    with pytest.raises(ValueError, match=r"."):
        kind.from_filename("model_cp=latest_model.th")


def test_a_point_is_built_from_a_mapping(world: World) -> None:
    """Further entries do not matter."""
    assert world.training.TrainingIteration.from_dict({"epoch": 1, "other": 2}) == world.iteration(epoch=1)


def test_one_number_is_completed_from_the_names_of_files(world: World, tmp_path: Path) -> None:
    """The file must fit in prefix and suffix, too, and there must be one."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("a_cp=E0_U2_S4_model.th", "a_cp=E1_U4_S8_model.th", "a_cp=latest_model.th", "b_cp=E1_U5_S10_model.th"):
        (folder / name).touch()
    find = world.training.TrainingIteration.to_fully_specified_from_filenames
    assert find(str(folder), world.iteration(epoch=1), prefix="a") == world.iteration(1, 4, 8)
    assert find(str(folder), world.iteration(sample=4), suffix="_model.th") == world.iteration(0, 2, 4)
    with pytest.raises(FileNotFoundError):
        find(str(folder), world.iteration(update=4), prefix="b")
    with pytest.raises(ValueError, match=r"."):
        find(str(folder), world.iteration(1, 4))
