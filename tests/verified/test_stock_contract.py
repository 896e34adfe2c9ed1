"""The contract judges the framework's own callbacks, on both harnesses. Needs the framework: scripts/test-noether."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

pytest.importorskip("noether", reason="the framework is not installed", exc_type=ImportError)

from noether.core import callbacks
from noether.training.trainers import BaseTrainer
from tests.verified.stock import CASES, Case

from noether_testkit import Report, check_callback
from noether_testkit.adapters.framework_classes import framework_classes
from noether_testkit.contract.checks import resume
from noether_testkit.errors import UsageError

_NEWEST = {"resumes-from-its-source": "it goes on from the newest average, whatever checkpoint was asked for"}
_FORGETS = {"resumes-as-if-uninterrupted": "its best value is in no state"}
BROKEN: dict[str, dict[str, str]] = {
    "BestCheckpointCallback": {
        "evaluates-without-changing-training": "it saves the best checkpoint in an evaluation run, too",
        "hands-out-a-snapshot": "its state is the mapping that it goes on working with",
    },
    "BestMetricCallback": _FORGETS,
    "EmaCallback-updates": _NEWEST,
    "EmaCallback-epochs": _NEWEST,
    "EmaCallback-samples": _NEWEST,
    "EmaCallback-part": {
        "completes-an-ordinary-run": "it averages a part that is no model of the framework's own, and says so",
    },
    "EmaCallback-children": {
        "works-in-an-evaluation-run": "its children cannot run before anything is averaged: a KeyError",
        "resumes-after-a-crash": "without the option for the latest weights, its files are written when training ends",
    },
    "MetricEarlyStopper": _FORGETS,
    "ProgressCallback": {"works-in-an-evaluation-run": "a bare AssertionError where a checkpoint is evaluated"},
}
"""Checks that a case breaks, by its name or its class, and why; rightly reported."""

SHIFTED = {"OfflineLossCallback-samples"}
"""Cases that the framework cannot resume without a shift of their data: some checks do not apply there."""

NOT_JUDGED_TWICE = {
    "PyTorchProfilerCallback": "a run that dies leaves the profiler of the process on, which the next judging meets",
}
"""Cases that one process cannot judge on both harnesses."""

COMPARED = [case for case in CASES if case.name not in NOT_JUDGED_TWICE]
JUDGED_ALONE = [case for case in CASES if case.name in NOT_JUDGED_TWICE]


def outcomes(report: Report) -> dict[str, str]:
    return {result.check: result.outcome for result in report.results}


def words(report: Report) -> dict[str, str | None]:
    """Returns what was seen; the trials of a resume differ, since the framework shifts the data of some."""
    trials = {check.name for check in resume.CHECKS}
    return {result.check: result.seen for result in report.failed if result.check not in trials}


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.name)
def test_the_verdicts_are_the_same_on_both_harnesses(case: Case) -> None:
    """Each check has the same outcome on the fakes as in the framework, and all hold but for known faults."""
    framework = check_callback(case.build(), framework="noether")
    fakes = check_callback(case.build(), framework="fakes")
    assert framework.harness != fakes.harness
    judged = outcomes(framework)
    if case.name in SHIFTED:
        judged = {check: outcome for check, outcome in judged.items() if outcome != "not-applicable"}
    assert {check: outcomes(fakes)[check] for check in judged} == judged
    assert words(fakes) == words(framework)
    known = BROKEN.get(case.name, BROKEN.get(case.class_name, {}))
    broken = {check for check, outcome in judged.items() if outcome in ("failed", "warned", "advised")}
    assert broken == set(known)
    if not known:
        assert set(judged.values()) <= {"passed", "not-applicable"}


@pytest.mark.parametrize("framework", ["noether", "fakes"])
@pytest.mark.parametrize("case", JUDGED_ALONE, ids=lambda case: case.name)
def test_what_cannot_be_judged_twice_holds_in_a_fresh_process(case: Case, framework: str) -> None:
    """Each harness has a process of its own, and there every check holds."""
    target = f"{case.build().callback.__module__}:{case.class_name}"
    command = ["check", target, "--config", json.dumps(case.config), "--framework", framework]
    answer = subprocess.run(
        [sys.executable, "-m", "noether_testkit.cli", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_stateless_stock_callback_holds() -> None:
    """`ParamCountCallback` takes no config and keeps no state: every check passes or has nothing to judge."""
    report = check_callback(callbacks.ParamCountCallback)
    assert report.ok
    assert outcomes(report)["accepts-the-collaborators"] == "passed"
    assert "state_dict() answered None" in (report["round-trips-its-state"].seen or "")


def test_a_partial_of_a_framework_class_is_trained_in_the_framework() -> None:
    """What is built on the framework's base class is judged there, however it is handed in."""
    report = check_callback(partial(callbacks.ParamCountCallback), select="accepts-the-collaborators")
    assert report.harness.startswith("emmiai-noether")


def test_a_stock_early_stopper_is_fed() -> None:
    """`MetricEarlyStopper` gets its config from a mapping and a plausible series for the metric that it asks for."""
    report = check_callback(
        callbacks.MetricEarlyStopper,
        config={"metric_key": "loss/test/total", "tolerance": 2, "every_n_updates": 1},
    )
    assert outcomes(report)["completes-an-ordinary-run"] == "passed"
    assert outcomes(report)["leaves-weights-untouched"] == "passed"


@pytest.mark.parametrize("framework", ["noether", "fakes"])
def test_a_broken_subclass_of_a_stock_callback_is_caught(framework: str) -> None:
    """A class that derives from the framework's own is judged like any other."""

    class LeavesTrainMode(callbacks.ParamCountCallback):  # type: ignore[misc, name-defined]
        def before_training(self, *, update_counter: object) -> None:
            self.model.train()

    report = check_callback(LeavesTrainMode, framework=framework)
    assert [result.check for result in report.failed] == ["leaves-modes-untouched"]


@pytest.mark.parametrize("framework", ["noether", "fakes"])
def test_an_error_of_the_callback_is_no_matter_of_the_release(framework: str) -> None:
    """An AttributeError that a callback raises is found against the callback."""

    class MisspellsTheTrainer(callbacks.CallbackBase):  # type: ignore[misc, name-defined]
        def before_training(self, *, update_counter: object) -> None:
            self.trainer.surely_not_there()

    report = check_callback(MisspellsTheTrainer, framework=framework)
    assert "surely_not_there" in (report["completes-an-ordinary-run"].seen or "")


def test_a_renamed_method_is_a_matter_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer whose overridden method is gone would train no callback at all: the kit refuses it."""
    monkeypatch.delattr(BaseTrainer, "get_user_callbacks")
    framework_classes.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"lacks noether\.training\.trainers\.BaseTrainer\.get_user_callbacks"):
            check_callback(callbacks.ParamCountCallback)
    finally:
        framework_classes.cache_clear()


def test_a_renamed_argument_is_a_matter_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constructor that takes other arguments is refused before any callback is blamed."""

    def init(self: Any, config: Any, data: Any, place: str) -> None:
        """Takes what another release might take."""

    monkeypatch.setattr(BaseTrainer, "__init__", init)
    with pytest.raises(UsageError, match=r"does not take what the kit gives it: TypeError.*--framework fakes"):
        check_callback(callbacks.ParamCountCallback)
    assert check_callback(callbacks.ParamCountCallback, framework="fakes").ok
