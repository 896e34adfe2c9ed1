"""Judges a subject: the one way from a callback to a report, for all routes."""

from __future__ import annotations

import json
import shlex
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from noether_testkit.contract.bench import ORDINARY_RUN, Bench, Rehearsal, rehearse
from noether_testkit.contract.check import Check, Finding, Force, NotApplicable, Unjudged
from noether_testkit.contract.configs import chosen_values, shortened_intervals
from noether_testkit.contract.construction import prepare
from noether_testkit.contract.harness import Harness
from noether_testkit.contract.locate import place_of_error, steady
from noether_testkit.contract.registry import BY_NAME, get_check, selected
from noether_testkit.contract.report import Report, Result
from noether_testkit.contract.sandbox import sandbox
from noether_testkit.contract.shared import SharedThings
from noether_testkit.contract.subject import DECLARATIONS, Subject
from noether_testkit.contract.time_limit import TIME_LIMIT_S, OutOfTime, time_limit
from noether_testkit.contract.verdict import Verdict
from noether_testkit.errors import UnknownNameError, UsageError

_FAILING = {Verdict.FAILED, Verdict.WARNED, Verdict.ADVISED, Verdict.EXPECTED_FAILURE, Verdict.ERROR}
_TOLERATED = {Verdict.EXPECTED_FAILURE, Verdict.WARNED, Verdict.ADVISED}
_VERDICT_OF = {Force.MUST: Verdict.FAILED, Force.SHOULD: Verdict.WARNED, Force.MAY: Verdict.ADVISED}


def judge_subject(
    subject: Subject,
    harness: Harness,
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    strict: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
) -> Report:
    """Judges a subject on a harness by all checks, or some; see `check_callback`."""
    judge = Judge(subject, harness, time_limit_s)
    results = [judge.result_of(check) for check in selected(select, ignore)]
    return judge.report(results, strict=strict)


def check_names(select: Iterable[str] | None, ignore: Iterable[str] | None, declares: Iterable[str]) -> None:
    """Makes sure that all names stand for something, before any callback is imported.

    Raises:
        UnknownNameError: One does not.
    """
    selected(select, ignore)
    for word in declares:
        if word not in DECLARATIONS:
            raise UnknownNameError("declaration", word, DECLARATIONS)


