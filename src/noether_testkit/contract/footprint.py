"""What a run leaves behind: its log, weights, files and summary, the state, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.harness import Moment, Outcome, Watcher
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.subject import Subject
from noether_testkit.plan import TrainingPlan

_TENSOR_FILES = {".th", ".pt", ".pth", ".ckpt"}
_LARGEST_FILE_BYTES = 10_000_000

Footprint = Mapping[str, Any]
"""What a run has left, by names in plain words."""


def footprint(
    bench: Bench,
    plan: TrainingPlan | None = None,
    *,
    watch: Watcher | None = None,
    subject: Subject | None = None,
) -> Footprint:
    """Runs a plan and returns what it leaves behind."""
    outcome = bench.train(plan, watch=watch, subject=subject)
    return {
        "end": _end(outcome),
        "log": {f"update {entry.get('update')}": dict(entry) for entry in outcome.log},
        "weights": dict(outcome.weights),
        "optimizer": outcome.optimizer,
        "summary": snapshot(dict(outcome.summary)),
        "files": {} if outcome.run_folder is None else _files(outcome.run_folder),
        "state": outcome.state,
    }


def plain_footprint(bench: Bench) -> Footprint:
    """Returns what an ordinary run leaves behind."""
    return bench.once("footprint", lambda: footprint(bench))


def effects(plain: Footprint, other: Footprint, again: Callable[[], Footprint]) -> list[Difference]:
    """Returns in what a run differs from a plain one, but not in what two plain ones differ from each other.

    Args:
        plain: What the plain run has left.
        other: What the other run has left.
        again: Does the plain run once more, where there is a difference to be confirmed.
    """
    if not differences(plain, other, path="run"):
        return []
    unsteady = {each.path for each in differences(plain, again(), path="run")}
    return differences(plain, other, ignore=unsteady, path="run")


def place_in_words(difference: Difference) -> str:
    """Returns where two runs differ, such as `log, update 4, loss`."""
    if difference.path == "run['end']":
        return "the end of the run"
    keys = re.findall(r"\['?(.*?)'?\](?=\[|$)", difference.path.removeprefix("run"))
    if keys and keys[0] == "state":
        return "state" + difference.path.removeprefix("run['state']")
    return ", ".join(keys) or "the run"


def _end(outcome: Outcome) -> str:
    error = "" if outcome.error is None else f" by {error_in_words(outcome.error)}"
    return f"ended after update {outcome.updates}{error}"


def folder_of(moment: Moment) -> Path:
    """Returns the folder of the run in which a callback is built."""
    return Path(moment.arguments["log_writer"].path_provider.run_output_path)


def _files(folder: Path) -> dict[str, Any]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): _content(path) for path in files}


def _content(path: Path) -> Any:
    """Returns what a file holds: tensors and plain values, a text, or how long it is."""
    size = path.stat().st_size
    if size > _LARGEST_FILE_BYTES:
        return f"{size} bytes"
    if path.suffix in _TENSOR_FILES:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - torch raises many kinds; then the bytes are compared
            return path.read_bytes()
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
