"""Holds that there is one release of the framework that everything is verified against."""

from __future__ import annotations

import re
from pathlib import Path

from noether_testkit.adapters.framework import DISTRIBUTION, VERIFIED_RELEASE

ROOT = Path(__file__).parents[2]


def test_the_verified_release_is_the_one_that_is_installed_for_the_tests() -> None:
    """`scripts/test-noether` installs exactly the release that messages and documents name."""
    script = (ROOT / "scripts/test-noether").read_text(encoding="utf-8")
    assert re.findall(rf"{DISTRIBUTION}==([\w.]+)", script) == [VERIFIED_RELEASE]


def test_the_extra_asks_for_no_older_release() -> None:
    """Who installs `noether-testkit[noether]` gets the verified release or a later one."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"{DISTRIBUTION}>={VERIFIED_RELEASE};" in project