class Judge:
    """Judges one subject, check by check; what checks have in common is done once.

    Args:
        subject: What is judged.
        harness: Where it is trained.
        time_limit_s: Seconds that one check may take; 0 is no limit.

    Raises:
        UsageError: The subject cannot be built from what was given, or a name stands for nothing.
    """

    def __init__(self, subject: Subject, harness: Harness, time_limit_s: float = TIME_LIMIT_S) -> None:
        for name in subject.expected_failures or ():
            get_check(name)
        prepare(subject)
        self.subject = subject
        self._harness = harness
        self._time_limit_s = time_limit_s
        self._stuck: OutOfTime | None = None
        self._rehearsal: Rehearsal | None = None
        self._results: dict[str, Result] = {}
        self._under_way: set[str] = set()
        self._put_back = SharedThings(subject.callback).put_back if isinstance(subject.callback, type) else _nothing

    def result_of(self, check: Check) -> Result:
        """Returns the result of a check; those that must speak first are run before it."""
        if check.name not in self._results:
            self._under_way.add(check.name)
            try:
                self._results[check.name] = self._judge(check)
            finally:
                self._under_way.discard(check.name)
        return self._results[check.name]

    def report(self, results: Iterable[Result], *, strict: bool = False) -> Report:
        """Puts results into a report."""
        return Report(
            subject=self.subject.label,
            harness=f"{self._harness.name} {self._harness.version}",
            notes=tuple(self._notes()),
            results=tuple(results),
            strict=strict,
        )

    def _judge(self, check: Check) -> Result:  # noqa: PLR0911 - one return an outcome
        declared = sorted(check.unless & set(self.subject.declares))
        if declared:
            return self._result(check, Verdict.NOT_APPLICABLE, seen=f"The callback declares {declared[0]}.")
        blocking = self._failed_among(check.after)
        if blocking is not None:
            return self._blocked(check, blocking)
        if self._stuck is not None:
            return self._out_of_time(check, self._stuck)
        try:
            note = self._run(check)
        except Finding as finding:
            return self._found(check, finding)
        except OutOfTime as late:
            return self._out_of_time(check, late)
        except NotApplicable as reason:
            return self._result(check, Verdict.NOT_APPLICABLE, seen=str(reason))
        except Unjudged as reason:
            return self._blocked(check, self._root_of(reason.by), f": {reason.reason}")
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the kit must not cost the report
            trace = "".join(traceback.format_exception(error))
            return self._result(check, Verdict.ERROR, seen=f"The kit itself failed; please report this:\n{trace}")
        return self._held(check, note)

    def _run(self, check: Check) -> str | None:
        destructor = hasattr(self.subject.callback, "__del__")
        with (
            sandbox(has_destructor=destructor),
            time_limit(self._time_limit_s),
            Bench(self.subject, self._harness, self._rehearsed()) as bench,
        ):
            try:
                return check.function(bench)
            finally:
                self._put_back()

    def _out_of_time(self, check: Check, late: OutOfTime) -> Result:
        """Returns the result of a check that was ended; a callback that gets stuck in any run breaks only one."""
        if self._rehearsal is None:
            self._stuck = late
            if check.name != ORDINARY_RUN:
                return self._blocked(check, self._root_of(ORDINARY_RUN))
        place = place_of_error(late)
        finding = Finding(
            seen=f"The callback had not come back after {self._time_limit_s:g} s, in which the kit does some dozen "
            f"small runs{f'; it was at {place}' if place else ''}.",
            expected="Each hook comes back in a fraction of a second on the tiny runs of the kit.",
            fix="Look for a loop that does not end, or a wait without a timeout, at that place. If the callback is "
            "only slow, give it more time: time_limit_s=..., in the shell --time-limit.",
            location=place,
        )
        return self._found(check, finding)

    def _held(self, check: Check, note: str | None) -> Result:
        expected = (self.subject.expected_failures or {}).get(check.name)
        if expected is None:
            return self._result(check, Verdict.PASSED, seen=note)
        seen = f"It was expected to fail ({expected}), but it holds."
        return self._result(check, Verdict.UNEXPECTED_PASS, seen=seen, fix="Take it out of expected_failures.")

    def _blocked(self, check: Check, by: str, reason: str = "") -> Result:
        cause = self._results.get(by)
        tolerated = cause is not None and Verdict(cause.outcome) in _TOLERATED
        seen = f"{by} has to hold first{reason}."
        return replace(self._result(check, Verdict.BLOCKED, seen=seen), blocked_by=by, tolerated=tolerated)

    def _root_of(self, name: str) -> str:
        """Returns the check that blocks the named one, or the named one itself."""
        if name in self._under_way:
            return self._failed_among(BY_NAME[name].explained_by) or name
        return self.result_of(BY_NAME[name]).blocked_by or name

    def _failed_among(self, names: Iterable[str]) -> str | None:
        """Returns the first failed check among these, or the failed one that blocks it."""
        for name in names:
            if name in self._under_way:
                continue
            result = self.result_of(BY_NAME[name])
            root = result.blocked_by or name
            if root in self._results and Verdict(self._results[root].outcome) in _FAILING:
                return root
        return None

    def _rehearsed(self) -> Rehearsal:
        if self._rehearsal is None:
            self._rehearsal = rehearse(self.subject, self._harness)
        return self._rehearsal

    def _found(self, check: Check, finding: Finding) -> Result:
        cause = self._failed_among(check.explained_by)
        if cause is not None:
            return self._blocked(check, cause)
        expected = (self.subject.expected_failures or {}).get(check.name)
        verdict = _VERDICT_OF[check.force] if expected is None else Verdict.EXPECTED_FAILURE
        return self._result(
            check,
            verdict,
            seen=finding.seen if expected is None else f"{finding.seen} (Expected: {expected}.)",
            expected=finding.expected,
            why=check.why,
            fix=finding.fix,
            location=finding.location,
        )

    def _result(self, check: Check, verdict: Verdict, **fields: str | None) -> Result:
        return Result(
            check=check.name,
            force=check.force.value,
            outcome=verdict.value,
            promise=check.promise,
            page=check.page,
            repeat=self._repeat(check),
            **{name: text and steady(text) for name, text in fields.items()},  # type: ignore[arg-type]  # texts only
        )

    def _repeat(self, check: Check) -> str:
        """Returns the shell command that repeats a check, or the call where a shell cannot say it."""
        subject = self.subject
        in_code = (subject.kwargs, subject.metrics, subject.companions, subject.model, subject.datasets, subject.loss)
        named = isinstance(subject.callback, type) and "<locals>" not in subject.callback.__qualname__
        named = named and subject.callback.__module__ != "__main__"
        config = _as_json(subject.config)
        if not named or any(in_code) or config is None:
            return f"check_callback(subject, select=[{check.name!r}]).raise_for_failures()"
        words = [f"noether-testkit check {subject.callback.__module__}:{subject.callback.__qualname__}"]
        words += [f"--config {shlex.quote(config)}"] if subject.config is not None else []
        words += [f"--declare {word}" for word in sorted(subject.declares)]
        return " ".join([*words, f"--select {check.name}"])

    def _notes(self) -> Iterable[str]:
        yield from self._harness.notes
        chosen = chosen_values(self.subject)
        if chosen:
            values = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
            yield f"No config was given; the kit chose {values}."
        for name, (given, used) in shortened_intervals(self.subject).items():
            yield f"{name}={given} is longer than the kit's runs; it was judged with {name}={used}."


def _nothing() -> None:
    """Stands for what instances share where there is no class to look at."""


def _as_json(config: Any) -> str | None:
    if config is not None and not isinstance(config, Mapping):
        return None
    try:
        return json.dumps(config)
    except TypeError:
        return None
