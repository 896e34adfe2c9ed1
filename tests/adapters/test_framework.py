"""The framework is absent, broken, foreign or another release: the kit says so, and how to go on without it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.conftest import Install, another_release

from noether_testkit import Subject, check_callback
from noether_testkit.adapters import harness_for
from noether_testkit.adapters.framework import VERIFIED_RELEASE, installed_release, is_installed
from noether_testkit.adapters.framework_classes import framework_classes
from noether_testkit.adapters.noether import FrameworkHarness, FrameworkRig
from noether_testkit.errors import UsageError
from noether_testkit.fakes.natives import KIT
from noether_testkit.plan import TrainingPlan

OTHER = "2031.1.0"
NATIVE = """
from noether.core.callbacks import CallbackBase

class Native(CallbackBase):
    def after_training(self, **_): ...
"""


def refusal() -> str:
    """Returns what the kit says when the framework is asked for; one line that names the way out."""
    with pytest.raises(UsageError) as refused:
        FrameworkHarness()
    text = str(refused.value)
    assert "\n" not in text
    assert text.endswith("judge on the fakes: --framework fakes.")
    return text


def test_an_absent_framework_is_named(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is installed, the kit says what to install."""
    monkeypatch.setitem(sys.modules, "noether", None)
    assert not is_installed()
    assert "is not installed here. Install noether-testkit[noether]" in refusal()


@pytest.mark.parametrize(
    ("source", "quoted"),
    [
        ("import surely_not_there", "ModuleNotFoundError: No module named 'surely_not_there'"),
        ("from json import surely_not_there", "ImportError: cannot import name 'surely_not_there' from 'json'"),
        ("import json\njson.surely_not_there", "AttributeError: module 'json' has no attribute 'surely_not_there'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 +", "SyntaxError: invalid syntax"),
        (f"raise ValueError('{'long ' * 200}')", "ValueError: long long"),
    ],
)
def test_a_broken_framework_is_quoted(install: Install, source: str, quoted: str) -> None:
    """Whatever its import raises, the kit quotes in one line."""
    install({"noether": "", "noether.core": source}, VERIFIED_RELEASE)
    text = refusal()
    assert f"(emmiai-noether {VERIFIED_RELEASE}) is installed here, but cannot be imported: {quoted}" in text
    assert len(text) < 600


def test_a_foreign_package_is_told_from_the_framework(install: Install) -> None:
    """A package that has only the name is not the framework."""
    install({"noether": "theorems = 2"}, None)
    text = refusal()
    assert "a package named noether here, but it is not the framework (emmiai-noether): ModuleNotFoundError" in text
    assert installed_release() == "unknown"


@pytest.mark.parametrize(
    ("module", "old", "new", "lacks"),
    [
        ("noether.core.trackers", None, None, "lacks noether.core.trackers."),
        ("noether.core.models", "Model", "Network", "lacks noether.core.models.Model."),
        ("noether.training.trainers", "class BaseTrainer", "class Trainer", "lacks noether.training.trainers.Bas"),
        (
            "noether.training.trainers",
            "get_user_callbacks",
            "get_callbacks",
            "lacks noether.training.trainers.BaseTrainer.get_user_callbacks.",
        ),
        (
            "noether.core.callbacks",
            "class PeriodicCallback(_kit.PeriodicCallback): ...",
            "class PeriodicCallback(_kit.CallbackBase): ...",
            "lacks noether.core.callbacks.PeriodicCallback.after_epoch.",
        ),
        (
            "noether.core.schemas.callbacks",
            "class CallBackBaseConfig(_kit.CallBackBaseConfig): ...",
            "class CallBackBaseConfig(_kit.BaseModel, extra='forbid'): ...",
            "does not take what the kit gives it: ValidationError: 1 validation error for CallBackBaseConfig",
        ),
        (
            "noether.core.writers",
            "save(self, *args, **kwargs)",
            "save(self, model, tag)",
            "takes other arguments in noether.core.writers.CheckpointWriter.save: got an unexpected keyword",
        ),
    ],
)
def test_another_release_is_told_by_what_it_lacks(
    install: Install, module: str, old: str | None, new: str | None, lacks: str
) -> None:
    """A module, a class, a method or an argument that is gone: the kit names it and both releases."""
    sources = another_release()
    if old is None or new is None:
        del sources[module]
    else:
        assert old in sources[module]
        sources[module] = sources[module].replace(old, new)
    install(sources, OTHER)
    text = refusal()
    assert f"(emmiai-noether {OTHER}) {lacks}" in text
    assert f"verified against release {VERIFIED_RELEASE}" in text


