"""Checks of how a callback is built."""

from __future__ import annotations

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks.construction import collaborators

CHECKS: tuple[Check, ...] = (*collaborators.CHECKS,)
