"""A report says whether the contract holds, and counts everything."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from noether_testkit import Report, Result
from noether_testkit.contract.render import as_json, as_text, finding_text, summary
from noether_testkit.contract.verdict import Verdict
from noether_testkit.errors import ContractError, UnknownNameError


def result(outcome: str, check: str = "leaves-modes-untouched", **texts: str) -> Result:
    return Result(
        check=check,
        force="must",
        outcome=outcome,
        promise="leaves the modes.",
        page=f"checks/{check}.md",
        repeat=f"noether-testkit check module:Class --select {check}",
        **texts,  # type: ignore[arg-type]
    )


def report(*outcomes: str, strict: bool = False) -> Report:
    results = tuple(result(outcome, f"check-{index}") for index, outcome in enumerate(outcomes))
    return Report(subject="Class", harness="fakes 1.0", results=results, strict=strict)


HARMLESS = ["passed", "warned", "advised", "expected-failure", "not-applicable", "skipped"]
SPOILING = ["failed", "unexpected-pass", "error", "blocked"]


@pytest.mark.parametrize("outcome", HARMLESS)
def test_holds_with_harmless_outcomes_beside_a_passed_check(outcome: str) -> None:
    """Warnings, advice, known failures and what does not apply break nothing."""
    assert report("passed", outcome).ok


@pytest.mark.parametrize("outcome", SPOILING)
def test_does_not_hold_when_something_is_broken_or_open(outcome: str) -> None:
    """A failure, a surprise, a fault of the kit and an open question each spoil the report."""
    assert not report("passed", outcome).ok


@pytest.mark.parametrize("outcome", ["not-applicable", "skipped", "blocked", "error"])
def test_a_report_in_which_nothing_was_judged_is_not_green(outcome: str) -> None:
    """Green means that something was seen to hold."""
    assert not report(outcome).ok
    assert not report().ok


def test_a_warning_fails_under_strict_only() -> None:
    """`strict` turns a risk into a failure, and leaves advice alone."""
    assert report("passed", "warned").ok
    assert not report("passed", "warned", strict=True).ok
    assert [each.outcome for each in report("warned", "advised", strict=True).failed] == ["warned"]
    assert report("warned").failed == ()


def test_failed_are_broken_promises_only() -> None:
    """What could not be judged is not ok, but it is no failure of the callback either."""
    everything = report(*(verdict.value for verdict in Verdict))
    assert [each.outcome for each in everything.failed] == ["failed", "unexpected-pass"]


def test_all_outcomes_are_counted() -> None:
    """Planned is the sum of the counts, whatever the outcomes are."""
    outcomes = [*(verdict.value for verdict in Verdict), "passed", "blocked"]
    told = report(*outcomes).to_dict()
    assert sum(told["counts"].values()) == told["planned"] == len(outcomes)
    assert told["counts"]["passed"] == told["counts"]["blocked"] == 2


def test_a_result_is_found_by_the_name_of_its_check() -> None:
    """An unknown name is answered with the nearest one."""
    given = report("passed", "failed")
    assert given["check-1"].outcome == "failed"
    with pytest.raises(UnknownNameError, match="'check-0'"):
        given["chek-0"]


def test_to_dict_is_plain_data_with_a_version() -> None:
    """The shape is documented, so that it changes on purpose only."""
    told = report("passed").to_dict()
    assert json.loads(json.dumps(told)) == told
    assert list(told) == [
        "schema_version",
        "subject",
        "harness",
        "notes",
        "strict",
        "ok",
        "planned",
        "counts",
        "results",
    ]
    assert told["schema_version"] == 1
    assert set(told["results"][0]) == {field.name for field in fields(Result)}


def test_raises_with_the_whole_report() -> None:
    """The error of a failure can be read without anything else."""
    broken = report("passed", "failed")
    with pytest.raises(ContractError) as caught:
        broken.raise_for_failures()
    assert as_text(broken) in str(caught.value)
    report("passed").raise_for_failures()


def test_json_is_a_list_of_reports() -> None:
    """What a program reads is what `to_dict` says."""
    reports = [report("passed"), report("failed")]
    assert json.loads(as_json(reports)) == [each.to_dict() for each in reports]
    assert json.loads(as_json([])) == []


def test_text_has_a_line_a_check_then_findings_then_the_sums() -> None:
    """The eye finds the verdict at the end, and each finding once in full."""
    lines = as_text(report("passed", "failed", "not-applicable")).splitlines()
    assert lines[0] == "Class on fakes 1.0"
    assert [line.split() for line in lines[1:4]] == [["ok", "check-0"], ["FAIL", "check-1"], ["n/a", "check-2"]]
    assert sum("The callback leaves the modes." in line for line in lines) == 1
    assert lines[-1] == "Class: 3 planned = 1 passed, 1 failed, 1 not-applicable; THE CONTRACT IS BROKEN."


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["passed"], "the contract holds."),
        (["failed"], "THE CONTRACT IS BROKEN."),
        (["passed", "blocked"], "NOT JUDGED TO THE END."),
        (["error"], "NOT JUDGED TO THE END."),
        ([], "NOT JUDGED TO THE END."),
    ],
)
def test_the_summary_tells_broken_from_open(outcomes: list[str], verdict: str) -> None:
    """A callback is called broken only where a promise was seen to be broken."""
    assert summary(report(*outcomes)).endswith(verdict)


@pytest.mark.parametrize("verdict", Verdict)
def test_each_outcome_can_be_told(verdict: Verdict) -> None:
    """Text and JSON know every outcome."""
    given = report(verdict.value)
    assert "check-0" in as_text(given)
    assert verdict.value in as_json([given])


def test_a_finding_is_told_in_parts() -> None:
    """What was seen, what was expected, why it hurts, how to mend it, where, and how to see it again."""
    text = finding_text(
        result(
            "failed", seen="It was on.", expected="It is off.", why="It costs.", fix="Turn it off.", location="a.py:3"
        )
    )
    parts = [line.split(maxsplit=1) for line in text.splitlines()[1:]]
    assert parts == [
        ["seen", "It was on."],
        ["expected", "It is off."],
        ["why", "It costs."],
        ["fix", "Turn it off."],
        ["where", "a.py:3"],
        ["page", "checks/leaves-modes-untouched.md"],
        ["repeat", "noether-testkit check module:Class --select leaves-modes-untouched"],
    ]


def test_what_is_copied_from_a_finding_is_not_broken_into_lines() -> None:
    """A long command stays on one line, whatever the width of the text around it."""
    command = "noether-testkit check " + "package." * 30 + "module:Class"
    long = Result(
        check="a-check", force="must", outcome="failed", promise="p.", page="p", repeat=command, seen="word " * 100
    )
    lines = finding_text(long).splitlines()
    assert any(command in line for line in lines)
    assert all(len(line) <= 110 for line in lines if command not in line)


def test_lines_of_checks_stay_on_one_line() -> None:
    """A long or broken remark is cut, so that the list of checks stays a list."""
    remark = "first line\nsecond line " + "word " * 50
    given = Report(subject="Class", harness="fakes", results=(result("expected-failure", seen=remark),))
    lines = as_text(given).splitlines()
    assert len(lines) == 4
    assert len(lines[1]) <= 110
