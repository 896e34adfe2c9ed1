"""The verified behaviours as a table: all tests of this folder that take a `world`.

`python -m tests.verified.behaviours` prints it, `--write` puts it into docs/fakes.md.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/fakes.md"
START, END = "<!-- verified behaviours -->", "<!-- end -->"

WORLDS = ("fakes", "noether")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """One behaviour that is looked at in both worlds.

    Attributes:
        module: Name of the test module.
        test: Name of the test function.
    """

    module: str
    test: str

    @property
    def collaborator(self) -> str:
        """What behaves like this: the name of the module in words."""
        return self.module.removeprefix("test_").replace("_", " ")

    @property
    def sentence(self) -> str:
        """The name of the test in words."""
        return self.test.removeprefix("test_").replace("_", " ")


def behaviours(folder: Path = HERE) -> list[Behaviour]:
    """Returns all behaviours in a folder of test modules, module by module, in order."""
    return [found for file in sorted(folder.glob("test_*.py")) for found in _of_module(file)]


def table(found: list[Behaviour]) -> str:
    """Returns the behaviours as a table; the name of a collaborator stands in its first row."""
    lines = ["| collaborator | behaviour |", "|---|---|"]
    shown = ""
    for behaviour in found:
        name = "" if behaviour.collaborator == shown else behaviour.collaborator
        shown = behaviour.collaborator
        lines.append(f"| {name} | {behaviour.sentence} |")
    return "\n".join(lines) + "\n"


def outcomes_table(outcomes: Mapping[Behaviour, Mapping[str, str]]) -> str:
    """Returns what came of each behaviour in each world, in columns."""
    rows = [("behaviour", *WORLDS)]
    for behaviour, by_world in outcomes.items():
        name = f"{behaviour.collaborator}: {behaviour.sentence}"
        rows.append((name, *(by_world.get(world, "not run") for world in WORLDS)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def with_table(page: str) -> str:
    """Returns a page with the table of now between its two marks."""
    pattern = re.compile(f"({re.escape(START)}\n).*?({re.escape(END)})", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{table(behaviours())}\n{match[2]}", page)


def _of_module(file: Path) -> Iterator[Behaviour]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            arguments = (*node.args.args, *node.args.kwonlyargs)
            if any(argument.arg == "world" for argument in arguments):
                yield Behaviour(module=file.stem, test=node.name)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(table(behaviours()))
