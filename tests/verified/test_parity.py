"""The kit mirrors names, signatures and fields, and tells of each kind of drift. Needs the framework."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from tests.verified.conftest import ONLY_NOETHER

from noether_testkit.adapters import drift as drift_module
from noether_testkit.adapters.drift import Drift, drift
from noether_testkit.adapters.framework import is_installed
from noether_testkit.errors import UsageError

pytestmark = ONLY_NOETHER


@pytest.fixture(autouse=True)
def _looked_at_afresh() -> Iterator[None]:
    drift_module.forget()
    yield
    drift_module.forget()


def theirs(module: str, name: str) -> Any:
    """Returns a class of the framework, when it is asked for."""
    return getattr(__import__(f"noether.{module}", fromlist=[name]), name)


def says(found: tuple[Drift, ...], where: str) -> str:
    """Returns what is said of one place."""
    sentences = [each.says for each in found if each.where == where]
    assert sentences, f"{where} is not among {[each.where for each in found]}."
    return " ".join(sentences)


def test_the_kit_mirrors_the_installed_framework() -> None:
    """Every public name, signature and config field, those of objects in a run included."""
    assert drift() == ()


def grown(self: Any, *, update_counter: Any) -> None: ...


def with_more(self: Any, key: str, value: Any, logger: Any = None, format_str: Any = None, unit: str = "") -> None: ...


def with_another_default(self: Any, key: str, value: Any, logger: Any = None, format_str: Any = ".2f") -> None: ...


def with_another_name(self: Any, name: str, value: Any) -> None: ...


CASES: list[tuple[str, str, str, Any, str, str]] = [
    ("core.callbacks", "CallbackBase", "before_epoch", grown, "CallbackBase.before_epoch", "knows nothing of it"),
    ("core.callbacks", "PeriodicCallback", "after_step", grown, "PeriodicCallback.after_step", "knows nothing of it"),
    ("core.callbacks", "CallbackBase", "logger", grown, "CallbackBase.logger", "a method in the framework"),
    ("core.utils.training", "UpdateCounter", "rank", 0, "UpdateCounter.rank", "knows nothing of it"),
    ("core.writers", "LogWriter", "add_image", grown, "LogWriter.add_image", "knows nothing of it"),
    ("core.writers", "LogWriter", "add_scalar", with_more, "LogWriter.add_scalar", "unit=''"),
    ("core.writers", "LogWriter", "add_scalar", with_another_default, "LogWriter.add_scalar", "format_str='.2f'"),
    ("core.trackers", "BaseTracker", "set_summary", with_another_name, "BaseTracker.set_summary", "(name, value)"),
    ("core.models", "Model", "ema", property(grown), "Model.ema", "knows nothing of it"),
    ("training.trainers", "BaseTrainer", "test", grown, "BaseTrainer.test", "knows nothing of it"),
]


@pytest.mark.parametrize(("module", "name", "member", "value", "where", "sentence"), CASES)
def test_what_the_framework_grows_or_changes_is_told(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, member: str, value: Any, where: str, sentence: str
) -> None:
    """A new hook, method, property or argument, another default, name or kind."""
    monkeypatch.setattr(theirs(module, name), member, value, raising=False)
    assert sentence in says(drift(), where)


@pytest.mark.parametrize(
    ("module", "name", "member", "sentence"),
    [
        ("core.callbacks", "CallbackBase", "get_children", "the framework's CallbackBase has not"),
        ("core.utils.training", "UpdateCounter", "epoch_as_float", "the framework's UpdateCounter has not"),
        ("core.writers", "LogWriter", "get_all_metric_values", "the framework's LogWriter has not"),
        ("core.providers", "PathProvider", "logfile_uri", "the framework's PathProvider has not"),
        ("core.providers", "PathProvider", "generate_run_id", "but it has not"),
    ],
)
def test_what_the_framework_loses_is_told(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, member: str, sentence: str
) -> None:
    """A method or an attribute that the kit still offers, or says that it does without."""
    monkeypatch.delattr(theirs(module, name), member)
    assert sentence in says(drift(), f"{name}.{member}")


def test_another_argument_of_a_constructor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks could not be built any more."""
    cls = theirs("core.callbacks", "PeriodicCallback")
    original = cls.__init__

    def build(self: Any, callback_config: Any, *positional: Any, rank: int, **named: Any) -> None:
        original(self, callback_config, *positional, **named)

    monkeypatch.setattr(cls, "__init__", build)
    assert "rank by keyword" in says(drift(), "PeriodicCallback.__init__")


