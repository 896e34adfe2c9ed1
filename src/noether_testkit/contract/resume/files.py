"""What a run left on disk, as values that can be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from noether_testkit.contract.harness import Outcome
from noether_testkit.fakes.run import MODEL_NAME

_TORCH = (".th", ".pt", ".pth")
_OF_THE_RUN = ("run_id", "callback_state_dicts")
"""Entries of checkpoints that are another in each run, or a matter of the state."""
_LARGEST = 16 * 2**20
_LONGEST_NUMBER = 64
_NO_TABLES = frozenset({*_TORCH, ".json", ".yaml", ".yml"})
_LARGEST_TABLE = 2**20

WRITTEN = "written"
"""Stands for the content of a file that is not read."""


def contents(outcome: Outcome) -> dict[str, Any]:
    """Returns the content of the files that a callback wrote into the run folder, by name.

    Files of torch and JSON are read, and texts that are one number; of others, which may be tables that go on in
    another folder, only the presence counts. What the trainer and the kit write is left out.
    """
    if outcome.run_folder is None or not outcome.run_folder.exists():
        return {}
    kept = of_the_kit(outcome)
    names = {str(file.relative_to(outcome.run_folder)): file for file in sorted(outcome.run_folder.rglob("*"))}
    return {
        name: _content(file)
        for name, file in names.items()
        if name not in kept and file.is_file() and not _is_of_the_trainer(file)
    }


def tables(outcome: Outcome) -> dict[str, list[str]]:
    """Returns the lines of the text files in the run folder, by name."""
    if outcome.run_folder is None or not outcome.run_folder.exists():
        return {}
    texts = {
        str(file.relative_to(outcome.run_folder)): _text(file)
        for file in sorted(outcome.run_folder.rglob("*"))
        if file.suffix not in _NO_TABLES and file.is_file()
    }
    return {name: text.splitlines() for name, text in texts.items() if text is not None}


def of_the_kit(outcome: Outcome) -> set[str]:
    """Returns the names of the checkpoint files that the kit wrote to resume from."""
    tags = (checkpoint.tag for checkpoint in outcome.checkpoints.values())
    return {f"checkpoints/{MODEL_NAME}_cp={tag}_{part}.th" for tag in tags for part in ("model", "optim", "trainer")}


def _is_of_the_trainer(file: Path) -> bool:
    return file.parent.name == "tracker" or ".early_exit_" in file.name or ".error_" in file.name


def _content(file: Path) -> Any:
    if file.stat().st_size > _LARGEST:
        return "too large to be compared"
    try:
        if file.suffix in _TORCH:
            return _without_names(torch.load(file, map_location="cpu", weights_only=False))
        if file.suffix == ".json":
            return json.loads(file.read_text(encoding="utf-8"))
    except Exception:  # noqa: BLE001 - a callback may write anything under any name
        return "unreadable"
    return _number(file)


def _number(file: Path) -> float | str:
    """Returns the number that is all of a text file, such as the best value so far."""
    if file.stat().st_size > _LONGEST_NUMBER:
        return WRITTEN
    try:
        return float(file.read_text(encoding="utf-8"))
    except ValueError:
        return WRITTEN


def _without_names(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if key not in _OF_THE_RUN}


def _text(file: Path) -> str | None:
    if file.stat().st_size > _LARGEST_TABLE:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
