"""Tells what kind of callback a class is, for the kit's base classes and the framework's alike."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

PREFIXES = ("noether_testkit.core.", "noether.core.")
"""Where base classes live."""

_BASE_CLASSES = frozenset({"CallbackBase", "PeriodicCallback", "PeriodicDataIteratorCallback"})


def is_callback_class(cls: type) -> bool:
    """Returns whether a class derives from `CallbackBase`."""
    return has_ancestor(cls, "CallbackBase")


def is_periodic(callback: Any) -> bool:
    """Returns whether a callback derives from `PeriodicCallback`."""
    return has_ancestor(type(callback), "PeriodicCallback")


def is_early_stop(error: BaseException) -> bool:
    """Returns whether an exception asks to end the run in order: an `EarlyStopIteration`, or one derived from it."""
    return any(base.__name__ == "EarlyStopIteration" and _is_native(base) for base in type(error).__mro__)


def is_data_iterator(callback: Any) -> bool:
    """Returns whether a callback derives from `PeriodicDataIteratorCallback`."""
    return has_ancestor(type(callback), "PeriodicDataIteratorCallback")


def data_iterators(callback: Any) -> list[Any]:
    """Returns the data iterator callbacks among a callback and all its descendants, in order."""
    found = [callback] if is_data_iterator(callback) else []
    for child in callback.get_children():
        found.extend(data_iterators(child))
    return found


def iterates(callback: Any) -> bool:
    """Returns whether a callback or a descendant of it, as they are at this moment, iterates over data."""
    if is_data_iterator(callback):
        return True
    children = callback.get_children()
    return bool(children) and any(iterates(child) for child in children)


def has_ancestor(cls: type, name: str) -> bool:
    """Returns whether a class derives from the base class of that name."""
    return name in _bases_of(cls)


def is_base_class(cls: type) -> bool:
    """Returns whether a class is one of the base classes rather than built on them."""
    return cls.__name__ in _BASE_CLASSES and _is_native(cls)


def base_of(cls: type) -> type:
    """Returns the nearest base class that a callback class is built on."""
    return next(base for base in cls.__mro__ if is_base_class(base))


@lru_cache(maxsize=256)
def _bases_of(cls: Any) -> frozenset[str]:
    return frozenset(base.__name__ for base in cls.__mro__ if is_base_class(base))


def _is_native(cls: type) -> bool:
    return cls.__module__.startswith(PREFIXES)
