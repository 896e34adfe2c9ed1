"""From a subject to a report: who blocks whom, what was expected, and what never matters."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import threading
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.broken_callbacks import (
    FAULTS,
    LeavesGradientsOn,
    LeavesTrainMode,
    RenamesKeysOnLoad,
    ResetsInBeforeTraining,
    Sound,
)

from noether_testkit import Report, Result, Subject, check_callback
from noether_testkit.contract import CHECKS, Judge, get_check
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.contract.runner import check_names
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.errors import SubjectError, UnknownNameError, UsageError

KINDS = (
    "tests.contract.broken_callbacks:RenamesKeysOnLoad",
    "tests.contract.broken_callbacks:LeavesTrainMode",
    "tests.defects.fits_hook_signatures:LogsTheMeanOfADataSet",
    "tests.defects.constructs_without_side_effects:DrawsWhenBuilt",
    "tests.defects.evaluates_without_changing_training:DecidesInEvaluations",
    "tests.defects.explains_a_foreign_state:StopsWithAnyState",
    "tests.defects.hands_out_a_snapshot:HandsOutCopies",
)
"""Plain and periodic callbacks, one with a data iterator; such as have files, tensors, decisions or faults."""
JUDGE_ALL = """
import json, sys
from importlib import import_module
from noether_testkit import Subject, check_callback
reports = {}
for name in sys.argv[1:]:
    module, _, cls = name.partition(":")
    callback = getattr(import_module(module), cls)
    marks = getattr(callback, "defect_marks", ())
    subject = Subject(callback, **(dict(marks[0].fields) if marks else {"declares": {"writes-weights", "notifies"}}))
    reports[name] = check_callback(subject).to_dict()
print(json.dumps(reports))
"""
NAMES = [check.name for check in CHECKS]
MODES = "leaves-modes-untouched"


class NoSeven(CallbackBase):
    """Takes none of the trainer's keywords."""

    def __init__(self) -> None:
        """Takes nothing."""


class FailsAtTheEnd(CallbackBase):
    def after_training(self, **_: Any) -> None:
        {}["missing"]


class NeedsAnUpdate(CallbackBase):
    """Fails in a run without updates only, which is a risk and no certain break."""

    def after_training(self, *, update_counter: Any) -> None:
        self.logger.info("%s", 1 / update_counter.update)


class TakesMoreThanIsGiven(PeriodicCallback):
    def track_after_update_step(self, *, update_counter: Any, times: Any, batch: Any) -> None:
        """Is never entered."""


class Noisy(Sound):
    """Does to the process what callbacks do."""

    def before_training(self, **_: Any) -> None:
        print("noise")  # noqa: T201
        warnings.simplefilter("error")
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger().setLevel(1)
        random.random()
        torch.rand(1)


def outcomes(report: Report) -> dict[str, str]:
    return {result.check: result.outcome for result in report.results}


def test_one_cause_is_one_failure_and_the_rest_is_blocked() -> None:
    """A callback that cannot be built is told so once, and each other check names that as its reason."""
    report = check_callback(NoSeven)
    assert [result.check for result in report.failed] == ["accepts-the-collaborators"]
    blocked = [result for result in report.results if result.outcome == "blocked"]
    assert len(blocked) == len(CHECKS) - 1
    assert {result.blocked_by for result in blocked} == {"accepts-the-collaborators"}


def test_a_callback_that_breaks_any_run_is_blamed_for_that_only() -> None:
    """Checks that need a whole run name the check that speaks for broken runs."""
    report = check_callback(FailsAtTheEnd)
    assert [result.check for result in report.failed] == ["completes-an-ordinary-run"]
    assert report[MODES].blocked_by == "completes-an-ordinary-run"
    assert "KeyError" in str(report[MODES].seen)


def test_a_finding_that_another_check_explains_is_left_to_it() -> None:
    """A hook with a wrong signature breaks every run, but the signature is the cause."""
    report = check_callback(TakesMoreThanIsGiven)
    assert [result.check for result in report.failed] == ["fits-hook-signatures"]
    assert report["completes-an-ordinary-run"].blocked_by == "fits-hook-signatures"


