"""Promises of paths and metric properties."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from noether_testkit.fakes import FakeMetricPropertyProvider, FakePathProvider, Ordinality


@pytest.fixture
def metrics() -> FakeMetricPropertyProvider:
    return FakeMetricPropertyProvider()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("run_output_path", ""),
        ("checkpoint_path", "checkpoints"),
        ("logfile_uri", "log.txt"),
        ("basetracker_config_uri", "tracker/config.yaml"),
        ("basetracker_entries_uri", "tracker/entries.th"),
        ("basetracker_summary_uri", "tracker/summary.yaml"),
    ],
)
def test_paths_lie_in_the_folder_of_the_run(tmp_path: Path, name: str, path: str) -> None:
    """Folders are made on access, files are not."""
    found = getattr(FakePathProvider(tmp_path, "r"), name)
    assert found == tmp_path / "r" / path
    assert (found if "." not in found.name else found.parent).is_dir()
    assert not found.is_file()


def test_asking_for_no_path_makes_no_folder(tmp_path: Path) -> None:
    """A provider alone leaves no trace."""
    FakePathProvider(tmp_path, "r")
    assert list(tmp_path.iterdir()) == []


def test_stage_and_debug_are_folders_of_their_own(tmp_path: Path) -> None:
    """Another run of the same root has neither, unless a stage is asked for."""
    provider = FakePathProvider(tmp_path, "r", stage_name="s", debug=True)
    assert provider.run_output_path == tmp_path / "debug" / "r" / "s"
    assert provider.with_run("q").run_output_path == tmp_path / "q"
    assert provider.with_run(stage_name="t").run_output_path == tmp_path / "r" / "t"


@pytest.mark.parametrize(
    ("key", "higher", "neutral"),
    [
        ("accuracy", True, False),
        ("Accuracy1/test", True, False),
        ("loss", False, False),
        ("LOSS/x", False, False),
        ("error", False, False),
        ("mse_loss_accuracy", True, False),
        ("optim/loss", False, True),
        ("profiling/x", False, True),
        ("ctx/x", False, True),
    ],
)
def test_known_metrics_have_a_direction(
    metrics: FakeMetricPropertyProvider, key: str, higher: bool, neutral: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Case never counts, the first pattern wins, neutral metrics should not rise; there is no warning."""
    with caplog.at_level(logging.WARNING):
        assert metrics.higher_is_better(key) is higher
    assert metrics.is_neutral_key(key) is neutral
    assert caplog.records == []


def test_an_unknown_metric_counts_as_rising_with_a_warning(
    metrics: FakeMetricPropertyProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no direction of its own."""
    with caplog.at_level(logging.WARNING):
        assert metrics.higher_is_better("mse")
    assert "'mse'" in caplog.records[0].getMessage()
    assert metrics.get_ordinality("mse") is None


def test_a_registered_pattern_comes_after_those_that_are_there(metrics: FakeMetricPropertyProvider) -> None:
    """It speaks for unknown keys, and for this run only."""
    metrics.register_pattern("*mse*", Ordinality.LOWER_IS_BETTER)
    assert not metrics.higher_is_better("mse")
    assert metrics.higher_is_better("mse_accuracy")
    assert FakeMetricPropertyProvider().get_ordinality("mse") is None


def test_a_pattern_is_compared_with_keys_in_lower_case() -> None:
    """One with a capital letter fits none: so it is in the framework."""
    provider = FakeMetricPropertyProvider()
    provider.register_pattern("My*", Ordinality.LOWER_IS_BETTER)
    provider.register_pattern("your*", Ordinality.LOWER_IS_BETTER)
    assert provider.get_ordinality("MyMetric") is None
    assert provider.get_ordinality("YourMetric") is Ordinality.LOWER_IS_BETTER
