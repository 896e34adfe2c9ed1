"""The one list of all checks, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Iterable

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks import construction, hooks, neutrality, resume, state
from noether_testkit.errors import UnknownNameError, UsageError

CHECKS: tuple[Check, ...] = (
    *construction.CHECKS,
    *hooks.CHECKS,
    *state.CHECKS,
    *resume.CHECKS,
    *neutrality.CHECKS,
)
"""All checks."""

BY_NAME = {check.name: check for check in CHECKS}


def get_check(name: str) -> Check:
    """Returns a check by its name.

    Raises:
        UnknownNameError: There is no such check.
    """
    if name not in BY_NAME:
        raise UnknownNameError("check", name, BY_NAME)
    return BY_NAME[name]


def selected(select: Iterable[str] | None = None, ignore: Iterable[str] | None = None) -> tuple[Check, ...]:
    """Returns the checks to run, in the order of the registry.

    Args:
        select: Only these; all where it is missing.
        ignore: Not these.

    Raises:
        UnknownNameError: A name that stands for no check.
        UsageError: No check is left.
    """
    wanted = set(BY_NAME) if select is None else {get_check(name).name for name in _names(select)}
    unwanted = {get_check(name).name for name in _names(ignore or ())}
    if not wanted - unwanted:
        raise UsageError("No check is left to run: select at least one, and ignore fewer.")
    return tuple(check for check in CHECKS if check.name in wanted - unwanted)


def _names(names: str | Iterable[str]) -> Iterable[str]:
    return [names] if isinstance(names, str) else names