CONFIG_WITHOUT_FIELDS = """
import pydantic

class BaseTrainerConfig(pydantic.BaseModel, extra="forbid"): ...
"""


@pytest.mark.parametrize(
    ("module", "source", "quoted"),
    [
        ("noether.core.providers", "class PathProvider: ...\n\nclass MetricPropertyProvider: ...", "TypeError: PathPr"),
        ("noether.core.schemas.trainers", CONFIG_WITHOUT_FIELDS, "validation errors for BaseTrainerConfig"),
        ("", "", "lacks BaseTrainer.callbacks"),
    ],
)
def test_constructors_of_another_release_are_no_crash(
    install: Install, tmp_path: Path, module: str, source: str, quoted: str
) -> None:
    """Names that are there but take other arguments are told as a matter of the release."""
    install({**another_release(), module: source} if module else another_release(), OTHER)
    with pytest.raises(UsageError, match="verified against release") as refused:
        check_callback(native(), select=["completes-an-ordinary-run"])
    assert quoted in str(refused.value)
    assert OTHER in str(refused.value)


def test_errors_of_the_framework_itself_are_told(install: Install, tmp_path: Path) -> None:
    """What the framework raises in its own lines, while it is set up, is neither the callback's fault nor the kit's."""
    container = "class DataContainer:\n    def __init__(self, *args, **kwargs):\n        self.surely_not_there\n"
    install({**another_release(), "noether.data.container": container}, OTHER)
    with pytest.raises(UsageError, match=r"itself failed: AttributeError: .*surely_not_there.* --framework fakes\.$"):
        FrameworkRig(
            Subject(native()), TrainingPlan(), folder=tmp_path / "noether", around=_around, on_use=lambda *_: None
        )


def test_another_release_does_not_keep_from_the_fakes(install: Install) -> None:
    """Its callbacks are judged on the fakes, with the fake of the model where the framework's cannot be made."""
    sources = another_release()
    del sources["noether.core.models"]
    install(sources, OTHER)
    report = check_callback(native(), framework="fakes")
    assert report.ok
    assert harness_for(Subject(native()), "fakes")._natives is KIT
    assert any("The kit's model" in note and "lacks noether." in note for note in report.notes)


def test_everything_that_is_needed_is_found(install: Install) -> None:
    """A release with all that the kit asks for is taken."""
    install(another_release(), OTHER)
    assert FrameworkHarness().version == OTHER
    assert framework_classes() is framework_classes()


def test_the_shell_says_so_and_exits_with_2(tmp_path: Path, install: Install) -> None:
    """From the shell it is one line on stderr and a usage error."""
    sources = another_release()
    del sources["noether.training.trainers"]
    folder = install(sources, OTHER)
    (folder / "native_callbacks.py").write_text(NATIVE, encoding="utf-8")
    answer = _check(folder)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert f"(emmiai-noether {OTHER}) lacks noether.training.trainers." in answer.stderr
    assert "Traceback" not in answer.stderr
    on_the_fakes = _check(folder, "--framework", "fakes")
    assert on_the_fakes.returncode == 0, on_the_fakes.stdout + on_the_fakes.stderr


def native() -> Any:
    """Returns a callback class on the base class that is installed."""
    base: Any = importlib.import_module("noether.core.callbacks").CallbackBase
    return type("Native", (base,), {"__module__": __name__})


def _check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "noether_testkit.cli", "check", "native_callbacks:Native", *options]
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def _around(call: Any) -> Any:
    return nullcontext()
