"""The seam between driving callbacks and watching them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple


class HookCall(NamedTuple):
    """One call of the trainer into a callback.

    Attributes:
        callback: The callback; its class or factory while it is being built.
        hook: Name of the method; `__init__` for the constructor.
        arguments: The arguments given by keyword.
        positional: The arguments given by position: the counter of `at_eval`, the state of `load_state_dict`.
    """

    callback: Any
    hook: str
    arguments: Mapping[str, Any]
    positional: tuple[Any, ...] = ()


Watch = Callable[[HookCall], AbstractContextManager[Any]]
"""Called around each call of the trainer into a callback; the call happens inside the context."""
