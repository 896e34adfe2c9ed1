"""What a probe is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that is different after a block.

    Attributes:
        what: What it is, such as the name of a parameter.
        before: Its value before, in words.
        after: Its value after, in words.
    """

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} before, {self.after} after"


class Probe(Protocol):
    """Looks at one thing and compares two looks."""

    def look(self) -> Any:
        """Returns what is there now, safe from later changes."""
        ...

    def changes(self, before: Any, after: Any) -> list[Change]:
        """Returns what differs between two looks."""
        ...


@contextmanager
def watching(*probes: Probe) -> Iterator[list[Change]]:
    """Compares two looks of each probe around a block, also when the block raises.

    Yields:
        A list that holds the changes once the block is over.
    """
    before = [probe.look() for probe in probes]
    changes: list[Change] = []
    try:
        yield changes
    finally:
        for probe, look in zip(probes, before, strict=True):
            changes.extend(probe.changes(look, probe.look()))
