"""A state that knows whether a callback has looked into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Untouched(dict[str, Any]):
    """A mapping that knows whether anybody has looked into it.

    Attributes:
        looked_into: Whether somebody has.
    """

    looked_into = False

    def _look(self, name: str, *args: Any) -> Any:
        self.looked_into = True
        return getattr(dict, name)(self, *args)

    def __getitem__(self, key: str) -> Any:
        return self._look("__getitem__", key)

    def __contains__(self, key: object) -> bool:
        return bool(self._look("__contains__", key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._look("keys"))

    def __len__(self) -> int:
        return int(self._look("__len__"))

    def get(self, key: str, default: Any = None) -> Any:
        """Notes the look, and returns the entry or the default."""
        return self._look("get", key, default)

    def keys(self) -> Any:
        """Notes the look, and returns the keys."""
        return self._look("keys")

    def items(self) -> Any:
        """Notes the look, and returns the entries."""
        return self._look("items")

    def values(self) -> Any:
        """Notes the look, and returns the values."""
        return self._look("values")

    def pop(self, *args: Any) -> Any:
        """Notes the look, and takes an entry out."""
        return self._look("pop", *args)
