"""Reports say which release the fakes are verified against where another one is installed."""

from __future__ import annotations

import sys

import pytest
from tests.adapters.conftest import Install, another_release

from noether_testkit import check_callback
from noether_testkit.adapters.framework import VERIFIED_RELEASE
from noether_testkit.adapters.release import notes_on_the_release
from noether_testkit.core.callbacks import CallbackBase

OTHER = "2031.1.0"


def test_without_a_framework_there_is_nothing_to_say(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fakes stand for the verified release, whether it is there or not."""
    monkeypatch.setitem(sys.modules, "noether", None)
    assert notes_on_the_release() == ()


def test_a_report_on_the_fakes_names_both_releases(install: Install) -> None:
    """Nothing of the framework is imported for it."""
    install({"noether": "raise AssertionError('imported')"}, OTHER)
    (note,) = check_callback(CallbackBase, select=["accepts-the-collaborators"]).notes
    assert VERIFIED_RELEASE in note
    assert OTHER in note
    assert "noether-testkit doctor" in note


def test_differences_are_told_with_their_number(install: Install) -> None:
    """The first ones stand in the note, the others are counted."""
    install(another_release(), OTHER)
    (note,) = notes_on_the_release(with_differences=True)
    assert "What differs: " in note
    assert " more, see `noether-testkit doctor`)" in note
