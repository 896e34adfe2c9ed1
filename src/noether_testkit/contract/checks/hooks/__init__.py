"""Checks of the hooks."""

from __future__ import annotations

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks.hooks import gradients, runs, signatures

CHECKS: tuple[Check, ...] = (*signatures.CHECKS, *gradients.CHECKS, *runs.CHECKS)
