"""Verified behaviours of the path provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.verified.worlds import World

PATHS = {
    "run_output_path": "",
    "checkpoint_path": "checkpoints",
    "logfile_uri": "log.txt",
    "basetracker_config_uri": "tracker/config.yaml",
    "basetracker_entries_uri": "tracker/entries.th",
    "basetracker_summary_uri": "tracker/summary.yaml",
}


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        ({}, "r"),
        ({"stage_name": "s"}, "r/s"),
        ({"debug": True}, "debug/r"),
        ({"stage_name": "s", "debug": True}, "debug/r/s"),
        ({"stage_name": ""}, "r"),
    ],
)
@pytest.mark.parametrize("name", PATHS)
def test_everything_of_a_run_lies_in_its_folder(
    world: World, tmp_path: Path, name: str, arguments: dict[str, Any], folder: str
) -> None:
    """Of its stage, where there is one, and apart for debugging."""
    paths = world.PathProvider(tmp_path, "r", **arguments)
    assert getattr(paths, name) == tmp_path / folder / PATHS[name]


@pytest.mark.parametrize("name", PATHS)
def test_folders_are_made_when_they_are_asked_for(world: World, tmp_path: Path, name: str) -> None:
    """Not before, and files are not made at all."""
    paths = world.PathProvider(tmp_path, "r")
    assert not list(tmp_path.iterdir())
    path: Path = getattr(paths, name)
    is_folder = not path.suffix
    assert (path if is_folder else path.parent).is_dir()
    assert is_folder or not path.exists()


def test_a_provider_keeps_what_it_was_given(world: World, tmp_path: Path) -> None:
    """As plain attributes."""
    paths = world.PathProvider(tmp_path, "r", "s", debug=True)
    assert (paths.output_root, paths.run_id, paths.stage_name, paths.debug) == (tmp_path, "r", "s", True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"run_id": "q"}, ("q", None)),
        ({"run_id": ""}, ("", None)),
        ({"run_id": "q", "stage_name": "t"}, ("q", "t")),
        ({"stage_name": "t"}, ("r", "t")),
        ({}, ("r", None)),
    ],
)
def test_another_run_has_the_same_root_and_its_own_stage(
    world: World, tmp_path: Path, arguments: dict[str, str], expected: tuple[str, str | None]
) -> None:
    """It is not for debugging any more."""
    other = world.PathProvider(tmp_path, "r", "s", debug=True).with_run(**arguments)
    assert (other.run_id, other.stage_name) == expected
    assert (other.output_root, other.debug) == (tmp_path, False)


def test_all_parts_of_a_run_share_one_provider(world: World) -> None:
    """Writers, tracker, trainer and model."""
    run = world.run()
    owners = (run.trainer, run.log_writer, run.checkpoint_writer, run.tracker, run.model)
    assert all(owner.path_provider is run.path_provider for owner in owners)
