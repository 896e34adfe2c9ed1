"""Judges every guilty and every innocent callback."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from tests.defects.catalogue import Case, cases_of

from noether_testkit import Report, Result, check_callback
from noether_testkit.contract import CHECKS

MODULES = tuple(
    import_module(f"tests.defects.{file.stem}")
    for file in sorted(Path(__file__).parent.glob("*.py"))
    if file.stem not in ("__init__", "baseline", "catalogue", "naive") and not file.stem.startswith("test_")
)
CASES = cases_of(MODULES)
GUILTY = [case for case in CASES if case.mark.is_guilty]
INNOCENT = [case for case in CASES if not case.mark.is_guilty]
BROKEN = {"failed", "warned", "advised"}
WITHOUT_PLACE = {"LogsAfterTheLastEntry"}
"""Guilty callbacks whose fault shows in the trainer, when none of their own code runs."""
UNTOUCHED = {"passed", "blocked", "not-applicable"}


@cache
def report_on(case: Case) -> Report:
    with quiet_destructors(case):
        return check_callback(case.subject)


@contextmanager
def quiet_destructors(case: Case) -> Iterator[None]:
    """Drops callbacks with a destructor here, where what it raises disturbs nobody."""
    previous, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
        if hasattr(case.subject.callback, "__del__"):
            gc.collect()
    finally:
        sys.unraisablehook = previous


@pytest.mark.parametrize("case", GUILTY, ids=str)
def test_guilty_callback_breaks_exactly_its_checks(case: Case) -> None:
    """They speak in sentences, no other check does, and what did not judge waits for the broken ones."""
    report = report_on(case)
    others = [result for result in report.results if result.check not in case.mark.checks]
    broken = tuple(result.check for result in report.results if result.outcome in BROKEN)
    assert sorted(broken) == sorted(case.mark.checks), told(report)
    assert {result.outcome for result in others} <= UNTOUCHED, told(report)
    assert {result.blocked_by for result in others} <= {None, *case.mark.checks}, told(report)
    for check in case.mark.checks:
        require_sentences(case, report[check])


@pytest.mark.parametrize("case", INNOCENT, ids=str)
def test_innocent_callback_holds(case: Case) -> None:
    """Nothing is broken, doubted or left open, and the checks near whose line it stands have passed."""
    report = report_on(case)
    assert report.ok, told(report)
    assert {result.outcome for result in report.results} <= {"passed", "not-applicable"}, told(report)
    assert all(report[check].outcome == "passed" or check_is_free(case, check) for check in case.mark.checks), told(
        report
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_check_has_its_guilty_and_innocent_callbacks(check: object) -> None:
    """Four callbacks break the check, and four stand near its line."""
    assert sum(check.name in case.mark.checks for case in GUILTY) >= 4
    assert sum(check.name in case.mark.checks for case in INNOCENT) >= 4


@pytest.mark.parametrize("case", [*GUILTY[::5], *INNOCENT[::8]], ids=str)
def test_same_verdict_twice(case: Case) -> None:
    """A second judgement says the same in the same words."""
    with quiet_destructors(case):
        again = check_callback(case.subject)
    assert again.to_dict() == report_on(case).to_dict()


def test_names_are_unique() -> None:
    """A name stands for one callback, so that pages and messages can use it."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def require_sentences(case: Case, result: Result) -> None:
    """What was seen, expected, hurts and mends are sentences, and the place is in the guilty callback's file."""
    for text in (result.seen, result.expected, result.why, result.fix):
        assert text
        assert re.match(r"[A-Z\d]|(self|state)[.\[]|[a-z]+_[a-z_]+\b", text), text
        assert text.endswith("."), text
        assert ".." not in text.replace("...", ""), text
    if case.name not in WITHOUT_PLACE:
        assert case.file in (result.location or ""), result.location


def check_is_free(case: Case, check: str) -> bool:
    """Returns whether the check does not apply: declared, or a callback without state."""
    return report_on(case)[check].outcome == "not-applicable"


def told(report: Report) -> str:
    return "\n".join(
        f"{result.check}: {result.outcome} {result.seen or ''} {result.location or ''}"
        for result in report.results
        if result.outcome != "passed" or result.seen
    )
