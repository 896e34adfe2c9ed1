"""What a callback holds: the values that can be reached from it, by path."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from noether_testkit.fakes.lineage import PREFIXES, has_ancestor

_DEEPEST = 12
_MOST = 20_000
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, np.generic)
_CLOSED = ("logging", "threading", "weakref", "inspect", "importlib", "noether_testkit", *PREFIXES)
"""Modules whose objects are not looked into: they lead away from the callback."""


def collaborators_and_model(collaborators: Mapping[str, Any]) -> frozenset[int]:
    """Returns the identities of what the trainer gave: the collaborators, the modules of the model, its optimiser."""
    model = collaborators["model"]
    optimizer = getattr(model, "optimizer", None)
    known = [*collaborators.values(), *model.modules(), optimizer, getattr(optimizer, "torch_optim", None)]
    return frozenset(id(each) for each in known if each is not None)


def leaves(thing: Any, closed: frozenset[int] = frozenset(), name: str = "self") -> dict[str, Any]:
    """Returns the values that can be reached from an object, by paths such as `self.history[0]`.

    Tensors and arrays are copied, so that later changes do not reach them.

    Args:
        thing: Where to start.
        closed: Identities of objects that are not looked into.
        name: The name of the start.
    """
    return {path: _copied(leaf) for path, leaf in walk(thing, closed, name)}


def walk(thing: Any, closed: frozenset[int] = frozenset(), name: str = "self") -> Iterator[tuple[str, Any]]:
    """Yields paths and values as `leaves` does, the values themselves."""
    seen: set[int] = set(closed)
    pending: deque[tuple[str, Any, int]] = deque([(name, thing, 0)])
    count = 0
    while pending and count < _MOST:
        path, value, depth = pending.popleft()
        if isinstance(value, (*_PLAIN, torch.Tensor, np.ndarray)):
            count += 1
            yield path, value
            continue
        if id(value) in seen or depth > _DEEPEST:
            continue
        seen.add(id(value))
        if isinstance(value, set | frozenset):
            count += 1
            yield path, frozenset(each for each in value if isinstance(each, _PLAIN))
        count += 1
        pending.extend((f"{path}{part}", inside, depth + 1) for part, inside in _inside(value))


def weights_held(thing: Any, model: torch.nn.Module, closed: frozenset[int] = frozenset()) -> dict[str, str]:
    """Returns the paths at which an object holds the memory of the model's weights, and the names of these."""
    weights = model.state_dict(keep_vars=True).items()
    names = {_memory(tensor): name for name, tensor in weights if tensor.numel()}
    held = ((path, value) for path, value in walk(thing, closed) if isinstance(value, torch.Tensor | np.ndarray))
    return {path: names[_memory(value)] for path, value in held if len(value.reshape(-1)) and _memory(value) in names}


def _memory(value: Any) -> int:
    """Returns the address at which the memory of a tensor or array starts."""
    if isinstance(value, np.ndarray):
        return int(value.__array_interface__["data"][0])
    if value.is_meta or value.layout != torch.strided:
        return id(value)
    return int(value.untyped_storage().data_ptr())


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields what an object directly holds, by the next part of the path."""
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", inside) for key, inside in _items(value))
        yield from ((f".{key}", inside) for key, inside in _attributes(value) if type(value) is not dict)
    elif isinstance(value, list | tuple | deque | set | frozenset):
        yield from ((f"[{index}]", inside) for index, inside in enumerate(list(value)))
    elif isinstance(value, functools.partial):
        yield from ((f".args[{index}]", inside) for index, inside in enumerate(value.args))
        yield from ((f".keywords[{key!r}]", inside) for key, inside in value.keywords.items())
    elif isinstance(value, types.MethodType):
        yield ".__self__", value.__self__
    elif isinstance(value, types.FunctionType) and not str(value.__module__).startswith(_CLOSED):
        yield from _held_by(value)
    elif not isinstance(value, type | types.ModuleType | types.FunctionType) and not _is_closed(value):
        yield from ((f".{key}", inside) for key, inside in _attributes(value))


def _held_by(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            yield f"<{name}>", cell.cell_contents
        except ValueError:  # nothing is bound to the name yet
            continue
    yield from ((f"<default {index}>", value) for index, value in enumerate(function.__defaults__ or ()))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields attributes of the instance: from its dictionary and its slots, never by its own accessors."""
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict):
        yield from ((name, inside) for name, inside in list(held.items()) if name != "_logger")
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            member = vars(cls).get(name)
            if isinstance(member, types.MemberDescriptorType):
                try:
                    yield name, member.__get__(value)
                except AttributeError:  # an empty slot
                    continue


def _items(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    try:
        return list(mapping.items())
    except Exception:  # noqa: BLE001 - a mapping of the user's may refuse to be read
        return []


def _is_closed(value: Any) -> bool:
    if isinstance(value, torch.nn.Module):
        return False
    module = str(type(value).__module__)
    return module.startswith(_CLOSED) and not has_ancestor(type(value), "CallbackBase")


def _copied(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().clone()
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
