"""Packages that stand in for the framework: other releases, broken ones, foreign ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from noether_testkit.adapters import choice, drift, framework_classes
from noether_testkit.adapters.framework import DISTRIBUTION
from noether_testkit.adapters.framework_classes import FOR_A_RUN, FOR_THE_MODEL
from noether_testkit.adapters.trial import require_working_framework

Install = Callable[..., Path]

BASES = """
from noether_testkit.core import callbacks as _kit

class CallbackBase(_kit.CallbackBase): ...

class PeriodicCallback(_kit.PeriodicCallback): ...

class EarlyStopIteration(_kit.EarlyStopIteration): ...
"""
CONFIGS = """
from noether_testkit.core.schemas import callbacks as _kit

class CallBackBaseConfig(_kit.CallBackBaseConfig): ...
"""
ANY_CLASS = """
class {name}:
    def __init__(self, *args, **kwargs):
        self.__dict__.update(kwargs)
"""
ANY_METHOD = "    def {name}(self, *args, **kwargs): ...\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Returns what installs a package by the framework's name: its modules, and its release if it has one."""

    def install(modules: Mapping[str, str], release: str | None) -> Path:
        for name, source in modules.items():
            folder = tmp_path.joinpath(*name.split("."))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").write_text(source, encoding="utf-8")
        if release is not None:
            info = tmp_path / f"{DISTRIBUTION.replace('-', '_')}-{release}.dist-info"
            info.mkdir()
            metadata = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {release}\n"
            (info / "METADATA").write_text(metadata, encoding="utf-8")
        elif _has_the_framework():
            pytest.skip("The framework itself is installed, so that its distribution is found.")
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "noether"]:
            patch.delitem(sys.modules, name)
        _forget()
        yield install
        for name in [name for name in sys.modules if name.partition(".")[0] == "noether"]:
            del sys.modules[name]
        _forget()


def another_release() -> dict[str, str]:
    """Returns the source of modules with everything that the kit asks for by name, and no more.

    It is made from the kit's own table, so it cannot show what that forgot; `tests/verified/test_missing_parts.py` can.
    """
    sources = dict.fromkeys(("noether", "noether.core", "noether.core.schemas", "noether.training"), "")
    made: set[str] = set()
    for need in (*FOR_THE_MODEL, *FOR_A_RUN):
        source = sources.get(need.module, "")
        if need.name not in made:
            source += ANY_CLASS.format(name=need.name)
        if need.method is not None:
            source += ANY_METHOD.format(name=need.method)
        made.add(need.name)
        sources[need.module] = source
    return {**sources, "noether.core.callbacks": BASES, "noether.core.schemas.callbacks": CONFIGS}


def _has_the_framework() -> bool:
    try:
        version(DISTRIBUTION)
    except PackageNotFoundError:
        return False
    return True


def _forget() -> None:
    framework_classes.framework_classes.cache_clear()
    framework_classes.model_classes.cache_clear()
    framework_classes.natives.cache_clear()
    choice.natives_of_the_framework.cache_clear()
    drift.forget()
    require_working_framework.cache_clear()
