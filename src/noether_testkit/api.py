"""Judging a callback from Python: picks the harness, and hands over to the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from noether_testkit.adapters import harness_for
from noether_testkit.contract import Judge, Report, Subject, judge_subject
from noether_testkit.contract.time_limit import TIME_LIMIT_S


def check_callback(
    subject: Any,
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    framework: str = "auto",
    strict: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
    **subject_fields: Any,
) -> Report:
    """Judges a callback by the contract.

    Args:
        subject: A `Subject`, a callback class, or a factory of callbacks.
        select: Names of the checks to run; all where it is missing.
        ignore: Names of checks not to run.
        framework: Where to train: on the `fakes`, in the framework itself (`noether`), or `auto`: in
            the framework for classes built on its base class, on the fakes otherwise.
        strict: Whether a warning counts as a failure.
        time_limit_s: Seconds that one check may take before it is ended, and has failed; 0 is no limit. It works in
            the main thread of a POSIX system.
        **subject_fields: Fields of the subject, such as `config={"every_n_updates": 2}`.

    Returns:
        The report, with one result a check.

    Raises:
        UsageError: The subject cannot be built from what was given, a name stands for nothing, or the
            framework is asked for and not installed.
    """
    ready = Subject.of(subject, **subject_fields)
    harness = harness_for(ready, framework)
    return judge_subject(ready, harness, select=select, ignore=ignore, strict=strict, time_limit_s=time_limit_s)


def judge_of(subject: Subject, framework: str = "auto") -> Judge:
    """Returns a judge of a subject, for routes that run one check at a time."""
    return Judge(subject, harness_for(subject, framework))
