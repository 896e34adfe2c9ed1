"""Holds the documentation to the code: blocks run, commands parse, reports are real, no check is left out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from noether_testkit.cli import _parser, main
from noether_testkit.contract import CHECKS, DECLARATIONS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    code: str

    @property
    def has_tests(self) -> bool:
        return bool(re.search(r"^ *def test_|\(CallbackContract\)", self.code, flags=re.MULTILINE))

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(kind: str) -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page, kind)]


def blocks_of(page: Path, kind: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match["kind"] == kind:
            code = "".join(line.removeprefix(match["indent"]) for line in match["code"].splitlines(keepends=True))
            yield Block(page=page, line=text.count("\n", 0, match.start()) + 1, code=code)


def commands() -> list[tuple[Block, str]]:
    """Returns all lines of shell blocks, and those of console blocks that start with a dollar."""
    shown = [(block, line) for block in blocks("shell") for line in block.code.splitlines()]
    typed = [(block, line) for block in blocks("console") for line in block.code.splitlines() if line.startswith("$ ")]
    return [(block, line.removeprefix("$ ")) for block, line in shown + typed if line.strip()]


@pytest.mark.parametrize("block", [block for block in blocks("python") if not block.has_tests], ids=str)
def test_python_blocks_run(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block runs as it stands, in a namespace of its own."""
    monkeypatch.syspath_prepend(ROOT)
    exec(compile(block.code, str(block), "exec"), {"__name__": "__main__"})


def test_python_blocks_with_tests_pass(tmp_path: Path) -> None:
    """A block with tests is a test file as it stands: all pass, each in a file of its own, in one session."""
    ready = [block for block in blocks("python") if block.has_tests]
    files = {f"test_{re.sub('[^a-z0-9]+', '_', str(block).lower())}": block for block in ready}
    for name, block in files.items():
        (tmp_path / f"{name}.py").write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-Werror", "-rfEp", "-p", "no:cacheprovider", "."]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    idle = [str(block) for name, block in files.items() if f"PASSED {name}.py" not in done.stdout]
    assert not idle, f"No test passed in {idle}."


@pytest.mark.parametrize(("block", "command"), commands(), ids=str)
def test_commands_exist(block: Block, command: str) -> None:
    """A command of the kit is one that its parser takes, and a script is there and can be run."""
    program, *arguments = shlex.split(command, comments=True)
    if program.removeprefix(".venv/bin/") == "noether-testkit":
        assert _parser().parse_args(arguments).run
    elif program == "pytest":
        assert arguments
    else:
        assert re.fullmatch(r"scripts/[\w-]+|\.ci/run", program), (
            f"{block} shows {program!r}, which the tests do not know"
        )
        assert (ROOT / program).stat().st_mode & 0o100


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_reports_shown_are_real(
    block: Block, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page shows below a command is what the command prints; `...` stands for lines left out."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT)
    command, *shown = block.code.splitlines()
    main(shlex.split(command.removeprefix("$ noether-testkit ")))
    printed = capsys.readouterr().out
    parts = (re.escape(part.strip("\n")) for part in re.split(r"^\.\.\.$", "\n".join(shown), flags=re.MULTILINE))
    assert re.match(r"\n(?:.*\n)*?".join(parts), printed), f"{block} differs from what is printed:\n{printed}"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_has_a_page(check: object) -> None:
    """A page starts with the name of its check."""
    page = ROOT / "docs" / check.page
    assert page.is_file(), f"There is no docs/{check.page}; write it like its neighbours."
    assert page.read_text(encoding="utf-8").startswith(f"# {check.name}\n")


def test_every_page_has_a_check() -> None:
    """No page outlives its check."""
    pages = {page.stem for page in (ROOT / "docs/checks").glob("*.md")} - {"index"}
    assert pages <= {check.name for check in CHECKS}


def test_the_list_of_checks_is_whole() -> None:
    """`docs/checks/index.md` lists the registry, topic by topic."""
    page = (ROOT / "docs/checks/index.md").read_text(encoding="utf-8")
    for topic, members in groupby(CHECKS, key=lambda check: check.topic):
        rows = "\n".join(row_of(check) for check in members)
        table = f"## {topic.capitalize()}\n\n| check | force | the callback … | unless |\n|---|---|---|---|\n{rows}\n"
        assert table in page, f"docs/checks/index.md lacks these lines:\n{table}"
    assert page.count("\n| [`") == len(CHECKS)


def row_of(check: object) -> str:
    unless = ", ".join(f"`{word}`" for word in sorted(check.unless))
    return f"| [`{check.name}`]({check.name}.md) | {check.force.value} | {check.promise} | {unless} |"


def test_the_list_of_declarations_is_whole() -> None:
    """The guide names every declaration and its meaning."""
    rows = "\n".join(f"| `{word}` | {meaning} |" for word, meaning in DECLARATIONS.items())
    assert rows in (ROOT / "docs/judging.md").read_text(encoding="utf-8"), f"docs/judging.md lacks these lines:\n{rows}"
