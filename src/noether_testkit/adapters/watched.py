"""Watches what the framework's trainer calls on callbacks, and what callbacks call on its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from noether_testkit.contract.hooks import STATE_METHODS, TRAINING_HOOKS
from noether_testkit.contract.session import Factory, OnUse
from noether_testkit.fakes import HookCall, Watch

_WATCHED = (TRAINING_HOOKS | STATE_METHODS) - {"periodic_callback"}
"""What the trainer calls; `periodic_callback` is called by the base class."""

_COLLABORATORS = ("tracker", "log_writer", "checkpoint_writer", "metric_property_provider", "data_container")


def build_watched(factory: Factory, collaborators: Mapping[str, Any], around: Watch) -> Any:
    """Returns a callback that its factory makes, behind a stand-in that watches the trainer's calls."""
    with around(HookCall(factory, "__init__", collaborators)):
        callback = factory(**collaborators)
    return _Watched(callback, around)


def listen(trainer: Any, on_use: OnUse) -> None:
    """Puts an ear on the public methods of the collaborators."""
    for name in _COLLABORATORS:
        collaborator = getattr(trainer, name)
        for method in dir(type(collaborator)):
            if not method.startswith("_") and callable(getattr(collaborator, method)):
                setattr(collaborator, method, _heard(f"{name}.{method}", getattr(collaborator, method), on_use))


class _Watched:
    """A stand-in that looks like the callback and watches the trainer's calls; the callback itself stays as it is."""

    def __init__(self, callback: Any, around: Watch) -> None:
        object.__setattr__(self, "_callback", callback)
        object.__setattr__(self, "_around", around)

    def __getattribute__(self, name: str) -> Any:
        callback = object.__getattribute__(self, "_callback")
        if name == "__class__":
            return type(callback)
        if name not in _WATCHED:
            return getattr(callback, name)
        around: Watch = object.__getattribute__(self, "_around")

        def call(*args: Any, **kwargs: Any) -> Any:
            with around(HookCall(callback, name, kwargs, args)):
                return getattr(callback, name)(*args, **kwargs)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_callback"), name, value)

    def __str__(self) -> str:
        return str(object.__getattribute__(self, "_callback"))

    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_callback"))


def _heard(name: str, method: Callable[..., Any], on_use: OnUse) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        on_use(name, {**({"key": args[0]} if args else {}), **kwargs})
        return method(*args, **kwargs)

    return call
