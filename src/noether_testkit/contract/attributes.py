"""The values that a callback keeps in its own attributes, as far as they are data."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.compare import snapshot

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.Tensor, np.ndarray, np.generic)
_LARGEST = 2000
"""Parts of a value up to which it is looked at."""


def own_values(callback: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Returns copies of a callback's attributes that are data: numbers, texts, tensors, and containers of these.

    Args:
        callback: The callback.
        without: Names that are left out.
    """
    attributes = {**_slots(callback), **getattr(callback, "__dict__", {})}
    return {name: snapshot(value) for name, value in attributes.items() if name not in without and is_data(value)}


def is_data(value: Any) -> bool:
    """Returns whether a value is made of numbers, texts, tensors and containers only, and of bearable size."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, _PLAIN) or id(each) in seen:
            continue
        if not isinstance(each, Mapping | list | tuple | set | frozenset | deque) or len(seen) > _LARGEST:
            return False
        seen.add(id(each))
        waiting.extend(chain(each.keys(), each.values()) if isinstance(each, Mapping) else each)
        if len(waiting) > _LARGEST:
            return False
    return True


def _slots(callback: Any) -> dict[str, Any]:
    names = chain.from_iterable(_names(cls) for cls in type(callback).__mro__)
    return {name: getattr(callback, name) for name in names if hasattr(callback, name)}


def _names(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]