@pytest.mark.parametrize(("callback", "check"), FAULTS.items())
def test_an_expected_failure_does_not_spoil_the_report(callback: type, check: str) -> None:
    """A failure that is known, with its reason, is counted and told, and the contract holds."""
    report = check_callback(callback, expected_failures={check: "see issue 12"})
    assert report.ok
    assert report[check].outcome == "expected-failure"
    assert "see issue 12" in str(report[check].seen)


def test_what_an_expected_failure_blocks_does_not_spoil_the_report() -> None:
    """Checks that wait for a known failure are no failures, whichever of them are selected."""
    expected = {"has-state-of-the-right-shape": "see issue 12"}

    class ListState(CallbackBase):
        def state_dict(self) -> Any:
            return [1]

    report = check_callback(ListState, expected_failures=expected)
    assert report["round-trips-its-state"].outcome == "blocked"
    assert report.ok
    assert check_callback(ListState, expected_failures=expected, select=["round-trips-its-state", MODES]).ok


def test_an_unexpected_pass_is_a_failure() -> None:
    """An entry must not outlive its reason."""
    report = check_callback(Sound, expected_failures={MODES: "see issue 12"})
    assert report[MODES].outcome == "unexpected-pass"
    assert "see issue 12" in str(report[MODES].seen)
    assert not report.ok


def test_a_should_warns_and_fails_under_strict() -> None:
    """The record is the same, and only the verdict on the whole differs."""
    lenient, strict = check_callback(NeedsAnUpdate), check_callback(NeedsAnUpdate, strict=True)
    assert lenient["survives-a-zero-update-run"].outcome == "warned"
    assert lenient.ok
    assert not strict.ok
    assert [result.check for result in strict.failed] == ["survives-a-zero-update-run"]
    assert lenient.results == strict.results


def test_a_declaration_frees_from_its_checks() -> None:
    """What is done on purpose does not apply, and the report says by which word."""
    report = check_callback(Sound, declares={"writes-weights"})
    assert report["leaves-weights-untouched"].outcome == "not-applicable"
    assert "writes-weights" in str(report["leaves-weights-untouched"].seen)
    assert report.ok


def test_a_fault_of_the_kit_is_contained() -> None:
    """A check that fails itself is told as such, and costs no other result."""

    def fails(_: object) -> None:
        raise RuntimeError("the check itself is wrong")

    broken = replace(get_check(MODES), function=fails)
    judge = Judge(Subject(Sound), FakeHarness())
    report = judge.report([judge.result_of(broken), judge.result_of(get_check("fits-hook-signatures"))])
    assert outcomes(report) == {MODES: "error", "fits-hook-signatures": "passed"}
    assert "the check itself is wrong" in str(report[MODES].seen)
    assert not report.ok
    assert report.failed == ()


@pytest.mark.parametrize("name", NAMES)
def test_selection_does_not_change_a_result(name: str) -> None:
    """One check alone says what it says among all others."""
    whole = check_callback(ResetsInBeforeTraining)
    alone = check_callback(ResetsInBeforeTraining, select=[name])
    assert alone.results == (whole[name],)


@given(order=st.permutations(CHECKS))
@settings(max_examples=3)
def test_order_does_not_change_a_result(order: list[Any]) -> None:
    """Checks may be asked for in any order."""
    whole = check_callback(LeavesGradientsOn)
    judge = Judge(Subject(LeavesGradientsOn), FakeHarness())
    results = {check.name: judge.result_of(check) for check in order}
    assert tuple(results[name] for name in NAMES) == whole.results


def test_a_subject_does_not_change_the_next_one() -> None:
    """What one callback does to the process is over when the next is judged."""
    alone = check_callback(Sound)
    check_callback(LeavesGradientsOn)
    check_callback(LeavesTrainMode)
    check_callback(Noisy)
    assert check_callback(Sound).results == alone.results


