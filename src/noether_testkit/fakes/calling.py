"""Calls the callbacks of a run, under watch where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from noether_testkit.fakes.watch import HookCall, Watch


class Caller:
    """Makes all calls of the trainer into callbacks.

    Args:
        watch: Called around each call.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch

    def build(self, callback: Any, collaborators: dict[str, Any]) -> Any:
        """Returns a callback: the one that is given, or what a factory makes of the collaborators."""
        if hasattr(type(callback), "checkpoint_key"):
            return callback
        if self._watch is None:
            return callback(**collaborators)
        with self._watch(HookCall(callback, "__init__", collaborators)):
            return callback(**collaborators)

    def call(self, callback: Any, hook: str, *positional: Any, **keywords: Any) -> Any:
        """Calls a hook of a callback."""
        if self._watch is None:
            return getattr(callback, hook)(*positional, **keywords)
        with self._watch(HookCall(callback, hook, keywords, positional)):
            return getattr(callback, hook)(*positional, **keywords)

    def call_all(self, callbacks: Iterable[Any], hook: str, **keywords: Any) -> None:
        """Calls a hook of all callbacks, in order."""
        if self._watch is not None:
            for callback in callbacks:
                self.call(callback, hook, **keywords)
            return
        for callback in callbacks:
            getattr(callback, hook)(**keywords)

    def for_states(self, callbacks: list[Any]) -> list[Any]:
        """Returns the callbacks in such a form that their states are asked for and loaded under watch."""
        return callbacks if self._watch is None else [_ForState(callback, self.call) for callback in callbacks]


class _ForState:
    """The part of a callback that saving and loading needs."""

    def __init__(self, callback: Any, call: Callable[..., Any]) -> None:
        self._callback = callback
        self._call = call

    @property
    def checkpoint_key(self) -> Any:
        return self._callback.checkpoint_key

    def state_dict(self) -> Any:
        return self._call(self._callback, "state_dict")

    def load_state_dict(self, state_dict: Any) -> None:
        self._call(self._callback, "load_state_dict", state_dict)

    def __str__(self) -> str:
        return str(self._callback)
