"""Compares states leaf by leaf: values, types, shapes and dtypes, NaN included."""

from __future__ import annotations

import cmath
import copy
from collections import OrderedDict
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


_DEEPEST = 20
_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})

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
    return list(_differences(left, right, frozenset(ignore), path, ()))


def value_at(state: Any, path: str) -> Any:
    """Returns the value at a path such as `state['best']`, or `ABSENT`."""
    wanted = [each.values[0] for each in differences(state, ABSENT if path == "state" else {}) if each.path == path]
    return wanted[0] if wanted else ABSENT


def snapshot(state: Any) -> Any:
    """Returns a copy of a state that later changes do not reach; what cannot be copied stays as it is."""
    return _copied(state, ())


def in_words(value: Any) -> str:
    """Returns a value in words, short enough for a line."""
    if isinstance(value, torch.Tensor) and value.is_nested:
        return f"nested {str(value.dtype).removeprefix('torch.')} tensor of {len(value.unbind())} parts"
    if isinstance(value, torch.Tensor):
        kind = f"{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
        return f"{kind}: {_numbers(value)}" if value.numel() and not value.is_meta else kind
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be shown
        return f"<{type(value).__name__} that cannot be shown>"
    text = text if isinstance(value, _Absent | str | bytes) else f"{text} ({type(value).__name__})"
    return text if len(text) <= 120 else f"{text[:117]}…"


def _copied(state: Any, trail: tuple[int, ...]) -> Any:
    if isinstance(state, torch.Tensor):
        return _copied_tensor(state)
    if type(state) in _PLAIN:
        return state
    if type(state) in (list, tuple) and _PLAIN.issuperset(map(type, state)):
        return state[:]
    inside = (*trail, id(state))
    if id(state) not in trail and type(state) in (dict, OrderedDict):
        return type(state)((key, _copied(value, inside)) for key, value in state.items())
    if id(state) not in trail and type(state) in (list, tuple):
        return type(state)(_copied(value, inside) for value in state)
    return _deep_copy(state)


def _deep_copy(state: Any) -> Any:
    try:
        return copy.deepcopy(state)
    except Exception:  # noqa: BLE001 - a state may hold anything
        return state


def _copied_tensor(tensor: torch.Tensor) -> torch.Tensor:
    try:
        return tensor.detach().clone()
    except Exception:  # noqa: BLE001 - not every layout can be copied
        return tensor


def _differences(
    left: Any, right: Any, ignore: frozenset[str], path: str, trail: tuple[tuple[int, int], ...]
) -> Iterator[Difference]:
    here = (id(left), id(right))
    if path in ignore or here in trail or len(trail) > _DEEPEST:
        return
    trail = (*trail, here)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in [*left, *(key for key in right if key not in left)]:
            pair = left.get(key, ABSENT), right.get(key, ABSENT)
            yield from _differences(*pair, ignore, f"{path}[{key!r}]", trail)
    elif type(left) is type(right) and isinstance(left, list | tuple) and len(left) == len(right):
        if _are_equal_and_plain(left, right):
            return
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from _differences(*pair, ignore, f"{path}[{index}]", trail)
    elif not _same(left, right) and not _has_same_content(left, right, trail):
        yield Difference(path=path, left=in_words(left), right=in_words(right), values=(left, right))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return _same_tensors(left, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, float | complex):
        return left == right or (cmath.isnan(left) and cmath.isnan(right))
    if isinstance(left, np.ndarray | np.generic):
        same_kind = left.dtype == right.dtype and left.shape == right.shape
        return same_kind and bool(np.array_equal(left, right, equal_nan=left.dtype.kind in "fc"))
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return False


def _are_equal_and_plain(left: Any, right: Any) -> bool:
    """Returns whether two lists of plain values are the same, at the speed of a long history."""
    types = list(map(type, left))
    return _PLAIN.issuperset(types) and types == list(map(type, right)) and bool(left == right)


def _same_tensors(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Compares tensors bit by bit; of nested ones, torch can compare only the parts."""
    if not left.is_nested or not right.is_nested:
        return left.is_nested == right.is_nested and same_bits(left, right)
    parts, others = left.unbind(), right.unbind()
    same_kind = left.layout == right.layout and len(parts) == len(others)
    return same_kind and all(same_bits(part, other) for part, other in zip(parts, others, strict=True))


def _has_same_content(left: Any, right: Any, trail: tuple[tuple[int, int], ...]) -> bool:
    """Compares objects that know no equality of their own, or refuse it, by their attributes."""
    if type(left) is not type(right) or isinstance(left, torch.Tensor | np.ndarray | np.generic):
        return False
    if type(left) is object:
        return True
    if type(left).__module__ == "builtins" or _knows_equality(left, right):
        return False
    if not hasattr(left, "__dict__"):
        return True
    return not any(True for _ in _differences(vars(left), vars(right), frozenset(), "", trail))


def _knows_equality(left: Any, right: Any) -> bool:
    if not any("__eq__" in vars(cls) for cls in type(left).__mro__[:-1]):
        return False
    try:
        return isinstance(left == right, bool)
    except Exception:  # noqa: BLE001 - an object of the user's may refuse to be compared
        return False


def _numbers(tensor: torch.Tensor) -> str:
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    tensor = tensor if tensor.layout == torch.strided else tensor.to_dense()
    shown = ", ".join(
        f"{number:.6g}" if isinstance(number, float) else str(number) for number in tensor.flatten()[:4].tolist()
    )
    return f"{shown}, …" if tensor.numel() > 4 else shown
