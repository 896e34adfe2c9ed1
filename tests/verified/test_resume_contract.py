"""The checks of the resume say the same on both harnesses. Needs the framework: scripts/test-noether."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("noether", reason="the framework is not installed", exc_type=ImportError)

from noether.core import callbacks
from tests.defects.catalogue import Case, cases_of
from tests.verified.swapping import swapped

from noether_testkit import check_callback
from noether_testkit.contract.checks.resume import CHECKS

NAMES = [check.name for check in CHECKS]
MODULES = [name.replace("-", "_") for name in NAMES]
EACH = 3
"""Of how many guilty and innocent callbacks near a check one is judged; all take some minutes."""

METRIC = "loss/test/total"
HOLD = {"ParamCountCallback": None, "DatasetStatsCallback": None, "CheckpointCallback": {"every_n_updates": 2}}
FORGET = {
    "MetricEarlyStopper": {"metric_key": METRIC, "tolerance": 2, "every_n_updates": 1},
    "BestMetricCallback": {
        "source_metric_key": METRIC,
        "target_metric_keys": ["accuracy/test"],
        "every_n_updates": 1,
    },
}


def pairs() -> Iterator[Any]:
    """Yields a sample of the callbacks in tests/defects, on the kit's base classes and on the framework's."""
    for name in MODULES:
        on_fakes = cases_of([importlib.import_module(f"tests.defects.{name}")])
        on_framework = {case.name: case for case in cases_of([swapped(name)])}
        for is_guilty in (True, False):
            chosen = [case for case in on_fakes if case.mark.is_guilty is is_guilty][::EACH]
            yield from (pytest.param(case, on_framework[case.name], id=case.name) for case in chosen)


@pytest.mark.parametrize(("on_fakes", "on_framework"), list(pairs()))
def test_the_verdicts_are_the_same_in_the_framework(on_fakes: Case, on_framework: Case) -> None:
    """The swapped prefix is all that differs: each check has the same outcome."""
    kit = check_callback(on_fakes.subject, select=NAMES)
    framework = check_callback(on_framework.subject, select=NAMES)
    assert kit.harness.startswith("fakes")
    assert framework.harness.startswith("emmiai-noether")
    outcomes = {result.check: result.outcome for result in framework.results}
    assert outcomes == {result.check: result.outcome for result in kit.results}
    broken = {result.check for result in framework.results if result.outcome in ("failed", "warned", "advised")}
    assert broken == (set(on_framework.mark.checks) if on_framework.mark.is_guilty else set())


@pytest.mark.parametrize("name", FORGET)
def test_stock_callbacks_that_forget_are_found(name: str) -> None:
    """Their best value and their patience are in no state: after a resume they decide otherwise."""
    report = check_callback(getattr(callbacks, name), config=FORGET[name])
    assert [result.check for result in report.failed] == ["resumes-as-if-uninterrupted"]
    assert "Most likely lost: self.best_metric" in (report["resumes-as-if-uninterrupted"].seen or "")


@pytest.mark.parametrize("name", HOLD)
def test_stock_callbacks_that_keep_nothing_hold(name: str) -> None:
    """They have nothing to lose, and the whole contract holds."""
    report = check_callback(getattr(callbacks, name), config=HOLD[name])
    assert report.ok
    assert not report.failed
