"""`noether-testkit doctor`: what is here, what is wrong with it, and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from tests.adapters.conftest import Install, another_release

from noether_testkit.adapters.framework import VERIFIED_RELEASE
from noether_testkit.cli import diagnosis, main
from noether_testkit.cli.diagnosis import Observation, diagnose

OTHER = "2031.1.0"
OURS = EntryPoint(name="noether_testkit", value="noether_testkit.pytest_plugin", group="pytest11")


def topics(observations: list[Observation]) -> dict[str, Observation]:
    """Returns the first observation of each topic."""
    return {each.topic: each for each in reversed(observations)}


@pytest.fixture
def without_framework(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "noether", None)


@pytest.mark.usefixtures("without_framework")
def test_an_environment_without_the_framework_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """The fakes do all the work then, and the command ends with 0."""
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "emmiai-noether is not installed" in told
    assert "auto takes the fakes for every callback" in told
    assert "not looked for" in told
    assert f"verified against release {VERIFIED_RELEASE}" in told
    assert told.endswith("Everything is in place.\n")


def test_a_broken_framework_is_quoted(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own error is told, then how to go on without it, and the command ends with 1."""
    install({"noether": "", "noether.core": "raise RuntimeError('no wheel for this machine')"}, OTHER)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "RuntimeError: no wheel for this machine" in told
    assert "--framework fakes" in told
    assert "nothing can be imported" in told
    assert told.endswith("1 thing to do, marked with an exclamation mark.\n")


def test_another_release_is_compared(install: Install) -> None:
    """Each difference is told by its place; there is something to do."""
    install(another_release(), OTHER)
    drift = topics(list(diagnose()))["drift"]
    assert drift.is_problem
    assert drift.seen.endswith(f"the fakes are verified against release {VERIFIED_RELEASE}")
    assert drift.seen.startswith(f"{len(drift.details)} differences")
    assert any(line.startswith("noether.") for line in drift.details)
    assert f"=={VERIFIED_RELEASE}" in (drift.advice or "")


def test_a_release_that_cannot_train_is_compared_all_the_same(install: Install) -> None:
    """What the harness lacks is told first, then everything that differs."""
    sources = another_release()
    install({**sources, "noether.core.trackers": ""}, OTHER)
    seen = topics(list(diagnose()))
    assert "lacks noether.core.trackers.NoopTracker" in (seen["framework"].advice or "")
    assert seen["drift"].details


def test_a_foreign_package_is_not_compared(install: Install) -> None:
    """A package that only has the framework's name has nothing in common with it."""
    install({"noether": ""}, None)
    seen = topics(list(diagnose()))
    assert seen["framework"].is_problem
    assert "another package" in seen["drift"].seen


def test_a_broken_torch_costs_no_other_line(tmp_path: Path) -> None:
    """The framework is not looked at then, and everything else is told."""
    (tmp_path / "torch.py").write_text("raise OSError('libtorch is missing')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    answer = subprocess.run(
        [sys.executable, "-m", "noether_testkit.cli", "doctor"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "OSError: libtorch is missing" in answer.stdout
    assert "torch has to work first" in answer.stdout
    assert "pytest" in answer.stdout
    assert not answer.stderr


@pytest.mark.usefixtures("without_framework")
def test_json_holds_the_same_observations(capsys: pytest.CaptureFixture[str]) -> None:
    """A list of records with topic, what was seen, advice, and whether it is a problem."""
    assert main(["doctor", "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["topic"] for record in records][:3] == ["kit", "python", "torch"]
    assert all(set(record) == {"topic", "seen", "advice", "is_problem", "details"} for record in records)


@pytest.mark.parametrize(
    ("plugins", "environment", "told"),
    [
        ([], {}, "not registered"),
        ([OURS], {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, "-p noether_testkit.pytest_plugin"),
        ([OURS], {"PYTEST_ADDOPTS": "-q -p no:noether_testkit"}, "PYTEST_ADDOPTS"),
    ],
)
def test_what_keeps_pytest_from_the_plugin_is_a_problem(
    plugins: list[EntryPoint], environment: Mapping[str, str], told: str
) -> None:
    """Without the plugin no fixture is found, and pytest says nothing of the reason."""
    seen = topics(list(diagnosis._pytest(EntryPoints(plugins), environment)))["pytest"]
    assert seen.is_problem
    assert told in f"{seen.seen} {seen.advice}"


def test_a_plugin_that_is_loaded_is_no_problem() -> None:
    """Other plugins that are not known to interfere are not named."""
    other = EntryPoint(name="xdist", value="xdist.plugin", group="pytest11")
    seen = list(diagnosis._pytest(EntryPoints([OURS, other]), {}))
    assert not any(each.is_problem for each in seen)
    assert topics(seen)["plugins"].seen == "none that is known to interfere"


@pytest.mark.parametrize("value", ["1", "2"])
def test_a_switch_that_changes_verdicts_is_a_problem(value: str) -> None:
    """An environment variable changes what torch loads, or drops the assertions of a callback."""
    (seen,) = diagnosis._switches({"PYTHONOPTIMIZE": value, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0"})
    assert seen.is_problem
    assert "assert" in (seen.advice or "")
