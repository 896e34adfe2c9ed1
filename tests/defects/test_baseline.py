"""The table of what is found by the contract and by plain mocks stands in the documentation as it comes out."""

from __future__ import annotations

from tests.defects.baseline import PAGE, page_with, tables


def test_the_page_shows_what_came_out() -> None:
    """`python -m tests.defects.baseline --write` brings it up to date."""
    assert PAGE.read_text(encoding="utf-8") == page_with(tables())
