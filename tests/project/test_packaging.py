"""Holds what is shipped, and what must not stand in any file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from noether_testkit.contract import CHECKS

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "the folder of a machine": r"(?<![\w.~/$}])/(?:root|work|opt|mnt|home/\w+)\b",
    "the address of a package registry": r"pypi\.org|pythonhosted|index-url|find-links",
}
"""What would tie the project to where it was written."""


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_knows_the_machine(kind: str) -> None:
    """No file names where it was written or where its packages came from."""
    pattern = re.compile(FORBIDDEN[kind])
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in tracked_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line) and file != Path(__file__)
    ]
    assert not found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built by the build backend at hand, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_ships_its_types(wheel: zipfile.ZipFile) -> None:
    """Type checkers find `py.typed`."""
    assert "noether_testkit/py.typed" in wheel.namelist()


def test_the_wheel_ships_the_reference_callbacks(wheel: zipfile.ZipFile) -> None:
    """The files to copy are there as they stand in the checkout."""
    for file in (ROOT / "reference_callbacks").glob("*.py"):
        assert wheel.read(f"noether_testkit/reference_callbacks/{file.name}") == file.read_bytes()


def test_the_wheel_ships_a_page_for_each_check(wheel: zipfile.ZipFile) -> None:
    """The pages can be read without the documentation."""
    pages = {f"noether_testkit/check_pages/{check.name}.md" for check in CHECKS}
    assert pages <= set(wheel.namelist())


def test_the_wheel_ships_every_module_and_no_test(wheel: zipfile.ZipFile) -> None:
    """Nothing is missing, and nothing of the checkout around it comes along."""
    source = ROOT / "src"
    modules = {file.relative_to(source).as_posix() for file in source.rglob("*.py")}
    assert modules <= set(wheel.namelist())
    assert {name.split("/")[0] for name in wheel.namelist()} <= {"noether_testkit", metadata_folder(wheel)}


def test_the_wheel_announces_shell_and_plugin(wheel: zipfile.ZipFile) -> None:
    """The command and the pytest plugin are entry points."""
    entries = wheel.read(f"{metadata_folder(wheel)}/entry_points.txt").decode()
    assert "noether-testkit = noether_testkit.cli:main" in entries
    assert "noether_testkit = noether_testkit.pytest_plugin" in entries


def metadata_folder(wheel: zipfile.ZipFile) -> str:
    return next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
