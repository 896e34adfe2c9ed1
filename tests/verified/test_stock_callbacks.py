"""The contract judges callbacks that the framework ships. Needs the framework: scripts/test-noether."""

from __future__ import annotations

import pytest

from noether_testkit import Report, check_callback

callbacks = pytest.importorskip("noether.core.callbacks", reason="the framework is not installed", exc_type=ImportError)


def outcomes(report: Report) -> dict[str, str]:
    return {result.check: result.outcome for result in report.results}


def test_a_stateless_stock_callback_holds() -> None:
    """`ParamCountCallback` takes no config and keeps no state: every check passes or has nothing to judge."""
    report = check_callback(callbacks.ParamCountCallback)
    assert report.ok
    assert set(outcomes(report).values()) <= {"passed", "not-applicable"}
    assert outcomes(report)["accepts-the-collaborators"] == "passed"
    assert "state_dict() answered None" in (report["round-trips-its-state"].seen or "")


def test_a_stock_early_stopper_holds() -> None:
    """`MetricEarlyStopper` gets its config from a mapping and a plausible series for the metric that it asks for."""
    report = check_callback(
        callbacks.MetricEarlyStopper,
        config={"metric_key": "loss/test/total", "tolerance": 2, "every_n_updates": 1},
    )
    assert report.ok
    assert outcomes(report)["completes-an-ordinary-run"] == "passed"
    assert outcomes(report)["leaves-weights-untouched"] == "passed"


def test_a_broken_subclass_of_a_stock_callback_is_caught() -> None:
    """A class that derives from the framework's own is judged like any other."""

    class LeavesTrainMode(callbacks.ParamCountCallback):  # type: ignore[misc, name-defined]
        def before_training(self, *, update_counter: object) -> None:
            self.model.train()

    report = check_callback(LeavesTrainMode)
    assert [result.check for result in report.failed] == ["leaves-modes-untouched"]
