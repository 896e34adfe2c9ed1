"""Promises of points in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from noether_testkit.core.utils.training import TrainingIteration as Point


def test_a_point_tells_how_much_of_it_is_set() -> None:
    """All three numbers, exactly one, or something between."""
    assert Point(1, 2, 3).is_fully_specified
    assert Point(update=0).is_minimally_specified
    between = Point(1, 2)
    assert not between.is_fully_specified
    assert not between.is_minimally_specified
    assert between.specified_properties_count == 2
    assert dict(between) == {"epoch": 1, "update": 2}


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (Point(1, 4, 8), "E1_U4_S8"),
        (Point(epoch=2), "Epoch: 2"),
        (Point(update=0), "Update: 0"),
        (Point(sample=3), "Sample: 3"),
        (Point(), "ENone_UNone_SNone"),
        (Point(1, 2), "E1_U2_SNone"),
    ],
)
def test_a_point_has_a_text(point: Point, text: str) -> None:
    """The full one is part of file names."""
    assert str(point) == repr(point) == text


@pytest.mark.parametrize(
    ("point", "full"),
    [
        (Point(epoch=2), Point(2, 8, 16)),
        (Point(update=6), Point(1, 6, 12)),
        (Point(sample=7), Point(0, 3, 6)),
        (Point(update=-5), Point(-1, -5, -10)),
        (Point(1, 2, 3), Point(1, 2, 3)),
    ],
)
def test_one_number_gives_the_others(point: Point, full: Point) -> None:
    """At four updates an epoch and two samples an update, parts are cut off."""
    assert point.to_fully_specified(4, 2) == full
    assert point.to_fully_specified(4, 2) is not point


@pytest.mark.parametrize(
    ("point", "error"), [(Point(), ValueError), (Point(1, 2), ValueError), (Point(sample=0), AssertionError)]
)
def test_a_point_without_exactly_one_number_gives_nothing(point: Point, error: type[Exception]) -> None:
    """Nor does sample 0, in the framework's release."""
    with pytest.raises(error):
        point.to_fully_specified(4, 2)


def test_a_point_keeps_only_what_another_sets() -> None:
    """More than it has cannot be asked for."""
    assert dict(Point(1, 4, 8).to_target_specification(Point(update=0))) == {"update": 4}
    with pytest.raises(ValueError, match="more numbers"):
        Point(update=4).to_target_specification(Point(1, 4, 8))


def test_points_compare_in_all_their_numbers() -> None:
    """What is not at least as far in each number is less, even if it is further in another."""
    assert Point(1, 4, 8) >= Point(1, 4, 8)
    assert Point(1, 4, 8) > Point(0, 3, 6)
    assert Point(1, 3, 8) < Point(0, 4, 8)
    assert Point(0, 4, 8) < Point(1, 3, 8)
    assert Point(update=3) < Point(update=4)


@pytest.mark.parametrize("operation", ["__ge__", "__add__", "__sub__"])
def test_points_that_set_different_numbers_do_not_combine(operation: str) -> None:
    """Another type has no numbers at all."""
    with pytest.raises(RuntimeError, match="different numbers"):
        getattr(Point(update=3), operation)(Point(epoch=1))
    with pytest.raises(AttributeError):
        getattr(Point(update=3), operation)(3)


def test_points_are_added_and_taken_away_number_by_number() -> None:
    """Without a look whether the result makes sense."""
    assert Point(1, 4, 8) + Point(0, 1, 2) == Point(1, 5, 10)
    assert Point(update=3) - Point(update=4) == Point(update=-1)


def test_equal_points_are_one_key() -> None:
    """A copy is equal and changes on its own; nothing else is equal."""
    point = Point(1, 4, 8)
    twin = point.copy()
    assert {point: 1}[twin] == 1
    twin.update = 5
    assert point != twin
    assert point.get_n_equal_properties(twin) == 2
    assert point.has_same_specified_properties(twin)
    assert point != "E1_U4_S8"
    assert bool(Point()) is True


@pytest.mark.parametrize(
    ("text", "starts", "contains"),
    [("E1_U4_S8.error", True, True), ("model_cp=E1_U4_S8_model.th", False, True), ("latest", False, False)],
)
def test_points_are_read_from_texts(text: str, starts: bool, contains: bool) -> None:
    """At the start, or anywhere for file names."""
    readers = ((Point.from_string, starts), (Point.from_filename, contains))
    for read, works in readers:
        if works:
            assert read(text) == Point(1, 4, 8)
        else:
            with pytest.raises(ValueError, match=text):
                read(text)
    assert Point.contains_string(text) is contains


def test_a_mapping_makes_a_point() -> None:
    """Other entries do not count."""
    assert Point.from_dict({"epoch": 1, "other": 2}) == Point(epoch=1)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in ("a_cp=E1_U4_S8_model.th", "b_cp=E2_U8_S16_model.th", "a_cp=latest_model.th"):
        (tmp_path / name).touch()
    return str(tmp_path)


@pytest.mark.parametrize(
    ("point", "ends", "found"),
    [
        (Point(epoch=1), {}, Point(1, 4, 8)),
        (Point(update=8), {"prefix": "b_", "suffix": "model.th"}, Point(2, 8, 16)),
    ],
)
def test_a_point_is_completed_from_file_names(folder: str, point: Point, ends: dict[str, Any], found: Point) -> None:
    """By the one number that is known."""
    assert Point.to_fully_specified_from_filenames(folder, point, **ends) == found


@pytest.mark.parametrize(
    ("point", "ends", "error"),
    [
        (Point(epoch=3), {}, FileNotFoundError),
        (Point(epoch=1), {"prefix": "b_"}, FileNotFoundError),
        (Point(1, 4, 8), {}, ValueError),
    ],
)
def test_a_point_without_a_file_is_refused(
    folder: str, point: Point, ends: dict[str, Any], error: type[Exception]
) -> None:
    """So is one that is known in full already."""
    with pytest.raises(error, match=r"No file|Exactly one"):
        Point.to_fully_specified_from_filenames(folder, point, **ends)
