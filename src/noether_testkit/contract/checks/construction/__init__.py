"""Checks of how a callback is built."""

from __future__ import annotations

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks.construction import collaborators, effects, instances, names, weights

CHECKS: tuple[Check, ...] = (
    *collaborators.CHECKS,
    *effects.CHECKS,
    *weights.CHECKS,
    *names.CHECKS,
    *instances.CHECKS,
)
