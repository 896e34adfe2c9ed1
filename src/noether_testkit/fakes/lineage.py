"""Tells what kind of callback a class is, for the kit's base classes and the framework's alike."""

from __future__ import annotations

from typing import Any

PREFIXES = ("noether_testkit.core.", "noether.core.")
"""Where base classes live."""


def is_callback_class(cls: type) -> bool:
    """Returns whether a class derives from `CallbackBase`."""
    return has_ancestor(cls, "CallbackBase")


def is_periodic(callback: Any) -> bool:
    """Returns whether a callback derives from `PeriodicCallback`."""
    return has_ancestor(type(callback), "PeriodicCallback")


def is_data_iterator(callback: Any) -> bool:
    """Returns whether a callback derives from `PeriodicDataIteratorCallback`."""
    return has_ancestor(type(callback), "PeriodicDataIteratorCallback")


def data_iterators(callback: Any) -> list[Any]:
    """Returns the data iterator callbacks among a callback and all its descendants, in order."""
    found = [callback] if is_data_iterator(callback) else []
    for child in callback.get_children():
        found.extend(data_iterators(child))
    return found


def has_ancestor(cls: type, name: str) -> bool:
    """Returns whether a class derives from the base class of that name."""
    return any(base.__name__ == name and is_base_class(base) for base in cls.__mro__)


def is_base_class(cls: type) -> bool:
    """Returns whether a class is one of the base classes rather than built on them."""
    return cls.__module__.startswith(PREFIXES) and cls.__name__ in {
        "CallbackBase",
        "PeriodicCallback",
        "PeriodicDataIteratorCallback",
    }


def base_of(cls: type) -> type:
    """Returns the nearest base class that a callback class is built on."""
    return next(base for base in cls.__mro__ if is_base_class(base))
