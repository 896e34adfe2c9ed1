"""Compares states leaf by leaf: values, types, shapes and dtypes, NaN included."""

from __future__ import annotations

import cmath
import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.probes.model import same_bits


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place at which two states differ.

    Attributes:
        path: Where it is, such as `state['best']`.
        left: The value in the first state, in words.
        right: The value in the second state, in words.
        values: Both values.
    """

    path: str
    left: str
    right: str
    values: tuple[Any, Any]


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()
"""Stands for an entry that is not there."""


def differences(left: Any, right: Any, *, ignore: Collection[str] = (), path: str = "state") -> list[Difference]:
    """Returns where two states differ.

    Mappings are compared by their entries, whatever their class. Everything else must have the
    same type, and NaN equals itself.

    Args:
        left: The first state.
        right: The second state.
        ignore: Paths that are not compared, nor what lies below them.
        path: The name of the whole.
    """
    return list(_differences(left, right, frozenset(ignore), path, 0))


def snapshot(state: Any) -> Any:
    """Returns a copy of a state that later changes do not reach; what cannot be copied stays as it is."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: snapshot(value) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(snapshot(value) for value in state)
    try:
        return copy.deepcopy(state)
    except Exception:  # noqa: BLE001 - a state may hold anything
        return state


def in_words(value: Any) -> str:
    """Returns a value in words, short enough for a line."""
    if isinstance(value, torch.Tensor):
        kind = f"{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
        return f"{kind}: {_numbers(value)}" if value.numel() else f"{kind}, empty"
    text = repr(value) if isinstance(value, _Absent | str | bytes) else f"{value!r} ({type(value).__name__})"
    return text if len(text) <= 120 else f"{text[:117]}…"


def _differences(left: Any, right: Any, ignore: frozenset[str], path: str, depth: int) -> Iterator[Difference]:
    if path in ignore or depth > _MAX_DEPTH:
        return
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in [*left, *(key for key in right if key not in left)]:
            pair = left.get(key, ABSENT), right.get(key, ABSENT)
            yield from _differences(*pair, ignore, f"{path}[{key!r}]", depth + 1)
    elif type(left) is type(right) and isinstance(left, list | tuple) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from _differences(*pair, ignore, f"{path}[{index}]", depth + 1)
    elif not _same(left, right):
        yield Difference(path=path, left=in_words(left), right=in_words(right), values=(left, right))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return same_bits(left, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, float | complex):
        return left == right or (cmath.isnan(left) and cmath.isnan(right))
    if isinstance(left, np.ndarray | np.generic):
        return bool(np.array_equal(left, right, equal_nan=left.dtype.kind in "fc"))
    try:
        return bool(left == right) or _same_content(left, right)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return True


def _same_content(left: Any, right: Any) -> bool:
    """Compares objects without an equality of their own by their attributes."""
    has_own_equality = any("__eq__" in vars(cls) for cls in type(left).__mro__[:-1])
    return not has_own_equality and hasattr(left, "__dict__") and not differences(vars(left), vars(right))


def _numbers(tensor: torch.Tensor) -> str:
    shown = ", ".join(
        f"{number:.6g}" if isinstance(number, float) else str(number) for number in tensor.flatten()[:4].tolist()
    )
    return f"{shown}, …" if tensor.numel() > 4 else shown


_MAX_DEPTH = 50
