"""What `noether-testkit doctor` finds out about an environment."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from noether_testkit import __version__
from noether_testkit.errors import UsageError

PLUGIN = "noether_testkit"
"""Name under which pytest knows the kit's plugin."""

_OLDEST_FOR_THE_FRAMEWORK = (3, 12)

_PLUGINS = {
    "pytest-run-parallel": "With --parallel-threads, tests run in several threads; the fakes seed the generators of "
    "the whole process. Mark tests that use the kit with @pytest.mark.thread_unsafe.",
    "pytest-timeout": "The first test that uses the kit also imports torch. Give it a timeout of some ten seconds.",
}
"""Plugins of pytest that get in the kit's way, by distribution, and what to do."""

_SWITCHES = {
    "PYTHONOPTIMIZE": "Python drops every assert statement, so callbacks that check something by assert behave "
    "differently. Unset it to judge them as they are written.",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "torch.load takes any object, so a state that no other machine can load "
    "passes here. Unset it.",
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "torch.load refuses any object, whatever a callback asks for. Unset it to judge "
    "callbacks at the defaults.",
}
"""Variables of the environment that change what is judged, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One thing that was found out.

    Attributes:
        topic: What it is about.
        seen: What was seen, in a sentence or less.
        advice: What to do about it; nothing where it is missing.
        is_problem: Whether the kit does not work rightly before that is done.
        details: Further lines, such as each difference to the framework.
    """

    topic: str
    seen: str
    advice: str | None = None
    is_problem: bool = False
    details: tuple[str, ...] = ()


def diagnose() -> Iterator[Observation]:
    """Yields what is to be known about this environment, topic by topic."""
    yield Observation(topic="kit", seen=f"noether-testkit {__version__} ({Path(__file__).parents[1]})")
    yield Observation(topic="python", seen=f"{platform.python_version()} ({sys.executable})")
    torch = _torch()
    yield torch
    if torch.is_problem:
        yield Observation(topic="framework", seen="not looked at: torch has to work first")
    else:
        yield from _framework()
    yield from _pytest(importlib.metadata.entry_points(group="pytest11"), os.environ)
    yield from _switches(os.environ)


def _torch() -> Observation:
    try:
        import torch
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
        return Observation(
            topic="torch",
            seen=f"cannot be imported: {type(error).__name__}: {error}",
            advice="Install torch for this Python, and try: python -c 'import torch'.",
            is_problem=True,
        )
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Observation(topic="torch", seen=f"{torch.__version__}, {gpus or 'no'} GPU{'s' if gpus > 1 else ''}")


def _framework() -> Iterator[Observation]:
    from noether_testkit.adapters import framework
    from noether_testkit.adapters.noether import FrameworkHarness

    verified = f"the fakes are verified against release {framework.VERIFIED_RELEASE}"
    if not framework.is_installed():
        old = ", and would need Python 3.12 or later" if sys.version_info < _OLDEST_FOR_THE_FRAMEWORK else ""
        yield Observation(topic="framework", seen=f"{framework.DISTRIBUTION} is not installed{old}")
        yield Observation(
            topic="harness",
            seen="auto takes the fakes for every callback; those on noether.core cannot be imported here",
        )
        yield Observation(topic="drift", seen=f"not looked for; {verified}")
        return
    try:
        FrameworkHarness()
    except UsageError as error:
        yield Observation(topic="framework", seen="does not work here", advice=str(error), is_problem=True)
        yield Observation(
            topic="harness",
            seen="auto takes the fakes for callbacks on noether_testkit.core, and cannot train those on noether.core; "
            "--framework fakes can, where they can be imported",
        )
    else:
        yield Observation(topic="framework", seen=f"{framework.DISTRIBUTION} {framework.installed_release()}")
        yield Observation(
            topic="harness",
            seen="auto takes the framework's own trainer for callbacks on noether.core, and the fakes for those on "
            "noether_testkit.core",
        )
    if framework.installed_release() == "unknown":
        yield Observation(topic="drift", seen=f"not looked for, this is another package; {verified}")
    elif not _can_be_imported(f"{framework.PACKAGE}.core.callbacks"):
        yield Observation(topic="drift", seen=f"not looked for, since nothing can be imported; {verified}")
    else:
        yield _drift(verified)


def _can_be_imported(module: str) -> bool:
    try:
        importlib.import_module(module)
    except (Exception, SystemExit):  # noqa: BLE001 - a package may raise anything when it is imported
        return False
    return True


def _drift(verified: str) -> Observation:
    from noether_testkit.adapters.drift import drift
    from noether_testkit.adapters.framework import DISTRIBUTION, VERIFIED_RELEASE, installed_release

    found = drift()
    if not found:
        other = "" if installed_release() == VERIFIED_RELEASE else ", and behaviour may differ in this one"
        return Observation(topic="drift", seen=f"none in names and signatures; {verified}{other}")
    return Observation(
        topic="drift",
        seen=f"{len(found)} difference{'s' if len(found) > 1 else ''} in names and signatures; {verified}",
        advice=f"Install {DISTRIBUTION}=={VERIFIED_RELEASE}, or judge callbacks on the framework itself and take "
        "what tests on the fakes say with care where they use these.",
        is_problem=True,
        details=tuple(f"{each.where}: {each.says}" for each in found),
    )


def _pytest(plugins: importlib.metadata.EntryPoints, environment: Mapping[str, str]) -> Iterator[Observation]:
    """Looks whether pytest loads the kit's plugin, and for plugins that get in its way."""
    hindrance = _hindrance(plugins, environment)
    version = importlib.metadata.version("pytest")
    if hindrance is None:
        yield Observation(topic="pytest", seen=f"{version}, and it loads the kit's fixtures")
    else:
        seen, advice = hindrance
        yield Observation(topic="pytest", seen=f"{version}; {seen}", advice=advice, is_problem=True)
    present = sorted({plugin.dist.name for plugin in plugins if plugin.dist is not None} & set(_PLUGINS))
    for name in present:
        yield Observation(topic="plugins", seen=f"{name} can interfere", advice=_PLUGINS[name])
    if not present:
        yield Observation(topic="plugins", seen="none that is known to interfere")


def _hindrance(plugins: importlib.metadata.EntryPoints, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns why pytest does not load the kit's plugin, and what to do, or `None` if it does."""
    if PLUGIN not in plugins.names:
        return (
            "the kit's plugin is not registered",
            "Install noether-testkit with pip, also for a checkout: pip install -e .",
        )
    if environment.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return (
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD keeps pytest from loading plugins",
            f"Unset it, or run pytest with -p {plugins[PLUGIN].value}.",
        )
    if f"no:{PLUGIN}" in environment.get("PYTEST_ADDOPTS", ""):
        return "PYTEST_ADDOPTS switches the kit's plugin off", f"Take -p no:{PLUGIN} out of it."
    return None


def _switches(environment: Mapping[str, str]) -> Iterator[Observation]:
    for name, advice in _SWITCHES.items():
        if environment.get(name) and environment[name] != "0":
            yield Observation(topic="environment", seen=f"{name}={environment[name]}", advice=advice, is_problem=True)
