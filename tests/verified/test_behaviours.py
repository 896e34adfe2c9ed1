"""The table of verified behaviours, and the list of corrections, are those of the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.verified.behaviours import END, HERE, PAGE, START, Behaviour, behaviours, outcomes_table, table, with_table

FACTS = HERE / "FACTS.md"
NAMED = re.findall(r"`(test_\w+)::(test_\w+)`", FACTS.read_text(encoding="utf-8"))
MODULE = """
import pytest

def test_it_does_this(world): ...

@pytest.mark.parametrize("n", [1])
def test_it_does_that(world, n): ...

def test_it_is_not_looked_at_in_both(framework): ...

def helper(world): ...
"""


def test_the_page_shows_all_verified_behaviours() -> None:
    """`python -m tests.verified.behaviours --write` brings docs/fakes.md up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(START) == page.count(END) == 1
    assert with_table(page) == page, "Run: python -m tests.verified.behaviours --write"


def test_behaviours_are_the_tests_that_take_a_world(tmp_path: Path) -> None:
    """Their names are the sentences; the collaborator stands in its first row."""
    (tmp_path / "test_log_writer.py").write_text(MODULE, encoding="utf-8")
    found = behaviours(tmp_path)
    assert found == [
        Behaviour(module="test_log_writer", test="test_it_does_this"),
        Behaviour(module="test_log_writer", test="test_it_does_that"),
    ]
    assert table(found) == (
        "| collaborator | behaviour |\n|---|---|\n| log writer | it does this |\n|  | it does that |\n"
    )


def test_outcomes_stand_in_columns() -> None:
    """A world in which nothing ran is said to be so."""
    found = Behaviour(module="test_log_writer", test="test_it_does_this")
    lines = outcomes_table({found: {"fakes": "passed"}}).splitlines()
    assert [line.split("  ") for line in map(str.rstrip, lines)][1] == ["log writer: it does this", "passed", "not run"]


def test_every_collaborator_has_behaviours() -> None:
    """One module each."""
    assert {behaviour.collaborator for behaviour in behaviours()} == {
        "batches",
        "checkpoint writer",
        "counter",
        "data",
        "evaluation",
        "frozen models",
        "log writer",
        "metric directions",
        "model",
        "optimiser states",
        "paths",
        "resume",
        "state matching",
        "stops",
        "tracker",
        "trainer",
        "views",
    }


@pytest.mark.parametrize(("module", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_correction_names_a_test_that_exists(module: str, test: str) -> None:
    """A renamed test takes its line along."""
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_correction_names_a_test() -> None:
    """No line is a mere claim."""
    rows = [line for line in FACTS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    claims = [row for row in rows if not row.endswith("| shown by |")]
    assert claims
    assert all(re.search(r"`test_\w+::test_\w+`", row) for row in claims)
