"""Watches what the framework's trainer calls on callbacks, and what callbacks call on its objects."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from noether_testkit.adapters.framework import PACKAGE
from noether_testkit.contract.hooks import STATE_METHODS, TRAINING_HOOKS
from noether_testkit.contract.session import Factory, OnUse
from noether_testkit.fakes import HookCall, Watch

_WATCHED = (TRAINING_HOOKS | STATE_METHODS) - {"periodic_callback"}
"""What the trainer calls; `periodic_callback` is called by the base class."""

_COLLABORATORS = ("tracker", "log_writer", "checkpoint_writer", "metric_property_provider", "data_container")


def build_watched(factory: Factory, collaborators: Mapping[str, Any], around: Watch) -> Any:
    """Returns a stand-in for the callback that a factory makes; see `WatchedCallbacks`."""
    with around(HookCall(factory, "__init__", collaborators)):
        callback = factory(**collaborators)
    return _StandIn(callback, around)


class WatchedCallbacks:
    """The attribute `callbacks` of a trainer: the framework reads stand-ins there, everybody else the callbacks.

    The framework's own code is told by the module that reads. So a callback finds itself in the list, nothing about it
    is changed, and only what the trainer calls is watched: a parent that calls its child meets no stand-in.
    """

    def __get__(self, trainer: Any, owner: Any = None) -> Any:
        if trainer is None:
            return self
        held = vars(trainer)
        if "callbacks" not in held:
            raise AttributeError(f"'{type(trainer).__name__}' object has no attribute 'callbacks'")
        reader: str = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - there is no other way to ask
        if _belongs_to_the_trainer(reader):
            return _StandIns(held["callbacks"], held["_stand_ins"])
        return held["callbacks"]

    def __set__(self, trainer: Any, callbacks: Any) -> None:
        stand_ins = {id(_callback_of(each)): each for each in callbacks if type(each) is _StandIn}
        vars(trainer)["callbacks"] = [_callback_of(each) for each in callbacks] if stand_ins else callbacks
        vars(trainer)["_stand_ins"] = stand_ins


def listen(trainer: Any, on_use: OnUse) -> None:
    """Puts an ear on the public methods of the collaborators."""
    for name in _COLLABORATORS:
        collaborator = getattr(trainer, name)
        for method in dir(type(collaborator)):
            if not method.startswith("_") and callable(getattr(collaborator, method)):
                setattr(collaborator, method, _heard(f"{name}.{method}", getattr(collaborator, method), on_use))


class _StandIn:
    """Looks like the callback and watches what is called on it; the callback itself stays as it is."""

    def __init__(self, callback: Any, around: Watch) -> None:
        object.__setattr__(self, "_callback", callback)
        object.__setattr__(self, "_around", around)

    def __getattribute__(self, name: str) -> Any:
        callback = _callback_of(self)
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
        setattr(_callback_of(self), name, value)

    def __str__(self) -> str:
        return str(_callback_of(self))

    def __repr__(self) -> str:
        return repr(_callback_of(self))


class _StandIns(Sequence[Any]):
    """The stand-ins of a list of callbacks, as long as that list is; what has none stands for itself."""

    def __init__(self, callbacks: list[Any], stand_ins: Mapping[int, _StandIn]) -> None:
        self._callbacks = callbacks
        self._stand_ins = stand_ins

    def __len__(self) -> int:
        return len(self._callbacks)

    def __getitem__(self, index: Any) -> Any:
        found = self._callbacks[index]
        return [self._of(each) for each in found] if isinstance(index, slice) else self._of(found)

    def _of(self, callback: Any) -> Any:
        return self._stand_ins.get(id(callback), callback)


def _callback_of(thing: Any) -> Any:
    """Returns the callback behind a stand-in, and everything else as it is."""
    return object.__getattribute__(thing, "_callback") if type(thing) is _StandIn else thing


def _belongs_to_the_trainer(module: str) -> bool:
    """Returns whether a module is the framework's, but not one of its callbacks."""
    package, *rest = module.split(".")
    return package == PACKAGE and "callbacks" not in rest


def _heard(name: str, method: Callable[..., Any], on_use: OnUse) -> Callable[..., Any]:
    names = _parameters(getattr(method, "__func__", method))

    def call(*args: Any, **kwargs: Any) -> Any:
        on_use(name, {**dict(zip(names, args, strict=False)), **kwargs})
        return method(*args, **kwargs)

    return call


@cache
def _parameters(function: Any) -> tuple[str, ...]:
    """Returns the names of a function's parameters, without that of the instance."""
    return tuple(name for name in inspect.signature(function).parameters if name != "self")
