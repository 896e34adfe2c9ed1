"""What came of judging a callback, as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from noether_testkit.contract.render import as_text
from noether_testkit.contract.verdict import BROKEN, JUDGED, Verdict
from noether_testkit.errors import ContractError, UnknownNameError

SCHEMA_VERSION = 1
"""Version of the shape of `Report.to_dict`."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one check on one subject.

    Attributes:
        check: Name of the check.
        force: Its force: `must`, `should` or `may`.
        outcome: One of the values of `Verdict`.
        promise: What the callback promises; completes "The callback …".
        seen: What was seen; for a check that did not judge, the reason; for one that passed, a limit.
        expected: What was expected instead.
        why: Why it hurts a real run.
        fix: What to change.
        location: The place in the callback's code, where it is known.
        page: Path of the page that explains the check.
        repeat: A command or call that repeats this one check.
        blocked_by: The check that has to hold first, for a blocked one.
        tolerated: Whether that check is expected to fail, or only warned.
    """

    check: str
    force: str
    outcome: str
    promise: str
    page: str
    repeat: str
    seen: str | None = None
    expected: str | None = None
    why: str | None = None
    fix: str | None = None
    location: str | None = None
    blocked_by: str | None = None
    tolerated: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of all checks on one subject.

    Attributes:
        subject: Name of the callback.
        harness: Where it was trained, and in which version.
        notes: What the kit chose on its own, such as an interval.
        results: One result a check, in the order of the registry.
        strict: Whether a warning counts as a failure.
    """

    subject: str
    harness: str
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether the contract holds: something was judged, nothing is broken, and nothing is left open."""
        judged = any(Verdict(result.outcome) in JUDGED for result in self.results)
        return judged and not any(self._spoils(result) for result in self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results that are failures; under `strict`, warnings too."""
        failing = {Verdict.FAILED, Verdict.UNEXPECTED_PASS} | ({Verdict.WARNED} if self.strict else set())
        return tuple(result for result in self.results if Verdict(result.outcome) in failing)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks came to each outcome."""
        counted = Counter(result.outcome for result in self.results)
        return {verdict.value: counted[verdict.value] for verdict in Verdict if counted[verdict.value]}

    def __str__(self) -> str:
        return as_text(self)

    def __getitem__(self, check: str) -> Result:
        for result in self.results:
            if result.check == check:
                return result
        raise UnknownNameError("result of a check named", check, (result.check for result in self.results))

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain data, for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "subject": self.subject,
            "harness": self.harness,
            "notes": list(self.notes),
            "strict": self.strict,
            "ok": self.ok,
            "planned": len(self.results),
            "counts": self.counts,
            "results": [asdict(result) for result in self.results],
        }

    def raise_for_failures(self) -> None:
        """Raises if the contract does not hold.

        Raises:
            ContractError: With the whole report as its text.
        """
        if not self.ok:
            raise ContractError(f"\n{as_text(self)}")

    def _spoils(self, result: Result) -> bool:
        verdict = Verdict(result.outcome)
        if verdict is Verdict.BLOCKED:
            return not result.tolerated
        return verdict in BROKEN or (self.strict and verdict is Verdict.WARNED)
