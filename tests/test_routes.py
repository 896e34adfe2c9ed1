"""Four routes lead to the contract: class, decorator, function and shell. They give the same records."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.contract import broken_callbacks

from noether_testkit import check_callback
from noether_testkit.cli import main

CHECK_OF = {cls.__name__: check for cls, check in broken_callbacks.FAULTS.items()}
NAMES = [*CHECK_OF, "Sound"]
Records = dict[str, dict[str, Any]]

CONFTEST = """
import json

def pytest_runtest_logreport(report):
    for name, record in report.user_properties:
        if report.when == "call" and name == "noether-testkit":
            with open("records.jsonl", "a") as file:
                file.write(json.dumps([report.nodeid, json.loads(record)]) + "\\n")
"""

BY_CLASS = """
class By_class_{name}(CallbackContract):
    callback = {name}
"""

BY_DECORATOR = """
@contract_tests({name})
def by_decorator_{name}(check):
    check()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with the callbacks in a module of its own, and its tests run once."""
    folder = tmp_path_factory.mktemp("project")
    source = Path(broken_callbacks.__file__).read_text(encoding="utf-8")
    tests = [form.format(name=name) for name in NAMES for form in (BY_CLASS, BY_DECORATOR)]
    head = "from noether_testkit import CallbackContract, contract_tests\nfrom project_callbacks import *\n"
    (folder / "project_callbacks.py").write_text(source, encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_project.py").write_text(head + "".join(tests), encoding="utf-8")
    names = ["-o", "python_classes=By_*", "-o", "python_functions=test_* by_*"]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *names], cwd=folder, check=False, timeout=300
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        yield folder
    sys.modules.pop("project_callbacks", None)


def by_pytest(project: Path, test: str) -> Records:
    lines = (project / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for node, record in map(json.loads, lines) if f"::{test}::" in node or f"::{test}[" in node]
    return {record["check"]: record for record in records}


def by_function(name: str) -> Records:
    report = check_callback(getattr(import_module("project_callbacks"), name))
    return {result.check: asdict(result) for result in report.results}


def by_shell(name: str, capsys: pytest.CaptureFixture[str]) -> Records:
    code = main(["check", f"project_callbacks:{name}", "--format", "json"])
    assert code == (1 if name in CHECK_OF else 0)
    (report,) = json.loads(capsys.readouterr().out)
    return {result["check"]: result for result in report["results"]}


@pytest.mark.parametrize("name", NAMES)
def test_all_routes_give_the_same_records(project: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever way the question is asked, each check has the same record to the last letter."""
    expected = by_function(name)
    assert by_shell(name, capsys) == expected
    assert by_pytest(project, f"By_class_{name}") == expected
    assert by_pytest(project, f"by_decorator_{name}") == expected


@pytest.mark.parametrize(("callback", "check"), broken_callbacks.FAULTS.items())
def test_one_fault_breaks_exactly_its_check(callback: type, check: str) -> None:
    """A callback with one fault fails the check that is named for it and no other, at a place in its code."""
    report = check_callback(callback)
    assert [result.check for result in report.failed] == [check]
    assert f" in {callback.__name__}" in str(report[check].location)


def test_a_sound_callback_passes_every_check() -> None:
    """Nothing is found where nothing is wrong, and everything is judged that is there."""
    report = check_callback(broken_callbacks.Sound)
    assert report.ok
    assert set(report.counts) == {"passed", "not-applicable"}
    assert [each.check for each in report.results if each.outcome == "not-applicable"] == [
        "loads-state-from-another-device",
        "resumes-from-its-source",
        "resumes-without-its-files",
        "continues-its-output-files",
        "measures-this-session-only",
    ]
