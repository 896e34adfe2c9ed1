"""Fake of the experiment tracker."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from noether_testkit.fakes.providers import FakeMetricPropertyProvider, FakePathProvider
from noether_testkit.fakes.strict import StrictFake


class FakeTracker(StrictFake):
    """Keeps what would be sent to an experiment tracking service.

    Attributes:
        summary: The summary values by key.
    """

    _stands_for = "BaseTracker"

    def __init__(self, metric_property_provider: FakeMetricPropertyProvider, path_provider: FakePathProvider) -> None:
        super().__init__()
        self.logger = logging.getLogger("FakeTracker")
        self.metric_property_provider = metric_property_provider
        self.path_provider = path_provider
        self.summary: dict[str, Any] = {}

    def log(self, data: dict[str, Any]) -> None:
        """Takes one entry of the series: `epoch`, `update`, `sample` and the logged values."""
        self._record("log", data=dict(data))

    def set_summary(self, key: str, value: Any) -> None:
        """Sets one value of the summary."""
        self._record("set_summary", key=key, value=value)
        self.summary[key] = value

    def update_summary(self, data: Mapping[str, Any]) -> None:
        """Sets several values of the summary."""
        self._record("update_summary", data=dict(data))
        self.summary.update(data)

    def init(
        self,
        accelerator: str,
        run_name: str,
        stage_name: str | None,
        stage_hp: dict[str, Any],
        run_id: str,
        output_uri: str,
    ) -> None:
        """Begins tracking; the framework's launcher calls it before there is a trainer."""
        self._record(
            "init",
            accelerator=accelerator,
            run_name=run_name,
            stage_name=stage_name,
            stage_hp=stage_hp,
            run_id=run_id,
            output_uri=output_uri,
        )

    def summarize_logvalues(self) -> None:
        """Sums the series up; the framework's launcher calls it after the run."""
        self._record("summarize_logvalues")

    def close(self) -> None:
        """Ends tracking."""
        self._record("close")
