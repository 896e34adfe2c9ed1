"""Holds the pages of the checks to the guilty and innocent callbacks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.defects.test_defects import CASES

from noether_testkit.contract import CHECKS

ROOT = Path(__file__).parents[2]
HEADINGS = ["What it does", "Why this is bad", "Example", "Use instead", "When it does not apply"]
FILES = sorted(Path(__file__).parent.glob("*.py"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_page_has_the_fixed_headings(check: object) -> None:
    """Title, promise, force and topic, then five headings in one order."""
    text = page_of(check)
    title, promise = text.split("\n\n")[:2]
    assert title == f"# {check.name}"
    assert promise == f"The callback {check.promise}\n(`{check.force.value}`, {check.topic})"
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_page_shows_a_guilty_and_an_innocent_callback(check: object) -> None:
    """The first one breaks this check, the other one holds the contract."""
    marks = {case.name: case.mark for case in CASES}
    example, instead = (names_in(section_of(check, heading)) for heading in ("Example", "Use instead"))
    assert any(marks[name].is_guilty and check.name in marks[name].checks for name in example if name in marks)
    assert any(not marks[name].is_guilty for name in instead if name in marks)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_page_shows_what_is_tested(check: object) -> None:
    """Every class and function on a page stands in the tests, line for line."""
    tested = {name: text for file in FILES for name, text in definitions_in(file.read_text(encoding="utf-8"))}
    for block in python_in(page_of(check)):
        for name, text in definitions_in(block):
            assert text == tested[name], f"{name} on the page of {check.name} differs from the one in tests/defects."


def page_of(check: object) -> str:
    return (ROOT / "docs" / check.page).read_text(encoding="utf-8")


def section_of(check: object, heading: str) -> str:
    return page_of(check).partition(f"## {heading}\n")[2].partition("\n## ")[0]


def python_in(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def names_in(text: str) -> set[str]:
    return {name for block in python_in(text) for name, _ in definitions_in(block)}


def definitions_in(code: str) -> Iterator[tuple[str, str]]:
    """Yields the top-level classes and functions of a text, without their decorators."""
    lines = code.splitlines()
    for node in ast.parse(code).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])
