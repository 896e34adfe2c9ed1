"""Adds to the containers of a state."""

from __future__ import annotations

from typing import Any

_MOST = 2000


def spoil(state: Any) -> None:
    """Adds to every list, set and dict in a state; tensors stay as they are.

    Args:
        state: The state; parts beyond the first 2000 stay as they are.
    """
    seen: set[int] = set()
    waiting = [state]
    while waiting and len(seen) < _MOST:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        try:
            _add_to(value)
        except Exception:  # noqa: BLE001, S112 - what cannot be changed is as good as a copy
            continue


def _add_to(value: Any) -> None:
    if isinstance(value, dict):
        value["changed by noether-testkit"] = 0
    elif isinstance(value, list):
        value.append(0)
    elif isinstance(value, set):
        value.add("changed by noether-testkit")
