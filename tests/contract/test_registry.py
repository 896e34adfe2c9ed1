"""The one list of checks, and choosing among them."""

from __future__ import annotations

import re

import pytest

from noether_testkit.contract import CHECKS, DECLARATIONS, get_check
from noether_testkit.contract.registry import selected
from noether_testkit.errors import UnknownNameError, UsageError

NAMES = [check.name for check in CHECKS]


def test_each_name_stands_for_one_check() -> None:
    """Names are public, so that they must be unique and of one form."""
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", name) for name in NAMES)


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_a_check_refers_only_to_what_exists(check: object) -> None:
    """The checks that speak first, and the declarations that free from one, are real."""
    found = get_check(check.name)  # type: ignore[attr-defined]
    assert set(found.after) <= set(NAMES) - {found.name}
    assert set(found.explained_by) <= set(NAMES) - {found.name}
    assert found.unless <= set(DECLARATIONS)


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_a_check_says_its_promise_in_sentences(check: object) -> None:
    """A promise completes "The callback …", and why it matters is said in full."""
    found = get_check(check.name)  # type: ignore[attr-defined]
    assert found.promise[0].islower()
    assert found.promise.endswith(".")
    assert found.why[0].isupper()
    assert found.why.endswith(".")


def test_checks_that_speak_first_stand_first() -> None:
    """Results are reported in an order in which a cause comes before what it blocks."""
    for position, check in enumerate(CHECKS):
        assert set(check.after) <= set(NAMES[:position])


def test_selection_keeps_the_order_of_the_registry() -> None:
    """The order in which names are given does not matter, and neither does naming one twice."""
    chosen = selected(select=[NAMES[3], NAMES[0], NAMES[3]])
    assert [check.name for check in chosen] == [NAMES[0], NAMES[3]]


def test_ignored_checks_are_left_out() -> None:
    """What is ignored wins over what is selected."""
    assert [check.name for check in selected(ignore=NAMES[1:])] == NAMES[:1]
    assert [check.name for check in selected(select=NAMES[:2], ignore=NAMES[:1])] == NAMES[1:2]
    assert selected() == CHECKS


@pytest.mark.parametrize("arguments", [{"select": ["leaves-mode-untouched"]}, {"ignore": ["leaves-mode-untouched"]}])
def test_an_unknown_name_is_answered_with_the_nearest(arguments: dict[str, list[str]]) -> None:
    """A slip never selects or ignores nothing, in silence."""
    with pytest.raises(UnknownNameError, match=r"no check 'leaves-mode-untouched'. Did you mean 'leaves-modes-"):
        selected(**arguments)


@pytest.mark.parametrize("arguments", [{"select": []}, {"ignore": NAMES}, {"select": NAMES[:1], "ignore": NAMES[:1]}])
def test_choosing_nothing_is_refused(arguments: dict[str, list[str]]) -> None:
    """A run without any check would be neither green nor red."""
    with pytest.raises(UsageError, match="No check is left"):
        selected(**arguments)
