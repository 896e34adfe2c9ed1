"""Tells where the installed framework differs from what the kit mirrors: names, signatures and fields."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from noether_testkit import fakes
from noether_testkit.adapters.framework import DISTRIBUTION, installed_release, is_installed
from noether_testkit.adapters.shapes import fields_of, kind_of, parameters_of, public_names
from noether_testkit.adapters.specimens import Problems, Specimens, framework_specimens, in_silence, kit_specimens
from noether_testkit.errors import UsageError
from noether_testkit.fakes.resume import ResumePoint
from noether_testkit.fakes.step import TrainerResult

__all__ = ["Drift", "drift", "forget"]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference between the framework and what the kit mirrors of it.

    Attributes:
        where: The module, class, method or field, as the framework names it.
        says: What differs, in one sentence.
    """

    where: str
    says: str


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A class of the kit and the name of the framework's that it stands for."""

    mine: type
    module: str
    name: str


_CORE = (
    ("core.callbacks", "CallbackBase"),
    ("core.callbacks", "PeriodicCallback"),
    ("core.callbacks", "PeriodicDataIteratorCallback"),
    ("core.callbacks", "EarlyStopIteration"),
    ("core.schemas.callbacks", "CallBackBaseConfig"),
    ("core.schemas.callbacks", "PeriodicDataIteratorCallbackConfig"),
    ("core.utils.training", "TrainingIteration"),
    ("core.utils.training", "UpdateCounter"),
)
"""What is mirrored name by name: module and class, the same behind both prefixes."""

_FAKES = (
    _Pair(mine=fakes.FakeTrainer, module="noether.training.trainers", name="BaseTrainer"),
    _Pair(mine=fakes.FakeTrainerConfig, module="noether.core.schemas.trainers", name="BaseTrainerConfig"),
    _Pair(mine=TrainerResult, module="noether.training.trainers.types", name="TrainerResult"),
    _Pair(mine=fakes.FakeModel, module="noether.core.models", name="Model"),
    _Pair(mine=fakes.FakeOptimizer, module="noether.core.optimizer", name="OptimizerWrapper"),
    _Pair(mine=fakes.FakeDataContainer, module="noether.data.container", name="DataContainer"),
    _Pair(mine=fakes.FakeDataset, module="noether.data", name="Dataset"),
    _Pair(mine=fakes.FakeTracker, module="noether.core.trackers", name="BaseTracker"),
    _Pair(mine=fakes.FakeLogWriter, module="noether.core.writers", name="LogWriter"),
    _Pair(mine=fakes.FakeCheckpointWriter, module="noether.core.writers", name="CheckpointWriter"),
    _Pair(mine=fakes.FakePathProvider, module="noether.core.providers", name="PathProvider"),
    _Pair(mine=fakes.FakeMetricPropertyProvider, module="noether.core.providers", name="MetricPropertyProvider"),
    _Pair(mine=ResumePoint, module="noether.core.initializers", name="ResumeInitializer"),
)
"""What stands for an object of the framework without being built like it."""

_BASES = {"CallbackBase", "PeriodicCallback", "PeriodicDataIteratorCallback", "CallBackBaseConfig", "StopIteration"}
"""The ancestors by which callbacks, configs and early stops are told apart."""

_OWN_TO_EACH_MODEL = {("Model", "forward")}
"""What each model defines for itself."""

_KIT_ONLY_ARGUMENTS = {("BaseTrainer", "train"): {"callbacks"}, ("BaseTrainer", "eval"): {"callbacks"}}
"""Arguments that only the kit has: the framework's trainer takes its callbacks from the config."""


def drift() -> tuple[Drift, ...]:
    """Returns all differences between the installed framework and what the kit mirrors, none where they agree.

    Whatever the framework lacks is a difference, too, never an error.

    Raises:
        UsageError: The framework is not installed.
    """
    if not is_installed():
        raise UsageError(
            f"The framework ({DISTRIBUTION}) is not installed here, so there is nothing to compare with. "
            "Install noether-testkit[noether] under Python 3.12 or later."
        )
    return _drift_of(installed_release())


def forget() -> None:
    """Drops what was found out, for a process that loads the framework anew."""
    _drift_of.cache_clear()


@cache
def _drift_of(_release: str) -> tuple[Drift, ...]:
    """Compares once in a process: a release does not change while it is loaded."""
    with in_silence():
        return tuple(_differences())


