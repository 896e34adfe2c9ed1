"""Finds the framework, imports what the kit needs of it, and says what is wrong where it cannot."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from noether_testkit.errors import UsageError
from noether_testkit.fakes.lineage import PREFIXES

DISTRIBUTION = "emmiai-noether"
"""Name of the framework's distribution."""

PACKAGE = "noether"
"""Name that it is imported by."""

VERIFIED_RELEASE = "2026.4.0"
"""The release that the fakes are compared with, call by call; `scripts/test-noether` installs it."""

_WAY_OUT = "judge on the fakes: --framework fakes."
_SHOWN = 300
_CALLS_CALLBACKS = {"noether_testkit.adapters.watched"}
"""Where the kit's own line raises although the callback is at fault: it takes other arguments, or lacks a hook."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something of the framework that the kit uses.

    Attributes:
        module: Where it is.
        name: Name of the class.
        method: Name of the method that is called or overridden, if that is what is needed.
        positional: How many arguments the method is called with by position, without `self`; where it is missing, the
            method only has to be there.
        keywords: The arguments that it is called with by keyword.
    """

    module: str
    name: str
    method: str | None = None
    positional: int | None = None
    keywords: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join(part for part in (self.module, self.name, self.method) if part)


def is_installed() -> bool:
    """Returns whether there is a package of the framework's name to import."""
    try:
        return importlib.util.find_spec(PACKAGE) is not None
    except ValueError:  # it is imported already, by other means, or its import is forbidden by a `None` there
        return sys.modules.get(PACKAGE) is not None


def installed_release() -> str:
    """Returns the installed release, or `unknown` where the package has no distribution."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def is_framework_class(callback: Any) -> bool:
    """Returns whether a class, or the class of a partial, derives from the framework's base class, not the kit's."""
    while isinstance(callback, partial):
        callback = callback.func
    return isinstance(callback, type) and any(base.__module__.startswith(PREFIXES[1]) for base in callback.__mro__)


def import_framework(*needs: Need) -> SimpleNamespace:
    """Imports what is needed of the framework.

    Returns:
        The classes by their names.

    Raises:
        UsageError: The framework is not installed, cannot be imported, or lacks something that is needed.
    """
    if not is_installed():
        raise UsageError(
            f"The framework ({DISTRIBUTION}) is not installed here. Install noether-testkit[noether] under "
            f"Python 3.12 or later, or {_WAY_OUT}"
        )
    found = SimpleNamespace()
    for need in needs:
        cls = _class_of(need)
        setattr(found, need.name, cls)
        if need.method is not None:
            _require_method(need, cls)
    return found


@contextmanager
def calls_into_the_framework() -> Iterator[None]:
    """Around calls of the kit into the framework: a name or argument that it does not have is a matter of its release.

    Errors that the framework raises by itself pass.

    Raises:
        UsageError: The framework lacks an attribute, an argument or a field that the kit uses.
    """
    try:
        yield
    except (AttributeError, TypeError, ValidationError) as error:
        if not _comes_from_the_kit(error):
            raise
        raise other_release(f"does not take what the kit gives it: {_in_one_line(error)}") from error


@contextmanager
def work_of_the_framework() -> Iterator[None]:
    """Around what the framework does on its own, when nothing of the callback runs: all its errors are its own.

    Raises:
        UsageError: The framework raised anything.
    """
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise failed_by_itself(error) from error


def failed_by_itself(error: BaseException) -> UsageError:
    """Returns what to raise where the framework failed and no callback had a part in it."""
    return other_release(f"itself failed: {_in_one_line(error)}")


def require_attribute(thing: Any, name: str) -> None:
    """Makes sure that an object of the framework has an attribute that the kit reads or sets.

    Raises:
        UsageError: It lacks it.
    """
    if not hasattr(thing, name):
        own = next((cls for cls in type(thing).__mro__ if cls.__module__.startswith(f"{PACKAGE}.")), type(thing))
        raise other_release(f"lacks {own.__name__}.{name}")


def other_release(what: str) -> UsageError:
    """Returns what to raise where another release than the verified one cannot be used, and why."""
    return UsageError(
        f"The framework that is installed here ({DISTRIBUTION} {installed_release()}) {what}. The kit is verified "
        f"against release {VERIFIED_RELEASE}. Install {DISTRIBUTION}=={VERIFIED_RELEASE}, or {_WAY_OUT}"
    )


def _class_of(need: Need) -> Any:
    try:
        module = importlib.import_module(need.module)
        return getattr(module, need.name)
    except ModuleNotFoundError as error:
        if not _has_distribution() or not _is_part_of(error.name, need.module):
            raise _broken(error) from error
        raise other_release(f"lacks {error.name}") from error
    except AttributeError as error:
        if not _has_distribution() or error.obj is not sys.modules.get(need.module) or error.name != need.name:
            raise _broken(error) from error
        raise other_release(f"lacks {need.module}.{need.name}") from error
    except (Exception, SystemExit) as error:  # a package may raise anything when it is imported
        raise _broken(error) from error


def _require_method(need: Need, cls: Any) -> None:
    method = inspect.getattr_static(cls, need.method or "", None)
    if method is None:
        raise other_release(f"lacks {need}")
    if need.positional is None:
        return
    arguments = dict.fromkeys(need.keywords)
    try:
        inspect.signature(getattr(cls, need.method or "")).bind(*[None] * (1 + need.positional), **arguments)
    except (TypeError, ValueError) as error:
        raise other_release(f"takes other arguments in {need}: {error}") from error


def _is_part_of(missing: str | None, module: str) -> bool:
    return missing is not None and (missing == module or module.startswith(f"{missing}."))


def _has_distribution() -> bool:
    return installed_release() != "unknown"


def _comes_from_the_kit(error: BaseException) -> bool:
    """Returns whether the kit's own line raised, seen past the validation of its configs."""
    modules = []
    trace = error.__traceback__
    while trace is not None:
        modules.append(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    own = [module for module in modules if module.partition(".")[0] not in {"pydantic", "pydantic_core"}]
    return bool(own) and own[-1].startswith("noether_testkit.adapters.") and own[-1] not in _CALLS_CALLBACKS


def _broken(error: BaseException) -> UsageError:
    if _has_distribution():
        what = f"The framework ({DISTRIBUTION} {installed_release()}) is installed here, but cannot be imported"
        mend = "Mend the installation"
    else:
        what = f"There is a package named {PACKAGE} here, but it is not the framework ({DISTRIBUTION})"
        mend = f"Install {DISTRIBUTION}=={VERIFIED_RELEASE}"
    return UsageError(f"{what}: {_in_one_line(error)}. {mend}, or {_WAY_OUT}")


def _in_one_line(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
