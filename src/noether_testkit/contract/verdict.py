"""What can come of a check."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    ADVISED = "advised"
    EXPECTED_FAILURE = "expected-failure"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - no password
    SKIPPED = "skipped"
    NOT_APPLICABLE = "not-applicable"
    BLOCKED = "blocked"
    ERROR = "error"


JUDGED = frozenset(
    {
        Verdict.PASSED,
        Verdict.FAILED,
        Verdict.WARNED,
        Verdict.ADVISED,
        Verdict.EXPECTED_FAILURE,
        Verdict.UNEXPECTED_PASS,
    }
)
BROKEN = frozenset({Verdict.FAILED, Verdict.UNEXPECTED_PASS, Verdict.ERROR})