def _differences() -> Iterator[Drift]:
    mine, theirs, problems = kit_specimens(), Specimens(), Problems()
    try:
        theirs, problems = framework_specimens()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the framework may fail in any way
        yield Drift(
            where="BaseTrainer",
            says=f"The framework could not do a run of two updates ({_told(error)}), so what its objects get in "
            "their constructors was not compared.",
        )
    for name in sorted(mine.keys() - theirs.keys()) if theirs else ():
        why = f" ({problems[name].rstrip('.')})" if name in problems else ""
        yield Drift(
            where=name, says=f"A run of two updates has no such object in reach{why}, so only its class was compared."
        )
    mirrored = [_mirror(module, name) for module, name in _CORE]
    for pair in (*mirrored, *_FAKES):
        original = yield from _original(pair)
        if original is None:
            continue
        yield from _names(pair, original, mine.get(pair.name), theirs.get(pair.name))
        yield from _members(pair, original, is_mirror=pair in mirrored)
        if pair in mirrored:
            yield from _ancestors(pair, original)
            yield from _fields(pair, original)


def _mirror(module: str, name: str) -> _Pair:
    mine = getattr(importlib.import_module(f"noether_testkit.{module}"), name)
    return _Pair(mine=mine, module=f"noether.{module}", name=name)


def _original(pair: _Pair) -> Generator[Drift, None, Any]:
    """Yields what is missing, and returns the framework's class if it is there."""
    try:
        module = importlib.import_module(pair.module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a package may raise anything when it is imported
        yield Drift(where=pair.module, says=f"The framework's module cannot be imported ({_told(error)}).")
        return None
    original = getattr(module, pair.name, None)
    if not isinstance(original, type):
        yield Drift(where=f"{pair.module}.{pair.name}", says="The framework has no such class any more.")
        return None
    return original


def _names(pair: _Pair, original: type, mine: Any, theirs: Any) -> Iterator[Drift]:
    """Compares the public names, those that objects get in their constructors as well."""
    offered, real = public_names(pair.mine, mine), public_names(original, theirs)
    kit_only: frozenset[str] = getattr(pair.mine, "_kit_only", frozenset())
    not_faked: frozenset[str] = getattr(pair.mine, "_not_faked", frozenset())
    # Without an object of theirs, only what a class has can be missed on their side.
    expected = offered if theirs is not None else public_names(pair.mine, None)
    kit = pair.mine.__name__
    for name in sorted(expected - real - kit_only):
        if not hasattr(original, name):
            yield _drift(pair, name, f"The kit's {kit} has it, the framework's {pair.name} has not.")
    for name in sorted(real - offered - not_faked):
        if not hasattr(pair.mine, name):
            yield _drift(pair, name, f"The framework's {pair.name} has it, the kit's {kit} knows nothing of it.")
    for name in sorted(not_faked - real):
        if theirs is not None and inspect.getattr_static(theirs, name, None) is None:
            yield _drift(pair, name, f"The kit's {kit} says that the framework's {pair.name} has it, but it has not.")


def _members(pair: _Pair, original: type, *, is_mirror: bool) -> Iterator[Drift]:
    """Compares kind and parameters of what both classes define."""
    names = public_names(pair.mine, None) | public_names(original, None) | ({"__init__"} if is_mirror else set())
    for name in sorted(names - getattr(pair.mine, "_kit_only", frozenset())):
        mine, theirs = inspect.getattr_static(pair.mine, name, None), inspect.getattr_static(original, name, None)
        if mine is None or theirs is None or (pair.name, name) in _OWN_TO_EACH_MODEL:
            continue
        if kind_of(mine, exact=is_mirror) != kind_of(theirs, exact=is_mirror):
            yield _drift(pair, name, f"It is a {kind_of(theirs)} in the framework, and a {kind_of(mine)} in the kit.")
        elif kind_of(theirs) != "attribute":
            ignored = _KIT_ONLY_ARGUMENTS.get((pair.name, name), set())
            here, there = parameters_of(pair.mine, name, ignored), parameters_of(original, name)
            if here != there:
                yield _drift(pair, name, f"The framework takes ({', '.join(there)}), the kit ({', '.join(here)}).")


def _ancestors(pair: _Pair, original: type) -> Iterator[Drift]:
    mine, theirs = (
        " and ".join(base.__name__ for base in cls.__mro__[1:] if base.__name__ in _BASES)
        or "none of the known classes"
        for cls in (pair.mine, original)
    )
    if mine != theirs:
        yield Drift(where=pair.name, says=f"It derives from {theirs} in the framework, and from {mine} in the kit.")


def _fields(pair: _Pair, original: type) -> Iterator[Drift]:
    """Compares the fields of configs, which signatures do not show in full."""
    mine, theirs = fields_of(pair.mine), fields_of(original)
    for name in sorted(mine.keys() & theirs.keys()):
        if mine[name] != theirs[name]:
            yield _drift(pair, name, f"The framework's field is `{theirs[name]}`, the kit's `{mine[name]}`.")


def _drift(pair: _Pair, name: str, says: str) -> Drift:
    return Drift(where=f"{pair.name}.{name}", says=says)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
