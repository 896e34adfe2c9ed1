"""Promises of the early stop."""

from __future__ import annotations

from noether_testkit.core.callbacks import EarlyStopIteration


def test_an_early_stop_is_a_stop_iteration() -> None:
    """As in the framework; so a bare `except StopIteration` swallows it."""
    assert EarlyStopIteration.__mro__[1:3] == (StopIteration, Exception)
    assert str(EarlyStopIteration("patience")) == "patience"
