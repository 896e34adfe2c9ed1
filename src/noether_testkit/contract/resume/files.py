"""What a run left on disk, as values that can be compared."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from noether_testkit.contract.harness import Outcome
from noether_testkit.fakes.run import MODEL_NAME

_TORCH = (".th", ".pt", ".pth")
_NUMPY = (".npy", ".npz")
_PICKLE = (".pkl", ".pickle")
_YAML = (".yaml", ".yml")
_OF_THE_RUN = ("run_id", "callback_state_dicts")
"""Entries of checkpoints that are another in each run, or a matter of the state."""
_LARGEST = 16 * 2**20
_NO_TABLES = frozenset({*_TORCH, *_NUMPY, *_PICKLE, *_YAML, ".json"})
_LARGEST_TABLE = 2**20
_CONTAINERS = (b"SQLite format 3", b"\x89HDF", b"\x1f\x8b", b"PK", b"%PDF")
"""How files begin that hold tables, or the time at which they were written."""
_RUN_ID = re.compile(r"(?<![A-Za-z0-9])run-\d+(?!\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?")

WRITTEN = "written"
"""Stands for the content of a file that is not read."""


class Lines(tuple[str, ...]):
    """The lines of a text file."""

    __slots__ = ()

    @property
    def number(self) -> float | None:
        """The number that is all of it, such as the best value so far."""
        try:
            return float(self[0]) if len(self) == 1 else None
        except ValueError:
            return None


class Digest(str):
    """Size and fingerprint of a file that is no text and in no format that is read."""

    __slots__ = ()

    @property
    def size(self) -> str:
        """The size in words."""
        return self.partition(" (")[0]


def contents(outcome: Outcome) -> dict[str, Any]:
    """Returns the content of the files that a callback wrote into the run folder, by name.

    Files of torch, NumPy, JSON, YAML and pickle are read. Of other texts there are the lines, of other files a
    fingerprint. What the trainer and the kit write is left out, and ids, folders and dates are
    the same in all runs.
    """
    kept = of_the_kit(outcome)
    return {
        _RUN_ID.sub("run-…", name): _content(file)
        for name, file in _files(outcome.run_folder)
        if name not in kept and not _is_of_the_trainer(file)
    }


def tables(outcome: Outcome) -> dict[str, list[str]]:
    """Returns the rows of the text files and JSON lists in the run folder, by name."""
    found: dict[str, list[str]] = {}
    for name, file in _files(outcome.run_folder):
        text = _text(file) if file.suffix not in _NO_TABLES or file.suffix == ".json" else None
        rows = None if text is None else _rows_of_list(text) if file.suffix == ".json" else text.splitlines()
        if rows is not None:
            found[name] = rows
    return found


def of_the_kit(outcome: Outcome) -> set[str]:
    """Returns the names of the checkpoint files that the kit wrote to resume from."""
    tags = (checkpoint.tag for checkpoint in outcome.checkpoints.values())
    return {f"checkpoints/{MODEL_NAME}_cp={tag}_{part}.th" for tag in tags for part in ("model", "optim", "trainer")}


def fingerprints(folder: Path | None) -> dict[str, str]:
    """Returns fingerprints of the files in a run folder, by name, to see which of them are written later."""
    return {_RUN_ID.sub("run-…", name): _digest(file.read_bytes()) for name, file in _files(folder)}


def _files(folder: Path | None) -> Iterator[tuple[str, Path]]:
    if folder is None or not folder.exists():
        return
    yield from ((str(file.relative_to(folder)), file) for file in sorted(folder.rglob("*")) if file.is_file())


def _is_of_the_trainer(file: Path) -> bool:
    return file.parent.name == "tracker" or ".early_exit_" in file.name or ".error_" in file.name


def _content(file: Path) -> Any:
    if file.stat().st_size > _LARGEST:
        return "too large to be compared"
    read = next((read for suffixes, read in _READERS if file.suffix in suffixes), _of_text)
    try:
        return _neutral(read(file))
    except Exception:  # noqa: BLE001 - a callback may write anything under any name
        return "unreadable"


def _of_torch(file: Path) -> Any:
    return _without_names(torch.load(file, map_location="cpu", weights_only=False))


def _of_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _of_yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _of_pickle(file: Path) -> Any:
    return pickle.loads(file.read_bytes())  # noqa: S301 - the callback has just written it


def _of_numpy(file: Path) -> Any:
    loaded = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    return dict(loaded) if file.suffix == ".npz" else loaded


def _of_text(file: Path) -> Any:
    """Returns the lines of a text file; of another file its size and a fingerprint, unless it is a container."""
    text = _text(file)
    if text is None:
        raw = file.read_bytes()
        return WRITTEN if raw.startswith(_CONTAINERS) else Digest(f"{len(raw)} bytes ({_digest(raw)})")
    return Lines(_neutral(text).splitlines())


_READERS = (
    (_TORCH, _of_torch),
    ((".json",), _of_json),
    (_YAML, _of_yaml),
    (_NUMPY, _of_numpy),
    (_PICKLE, _of_pickle),
)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:8]


def _neutral(value: Any) -> Any:
    """Returns a value without ids of runs, which are the names of their folders, and without dates."""
    if type(value) is str:
        return _DATE.sub("…", _RUN_ID.sub("run-…", value))
    if type(value) is dict:
        return {key: _neutral(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_neutral(each) for each in value)
    return value


def _without_names(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if key not in _OF_THE_RUN}


def _rows_of_list(text: str) -> list[str] | None:
    """Returns the entries of a JSON list, which is a table that is written as a whole."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return [json.dumps(row) for row in content] if isinstance(content, list) else None


def _text(file: Path) -> str | None:
    if file.stat().st_size > _LARGEST_TABLE:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
