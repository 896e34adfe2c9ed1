"""Turns reports into text and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from noether_testkit.contract.verdict import Verdict

if TYPE_CHECKING:
    from noether_testkit.contract.report import Report, Result

WIDTH = 110

_LOUD = (Verdict.FAILED, Verdict.UNEXPECTED_PASS, Verdict.WARNED, Verdict.ADVISED, Verdict.ERROR)
_SIGN = {
    Verdict.PASSED: "ok",
    Verdict.FAILED: "FAIL",
    Verdict.WARNED: "warn",
    Verdict.ADVISED: "advice",
    Verdict.EXPECTED_FAILURE: "expected",
    Verdict.UNEXPECTED_PASS: "UNEXPECTED",
    Verdict.SKIPPED: "skipped",
    Verdict.NOT_APPLICABLE: "n/a",
    Verdict.BLOCKED: "blocked",
    Verdict.ERROR: "ERROR",
}


def as_text(report: Report) -> str:
    """Returns a report for people: a line a check, then each finding in full, then the sums."""
    lines = [f"{report.subject} on {report.harness}"]
    lines += [f"  note: {note}" for note in report.notes]
    lines += [_line(result) for result in report.results]
    for result in report.results:
        if Verdict(result.outcome) in _LOUD:
            lines += ["", finding_text(result)]
    return "\n".join([*lines, "", summary(report)])


def as_json(reports: Iterable[Report]) -> str:
    """Returns reports as a JSON array."""
    return json.dumps([report.to_dict() for report in reports], indent=2, ensure_ascii=False)


def finding_text(result: Result) -> str:
    """Returns one finding in full: what was seen, what was expected, why it hurts, and how to mend it."""
    parts = {
        "seen": result.seen,
        "expected": result.expected,
        "why": result.why,
        "fix": result.fix,
        "where": result.location,
        "page": result.page,
        "repeat": result.repeat,
    }
    head = f"{_SIGN[Verdict(result.outcome)]}  {result.check} ({result.force}): The callback {result.promise}"
    return "\n".join([_wrapped("", head), *(_wrapped(name, text) for name, text in parts.items() if text)])


def summary(report: Report) -> str:
    """Returns one line with the sums and the verdict."""
    sums = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items()) or "nothing"
    verdict = "the contract holds" if report.ok else "THE CONTRACT IS BROKEN"
    if not report.ok and not report.failed:
        verdict = "NOT JUDGED TO THE END"
    return f"{report.subject}: {len(report.results)} planned = {sums}; {verdict}."


def _line(result: Result) -> str:
    verdict = Verdict(result.outcome)
    remark = f"  {' '.join(result.seen.split())}" if result.seen and verdict not in _LOUD else ""
    line = f"  {_SIGN[verdict]:<10} {result.check}{remark}"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _wrapped(name: str, text: str) -> str:
    if name in ("repeat", "where"):
        return f"    {name:<9} {text}"
    indent = " " * (14 if name else 2)
    first = f"    {name:<9} " if name else ""
    return "\n".join(
        textwrap.fill(
            line,
            WIDTH,
            initial_indent=first if number == 0 else indent,
            subsequent_indent=indent,
            break_long_words=False,
        )
        for number, line in enumerate(text.splitlines())
    )