@pytest.mark.parametrize(("module", "name"), [("core.writers", "LogWriter"), ("core.callbacks", "CallbackBase")])
def test_an_attribute_that_is_set_in_a_constructor_is_told(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    """Objects are looked at, not only classes."""
    cls = theirs(module, name)
    original = cls.__init__

    def build(self: Any, *positional: Any, **named: Any) -> None:
        original(self, *positional, **named)
        self.colour = "red"

    build.__wrapped__ = original  # type: ignore[attr-defined]
    monkeypatch.setattr(cls, "__init__", build)
    found = drift()
    assert "knows nothing of it" in says(found, f"{name}.colour")
    assert not [each for each in found if each.where.endswith("__init__")]


def test_an_attribute_that_is_set_no_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake must lose it, too."""
    cls = theirs("core.trackers", "BaseTracker")
    original = cls.__init__

    def build(self: Any, *positional: Any, **named: Any) -> None:
        original(self, *positional, **named)
        del self.logger

    monkeypatch.setattr(cls, "__init__", build)
    assert "the framework's BaseTracker has not" in says(drift(), "BaseTracker.logger")


def test_another_field_of_a_config_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one, and one with another default or type."""
    cls = theirs("core.schemas.callbacks", "CallBackBaseConfig")
    fields = cls.model_fields
    monkeypatch.setitem(fields, "every_n_hours", fields["every_n_updates"])
    monkeypatch.setitem(fields, "every_n_epochs", copy.copy(fields["every_n_epochs"]))
    monkeypatch.setattr(fields["every_n_epochs"], "default", 1)
    found = drift()
    assert "knows nothing of it" in says(found, "CallBackBaseConfig.every_n_hours")
    assert "= 1`" in says(found, "CallBackBaseConfig.every_n_epochs")


def test_a_class_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are still compared."""
    theirs("core.optimizer", "OptimizerWrapper")
    monkeypatch.delattr(sys.modules["noether.core.optimizer"], "OptimizerWrapper")
    monkeypatch.setattr(theirs("core.writers", "LogWriter"), "add_image", grown, raising=False)
    found = drift()
    assert "no such class" in says(found, "noether.core.optimizer.OptimizerWrapper")
    assert says(found, "LogWriter.add_image")


@pytest.mark.parametrize("module", ["noether.core.writers", "noether.core.utils.training", "noether.training.trainers"])
def test_a_module_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """All others are still compared."""
    theirs("training.trainers", "BaseTrainer")
    monkeypatch.setitem(sys.modules, module, None)
    found = drift()
    assert "cannot be imported" in says(found, module)
    assert all(each.says.endswith(".") for each in found)


def test_a_module_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises."""

    class Failing(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

    monkeypatch.setitem(sys.modules, "noether.core.trackers", Failing("noether.core.trackers"))
    assert "no such class" in says(drift(), "noether.core.trackers.BaseTracker")


def test_a_run_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes are compared all the same, and nothing that only objects have is missed by mistake."""

    def fail(self: Any, model: Any) -> None:
        raise ZeroDivisionError("no run")

    monkeypatch.setattr(theirs("training.trainers", "BaseTrainer"), "train", fail)
    monkeypatch.setattr(theirs("core.writers", "LogWriter"), "add_image", grown, raising=False)
    found = drift()
    assert [each.where for each in found] == ["BaseTrainer", "LogWriter.add_image"]
    assert "ZeroDivisionError: no run" in found[0].says


def test_without_the_framework_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is wrong use of the kit, and no drift."""
    assert is_installed()
    monkeypatch.setattr(drift_module, "is_installed", lambda: False)
    with pytest.raises(UsageError, match="not installed here"):
        drift()


def test_why_an_object_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the framework raised stands in the sentence."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise SystemExit("no data today")

    monkeypatch.setattr(theirs("core.callbacks", "PeriodicDataIteratorCallback"), "__init__", refuse)
    assert "(SystemExit: no data today)" in says(drift(), "PeriodicDataIteratorCallback")


def test_drift_is_looked_for_once_in_a_process() -> None:
    """Each harness asks for it, and the release stays the same."""
    assert drift() is drift()