def test_records_are_the_same_in_another_process() -> None:
    """Hash seeds, addresses and what was judged before leave no trace in a report of the whole contract."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", JUDGE_ALL, *order],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())},
        )
        for seed, order in (("1", KINDS), ("2", KINDS[::-1]))
    ]
    first, second = (json.loads(process.communicate()[0]) for process in processes)
    assert all(first[name]["planned"] == len(CHECKS) for name in KINDS)
    assert {name: first[name] for name in KINDS if first[name] != second[name]} == {}


def test_the_process_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    """Judging moves no generator, no switch, no handler, no filter and no thread, and prints nothing."""

    def look() -> list[Any]:
        return [
            random.getstate(),
            np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            list(logging.getLogger().handlers),
            logging.getLogger().level,
            list(warnings.filters),
            sys.stdout,
            threading.active_count(),
        ]

    check_callback(Sound)
    before = look()
    check_callback(Noisy)
    assert look() == before
    assert capfd.readouterr() == ("", "")


def test_the_callers_switches_change_no_verdict() -> None:
    """A report is the same from inside `no_grad`, autocast, another default dtype and another seed."""
    expected = check_callback(Sound).results
    torch.manual_seed(99)
    with torch.no_grad(), torch.autocast("cpu"):
        assert check_callback(Sound).results == expected


@pytest.mark.parametrize("callback", [Sound, ResetsInBeforeTraining, FailsAtTheEnd])
def test_the_command_that_repeats_a_finding_does_so(callback: type) -> None:
    """Each record has a command for this one check, with the config and the declarations of the subject."""
    config = {"every_n_updates": 3} if callback is not FailsAtTheEnd else None
    report = check_callback(callback, config=config, declares={"writes-weights", "notifies"}, select=[MODES])
    words = "" if config is None else " --config '{\"every_n_updates\": 3}'"
    assert report[MODES].repeat == (
        f"noether-testkit check tests.contract.broken_callbacks:{callback.__qualname__}{words} "
        f"--declare notifies --declare writes-weights --select {MODES}"
    ).replace("broken_callbacks:Fails", "test_runner:Fails")


@pytest.mark.parametrize(
    "fields", [{"metrics": {"loss": [1.0]}}, {"config": CallBackBaseConfig(every_n_updates=1)}, {"companions": [Sound]}]
)
def test_what_the_shell_cannot_say_is_repeated_in_python(fields: dict[str, Any]) -> None:
    """A subject with objects is repeated by a call."""
    report = check_callback(Sound, select=[MODES], **fields)
    assert report[MODES].repeat == f"check_callback(subject, select=['{MODES}']).raise_for_failures()"


def test_a_finding_says_everything() -> None:
    """What was seen, what was expected, why, how to mend it, where, the page and the command are all there."""
    (found,) = check_callback(RenamesKeysOnLoad).failed
    assert isinstance(found, Result)
    assert all(text for name, text in asdict(found).items() if name not in ("blocked_by", "tolerated"))


def test_names_are_checked_before_anything_is_built() -> None:
    """A slip in a name is told first, with the nearest name."""
    with pytest.raises(UnknownNameError, match="Did you mean 'writes-weights'"):
        check_names(None, None, ["write-weights"])
    with pytest.raises(UnknownNameError, match=f"Did you mean '{MODES}'"):
        check_names(["leaves-mode-untouched"], None, [])
    with pytest.raises(UnknownNameError, match=f"Did you mean '{MODES}'"):
        check_callback(Sound, ignore=["leaves-mode-untouched"])


def test_an_unknown_framework_is_answered_with_the_known_ones() -> None:
    """There are three places to train."""
    with pytest.raises(UnknownNameError, match=r"no framework 'fake'. Did you mean 'fakes'"):
        check_callback(Sound, framework="fake")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the framework may be installed")
def test_a_framework_that_is_not_installed_is_named() -> None:
    """The sentence says what to install, and what can be done without."""
    with pytest.raises(UsageError, match=r"not installed here.*fakes"):
        check_callback(Sound, framework="noether")


def test_long_intervals_are_shortened_and_noted() -> None:
    """A callback that would never act in a short run is judged with a short interval, and the report says so."""
    report = check_callback(Sound, config={"every_n_updates": 1000})
    assert report.notes == (
        "every_n_updates=1000 is longer than the kit's runs; it was judged with every_n_updates=2.",
    )


def test_a_factory_that_makes_no_callback_is_told() -> None:
    """Nothing is judged where there is no callback."""
    report = check_callback(lambda **_: None)
    assert not report.ok
    assert [result.check for result in report.failed] == ["accepts-the-collaborators"]


def test_a_judge_refuses_a_subject_that_cannot_be_built() -> None:
    """A wrong subject is an error of use, and no result of a check."""
    with pytest.raises(SubjectError):
        Judge(Subject(Sound, config={"every_n_updates": 0}), FakeHarness())
