"""What the framework loses is told as such, and never blamed on a callback. Needs the framework: scripts/test-noether.

The stand-ins of `tests/adapters` are made from the kit's own table of needs, so they cannot show what the table forgot.
Here the framework itself loses one thing after another, and is the judge.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from tests.verified.conftest import ONLY_NOETHER
from tests.verified.worlds import World

from noether_testkit import Report, check_callback
from noether_testkit.adapters import framework_classes as classes
from noether_testkit.adapters.framework import Need
from noether_testkit.adapters.trial import require_working_framework
from noether_testkit.errors import UsageError

pytestmark = ONLY_NOETHER

MEMBERS = [each for each in (*classes.FOR_THE_MODEL, *classes.FOR_A_RUN) if each.method is not None]
TRAINER, MODEL = ("noether.training.trainers", "BaseTrainer"), ("noether.core.models", "Model")
CALLBACK = ("noether.core.callbacks", "PeriodicCallback")
CLASS_AT = {
    "log_writer": ("noether.core.writers", "LogWriter"),
    "optimizer": ("noether.core.optimizer", "OptimizerWrapper"),
    "tracker": ("noether.core.trackers", "BaseTracker"),
    "update_counter": ("noether.core.utils.training", "UpdateCounter"),
}
PARTS = [
    *((TRAINER, path) for path in classes.PARTS_OF_THE_TRAINER if path != "callbacks"),  # the kit's trainer defines it
    *((MODEL, path) for path in (*classes.PARTS_OF_THE_MODEL, *classes.PARTS_OF_THE_TRAINED_MODEL)),
    *((CALLBACK, name) for name in classes.PARTS_OF_A_CALLBACK),
]
IN_REACH = (
    TRAINER,
    MODEL,
    CALLBACK,
    *CLASS_AT.values(),
    ("noether.core.providers", "PathProvider"),
    ("noether.core.utils.training", "TrainingIteration"),
    ("noether.core.writers", "CheckpointWriter"),
    ("noether.data.container", "DataContainer"),
)
CHECKS = (
    "accepts-the-collaborators",
    "hands-collaborators-to-the-base",
    "completes-an-ordinary-run",
    "round-trips-its-state",
    "survives-a-zero-update-run",
)


class Gone:
    """An attribute that objects lack, whatever their constructors set."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: Any = None) -> Any:
        raise AttributeError(f"{(owner or type(thing)).__name__!r} object has no attribute {self.name!r}")

    def __set__(self, thing: Any, value: Any) -> None: ...


@pytest.fixture(autouse=True)
def _looked_at_afresh() -> Iterator[None]:
    caches = (classes.framework_classes, classes.model_classes, require_working_framework)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


@pytest.mark.parametrize("need", MEMBERS, ids=str)
def test_a_missing_member_is_named(framework: World, monkeypatch: pytest.MonkeyPatch, need: Need) -> None:
    """Each method and property of the table of needs."""
    assert need.method is not None
    remove(monkeypatch, theirs(need.module, need.name), need.method)
    with pytest.raises(UsageError, match=rf"lacks .*\b{need.name}\.{need.method}\b"):
        judge(framework)


@pytest.mark.parametrize(("owner", "path"), PARTS, ids=str)
def test_a_missing_attribute_is_named(
    framework: World, monkeypatch: pytest.MonkeyPatch, owner: tuple[str, str], path: str
) -> None:
    """Each attribute that objects get in their constructors only."""
    way, _, name = path.rpartition(".")
    remove(monkeypatch, theirs(*CLASS_AT.get(way, owner)), name)
    with pytest.raises(UsageError, match=rf"\b{name}\b") as refused:
        judge(framework)
    assert "FactoryTrainer" not in str(refused.value)


@pytest.mark.parametrize(("module", "name"), IN_REACH)
def test_whatever_is_missing_is_never_blamed_on_a_callback(
    framework: World, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    """Each method, property and annotated or set attribute of a class: the kit refuses, or needs none of it."""
    cls = theirs(module, name)
    blamed = {}
    for member in members_of(cls):
        require_working_framework.cache_clear()
        classes.framework_classes.cache_clear()
        classes.model_classes.cache_clear()
        with monkeypatch.context() as patch:
            remove(patch, cls, member)
            try:
                report = judge(framework)
            except UsageError:
                continue
            if not report.ok:
                blamed[member] = [f"{each.check}: {each.seen}" for each in report.failed]
    assert not blamed


def members_of(cls: type) -> list[str]:
    """Returns the names that the framework's own classes define or set on themselves in their methods."""
    own = [base for base in cls.__mro__ if base.__module__.startswith("noether.")]
    set_in_methods = {
        node.attr
        for base in own
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base))))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    defined = {name for base in own for name in vars(base) if not name.startswith(("__", "_abc"))}
    return sorted(defined | set_in_methods | {"__enter__", "__exit__"} & {name for base in own for name in vars(base)})


def remove(monkeypatch: pytest.MonkeyPatch, cls: type, name: str) -> None:
    """Takes a name from a class with its bases, or from its objects."""
    owners = [base for base in cls.__mro__ if name in vars(base) and base.__module__.startswith("noether.")]
    for owner in owners:
        monkeypatch.delattr(owner, name)
    if not owners:
        monkeypatch.setattr(cls, name, Gone(name), raising=False)


def theirs(module: str, name: str) -> type:
    cls: type = getattr(importlib.import_module(module), name)
    return cls


def judge(framework: World) -> Report:
    """Judges an innocent callback in the framework's trainer."""
    members = {"state_dict": lambda self: {"turns": 1}, "load_state_dict": lambda self, state_dict: None}
    return check_callback(framework.callback(**members), framework="noether", select=CHECKS)
