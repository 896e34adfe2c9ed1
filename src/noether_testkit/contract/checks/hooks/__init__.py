"""Checks of the hooks."""

from __future__ import annotations

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks.hooks import (
    evaluation,
    evaluation_effects,
    gradients,
    options,
    runs,
    signatures,
    stops,
)

CHECKS: tuple[Check, ...] = (
    *signatures.CHECKS,
    *gradients.CHECKS,
    *runs.CHECKS,
    *stops.CHECKS,
    *evaluation.CHECKS,
    *evaluation_effects.CHECKS,
    *options.CHECKS,
)
