"""What a callback holds of its own, as values that can be compared and named."""

from __future__ import annotations

import hashlib
import random
import types
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.compare import snapshot
from noether_testkit.contract.subject import COLLABORATORS
from noether_testkit.fakes.lineage import PREFIXES

NOT_ITS_OWN = frozenset({*COLLABORATORS, "writer", "_logger", "logger", "total_data_time", "sampler_config"})
_CLOSED = frozenset(
    {"builtins", "logging", "threading", "weakref", "inspect", "io", "_io", "pathlib", "torch", "numpy", "collections"}
)
_DEEPEST = 8


class GeneratorState(str):
    """The state of a generator of random numbers, in words."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Opened(dict[str, Any]):
    """The attributes of an object, by names such as `.best`, or what a function holds, by names such as `<best>`."""


def attributes_of(callback: Any) -> dict[str, Any]:
    """Returns copies of the attributes of a callback that are its own and may be lost.

    Collaborators, the model and loggers are not its own, and a path leads into another folder after each resume.
    Generators, modules, functions and objects of its own classes are shown by what they hold.
    """
    closed = _closed_to(callback)
    return {
        name: opened(value, closed)
        for name, value in vars(callback).items()
        if name not in NOT_ITS_OWN and id(value) not in closed and _holds_something(value)
    }


def opened(value: Any, closed: frozenset[int] = frozenset(), depth: int = 0) -> Any:
    """Returns a copy of a value in which objects are opened, so that what is inside can be compared and named."""
    state = _state_of(value)
    if state is not None or id(value) in closed or depth > _DEEPEST:
        return state
    inner = closed | {id(value)}
    if type(value) in (list, tuple):
        return type(value)(opened(each, inner, depth + 1) for each in value)
    if type(value) is deque:
        return deque((opened(each, inner, depth + 1) for each in value), value.maxlen)
    inside = dict(value) if isinstance(value, Mapping) else dict(_inside(value))
    if not inside and not isinstance(value, Mapping):
        return snapshot(value)
    made = {key: opened(each, inner, depth + 1) for key, each in inside.items() if id(each) not in inner}
    return made if isinstance(value, Mapping) else Opened(made)


def _holds_something(value: Any) -> bool:
    if isinstance(value, PurePath):
        return False
    return isinstance(value, torch.nn.Module) or not callable(value) or bool(dict(_inside(value)))


def _closed_to(callback: Any) -> frozenset[int]:
    """Returns the identities of the callback itself and of what the trainer gave it, the model's modules included."""
    given = [each for name, each in vars(callback).items() if name in NOT_ITS_OWN and each is not None]
    model = vars(callback).get("model")
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    return frozenset(id(each) for each in (callback, *given, *modules))


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields what an object holds that cannot be compared itself."""
    if isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield f"<{name}>", cell.cell_contents
            except ValueError:  # nothing is bound to the name yet
                continue
    elif isinstance(value, torch.nn.Module):
        yield from ((f".{name}", each) for name, each in value.state_dict().items())
        yield from ((f".{name}", each) for name, each in vars(value).items() if not name.startswith("_"))
    elif not callable(value) and not _is_closed(type(value).__module__):
        yield from ((f".{name}", each) for name, each in getattr(value, "__dict__", {}).items())


def _is_closed(module: str) -> bool:
    return module.partition(".")[0] in _CLOSED or module.startswith(PREFIXES)


def _state_of(value: Any) -> GeneratorState | None:
    """Returns the state of a generator of random numbers, in words; `None` for anything else."""
    state: Any
    if isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        state = value.getstate()
    elif isinstance(value, torch.Generator):
        state = value.get_state().tolist()
    elif isinstance(value, np.random.Generator):
        state = value.bit_generator.state
    elif isinstance(value, np.random.RandomState):
        state = [part.tolist() if isinstance(part, np.ndarray) else part for part in value.get_state(legacy=True)]
    else:
        return None
    module = type(value).__module__.partition(".")[0].removeprefix("_")
    fingerprint = hashlib.sha256(repr(state).encode()).hexdigest()[:6]
    return GeneratorState(f"a generator of {module} in the state {fingerprint}")
