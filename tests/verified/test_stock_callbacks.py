"""The framework's own callbacks do the same on the fakes. Needs the framework: scripts/test-noether."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("noether", reason="the framework is not installed", exc_type=ImportError)

from tests.verified.stock import CASES, EXCLUDED, Case, stock_callbacks

from noether_testkit import TrainingPlan
from noether_testkit.adapters import harness_for
from noether_testkit.contract.harness import Harness, Moment, Outcome

pytestmark = pytest.mark.usefixtures("quiet")

Facts = dict[str, str]

HALF = 4
TRAINED = TrainingPlan(epochs=2, checkpoint_after=frozenset({HALF}))


class Watch:
    """Keeps the tracker of a run."""

    tracker: Any = None

    def __call__(self, moment: Moment) -> AbstractContextManager[None]:
        if moment.hook == "__init__":
            self.tracker = moment.arguments["tracker"]
        return nullcontext()


def test_every_stock_callback_is_listed() -> None:
    """A callback that a new release brings is trained here, or excluded with a reason."""
    listed = {case.class_name for case in CASES}
    assert listed | set(EXCLUDED) == set(stock_callbacks())
    assert not listed & set(EXCLUDED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fakes_and_framework_agree(case: Case, tmp_path: Path) -> None:
    """Log entries, summary, files with their contents, weights, and the end are equal: trained, resumed, evaluated."""
    fakes, framework = facts_of("fakes", case, tmp_path), facts_of("noether", case, tmp_path)
    assert fakes == framework


def facts_of(world: str, case: Case, folder: Path) -> Facts:
    """Returns what two equal runs have in common; all else has to be listed as a clock."""
    one, two = (_all_runs(world, case, folder / f"{world}-{number}") for number in (1, 2))
    differing = {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}
    unlisted = sorted(key for key in differing if not _is_clock(case, key))
    assert not unlisted, f"Equal runs differ in {unlisted}."
    assert all(any(re.fullmatch(f"[a-z]+/{clock}", key) for key in one) for clock in case.clocks)
    return {key: value for key, value in one.items() if not _is_clock(case, key)}


def _is_clock(case: Case, key: str) -> bool:
    return any(re.fullmatch(f"[a-z]+/{clock}", key) for clock in case.clocks)


def _all_runs(world: str, case: Case, folder: Path) -> Facts:
    folder.mkdir()
    harness = harness_for(case.build(), world)
    trained, facts = _run(harness, case, TRAINED, folder, "trained")
    if trained.checkpoints and case.not_resumed is None:
        facts |= _run(harness, case, TRAINED.resumed(trained.checkpoints[HALF]), folder, "resumed")[1]
    return facts | _run(harness, case, TrainingPlan(evaluate=True), folder, "evaluated")[1]


def _run(harness: Harness, case: Case, plan: TrainingPlan, folder: Path, kind: str) -> tuple[Outcome, Facts]:
    watch = Watch()
    known = set(folder.iterdir())
    outcome = harness.train(case.build(), plan, folder=folder, watch=watch)
    error = outcome.error
    found = {
        "end": None if error is None else f"{type(error).__name__}: {error}",
        "updates": outcome.updates,
        "log": {str(number): entry for number, entry in enumerate(outcome.log)},
        "weights": outcome.weights,
        "summary": dict(watch.tracker.summary),
    }
    for run_folder in set(folder.iterdir()) - known:
        for file in run_folder.rglob("*"):
            found[f"files/{file.relative_to(run_folder).as_posix()}"] = _content(file)
    return outcome, {key: value for name, item in found.items() for key, value in _flat(f"{kind}/{name}", item)}


def _content(file: Path) -> Any:
    if file.suffix == ".th":
        return torch.load(file, weights_only=False)
    return "a folder" if file.is_dir() else "a file"


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the path and the words for each leaf, in order; the order of keys counts, too."""
    if isinstance(value, Mapping):
        yield path, f"mapping of {list(value)}"
        for key, item in value.items():
            yield from _flat(f"{path}/{key}", item)
    elif isinstance(value, list | tuple):
        yield path, f"{type(value).__name__} of {len(value)}"
        for number, item in enumerate(value):
            yield from _flat(f"{path}/{number}", item)
    elif isinstance(value, torch.Tensor):
        yield path, f"{value.dtype} {tuple(value.shape)} {value.tolist()}"
    else:
        yield path, f"{type(value).__name__} {value!r}"
