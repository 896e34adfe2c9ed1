"""A project folder with callbacks, good and bad, and the shell in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.adapters.conftest import install  # noqa: F401 - a fixture

from noether_testkit.cli import main

CALLBACKS = """
from noether_testkit import Subject
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

class WindowConfig(CallBackBaseConfig):
    window: int = 1

class Sound(PeriodicCallback):
    def __init__(self, callback_config: WindowConfig, **kwargs):
        super().__init__(callback_config, **kwargs)

class Broken(CallbackBase):
    def before_training(self, *, update_counter):
        self.model.train()
"""

ODDITIES = """
from noether_testkit import Subject
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from callbacks import Sound

class NoCallback:
    pass

class Abstract(PeriodicDataIteratorCallback):
    pass

class Greeter(CallbackBase):
    def __init__(self, greeting, **kwargs):
        super().__init__(**kwargs)

class Risky(CallbackBase):
    def after_training(self, *, update_counter):
        1 / update_counter.update

class Outer:
    class Inner(CallbackBase):
        pass

def make_greeter(**kwargs):
    return Greeter("hello", **kwargs)

greeter = Subject(Greeter, kwargs={"greeting": "hello"})
number = 3
"""


class Answer(NamedTuple):
    """What the shell answered."""

    code: int
    out: str
    err: str


Shell = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in; what is imported from it is forgotten afterwards."""
    (tmp_path / "callbacks.py").write_text(CALLBACKS)
    (tmp_path / "oddities.py").write_text(ODDITIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path) + os.sep):
            del sys.modules[name]


@pytest.fixture
def shell(project: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command line in the project folder."""

    def run(*words: str) -> Answer:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Answer(code, *capsys.readouterr())

    return run
