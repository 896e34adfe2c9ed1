"""What the instances of a callback's class share: class attributes, defaults, and names of the module."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch

from noether_testkit.contract.compare import Difference, differences
from noether_testkit.contract.reach import leaves
from noether_testkit.fakes.lineage import is_base_class, is_callback_class

_CONTAINERS = (list, dict, set, deque)
_PLAIN = (bool, int, float, str, bytes, tuple, frozenset, type(None), torch.Tensor)


class SharedThings:
    """What the instances of a class share, as it is now.

    Args:
        cls: The class of the callback.
        closed: Identities of objects that are not looked into.
    """

    def __init__(self, cls: type, closed: frozenset[int] = frozenset()) -> None:
        self._cls = cls
        self._closed = closed
        self._values = {path: _copied(value) for path, (_, _, value) in self._places().items()}
        self.look = self._look()

    def changes(self) -> list[Difference]:
        """Returns what is different now."""
        return differences(self.look, self._look(), path="")

    def put_back(self) -> None:
        """Puts back what containers hold and what plain names stand for; other objects stay as they are."""
        if not self.changes():
            return
        for path, (owner, name, value) in self._places().items():
            old = _copied(self._values.get(path, value))
            if isinstance(value, _CONTAINERS) and type(value) is type(old):
                value.clear()
                value.extend(old) if isinstance(value, list | deque) else value.update(old)
            elif owner is not None and name is not None and isinstance(value, _PLAIN) and isinstance(old, _PLAIN):
                setattr(owner, name, old)

    def _look(self) -> dict[str, Any]:
        held: dict[str, Any] = {}
        for path, (_, _, value) in self._places().items():
            held |= leaves(value, self._closed, name=path)
            if isinstance(value, _CONTAINERS):
                held[f"len({path})"] = len(value)
        return held

    def _places(self) -> dict[str, tuple[Any, str | None, Any]]:
        return {path: (owner, name, value) for path, owner, name, value in self._found()}

    def _found(self) -> Iterator[tuple[str, Any, str | None, Any]]:
        for cls in self._cls.__mro__:
            if not is_callback_class(cls) or is_base_class(cls):
                continue
            for name, value in list(vars(cls).items()):
                function = getattr(value, "__func__", value)
                if hasattr(function, "__code__"):
                    yield from _defaults(cls, function)
                elif not name.startswith("__") and not name.startswith("_abc") and _is_data(value):
                    yield f"{cls.__name__}.{name}", cls, name, value


def _defaults(cls: type, function: Any) -> Iterator[tuple[str, Any, str | None, Any]]:
    for index, value in enumerate(function.__defaults__ or ()):
        if isinstance(value, _CONTAINERS):
            yield f"{cls.__name__}.{function.__name__}.default[{index}]", None, None, value
    for name, value in (function.__kwdefaults__ or {}).items():
        if isinstance(value, _CONTAINERS):
            yield f"{cls.__name__}.{function.__name__}.{name}", None, None, value
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, _CONTAINERS):
            yield f"{cls.__module__}.{name}", None, None, value


def _is_data(value: Any) -> bool:
    return not callable(value) and not isinstance(value, property | classmethod | staticmethod)


def _copied(value: Any) -> Any:
    """Returns a copy of containers and tensors; other objects are themselves, so that sentinels stay what they are."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, deque):
        return deque((_copied(inside) for inside in value), maxlen=value.maxlen)
    if isinstance(value, dict):
        copied = copy.copy(value)
        copied.update({key: _copied(inside) for key, inside in value.items()})
        return copied
    if type(value) in (list, tuple):
        return type(value)(_copied(inside) for inside in value)
    return copy.copy(value) if isinstance(value, set) else value
