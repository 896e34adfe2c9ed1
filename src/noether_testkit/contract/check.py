"""What a check is: data and one plain function that returns, or raises what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from noether_testkit.errors import TestkitError

if TYPE_CHECKING:
    from noether_testkit.contract.bench import Bench

BUILT = ("accepts-the-collaborators", "hands-collaborators-to-the-base")
"""What speaks first for all checks that need a callback."""


class Force(Enum):
    """How much a broken check weighs."""

    MUST = "must"
    """A real run breaks or is silently wrong."""
    SHOULD = "should"
    """A risk; warns, and fails under `strict`."""
    MAY = "may"
    """Advice; never fails."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise of the contract.

    Attributes:
        name: Public name; completes "The callback …".
        topic: The part of the contract that it belongs to.
        force: How much it weighs.
        promise: The whole promise; completes "The callback …", too.
        why: Why a real run is hurt where it is broken.
        unless: Declarations that free a callback from it.
        after: Checks that speak first: where one of them has failed, this one is not run.
        explained_by: Checks whose failure explains a finding of this one, which then is theirs.
        function: Judges a bench.
    """

    name: str
    topic: str
    force: Force
    promise: str
    why: str
    unless: frozenset[str]
    after: tuple[str, ...]
    explained_by: tuple[str, ...]
    function: Callable[[Bench], str | None]

    @property
    def page(self) -> str:
        """Path of the page that explains the check."""
        return f"checks/{self.name}.md"


def check(
    *,
    force: Force,
    promise: str,
    why: str,
    unless: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    explained_by: tuple[str, ...] = (),
) -> Callable[[Callable[[Bench], str | None]], Check]:
    """Makes a check out of a function; the name and the topic are those of the function and its file.

    The function returns `None`, or a sentence on a limit that it saw, and raises `Finding`,
    `NotApplicable` or `Unjudged`.
    """

    def make(function: Callable[[Bench], str | None]) -> Check:
        return Check(
            name=function.__name__.replace("_", "-"),
            topic=function.__module__.partition(".checks.")[2].partition(".")[0],
            force=force,
            promise=promise,
            why=why,
            unless=frozenset(unless),
            after=after,
            explained_by=explained_by,
            function=function,
        )

    return make


class Finding(TestkitError):  # noqa: N818 - a finding is no error of the kit
    """The callback breaks a promise.

    Args:
        seen: What was seen, with the values.
        expected: What was expected instead.
        fix: What to change.
        location: The place in the callback's code, where it is known.
    """

    def __init__(self, *, seen: str, expected: str, fix: str, location: str | None = None) -> None:
        super().__init__(seen)
        self.seen = seen
        self.expected = expected
        self.fix = fix
        self.location = location


class NotApplicable(TestkitError):  # noqa: N818 - no error: the check has nothing to judge
    """The promise is not about this callback; the text says from what that is known."""


class Unjudged(TestkitError):  # noqa: N818 - no error: another check has to speak first
    """Another check must speak first.

    Args:
        by: Name of that check.
        reason: What kept this one from judging.
    """

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(reason)
        self.by = by
        self.reason = reason
