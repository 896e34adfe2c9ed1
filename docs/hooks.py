"""Lists the pages of the checks in the navigation."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from noether_testkit.contract import CHECKS


def on_config(config: Any) -> Any:
    """Puts the checks, by topic, below the navigation's entry `Checks`."""
    checks = next(entry["Checks"] for entry in config.nav if "Checks" in entry)
    for topic, members in groupby(CHECKS, key=lambda check: check.topic):
        checks.append({topic.capitalize(): [{check.name: check.page} for check in members]})
    return config
