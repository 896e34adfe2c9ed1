"""What all fakes share: they refuse unknown attributes, record calls and fail on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from noether_testkit.errors import nearest_sentence


class Call(NamedTuple):
    """One call that a fake received.

    Attributes:
        method: Name of the method.
        arguments: The arguments by name.
    """

    method: str
    arguments: Mapping[str, Any]


class StrictFake:
    """A small working stand-in for one of the framework's objects.

    Attributes:
        calls: The calls so far, in order.
        fault: Called with each call before it takes effect; what it raises, the caller sees.
    """

    stands_for = "object"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fault: Callable[[Call], None] | None = None

    def _record(self, method: str, **arguments: Any) -> None:
        call = Call(method, arguments)
        self.calls.append(call)
        if self.fault is not None:
            self.fault(call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(unknown_attribute(self, name), name=name, obj=self)


def unknown_attribute(fake: Any, name: str) -> str:
    """Returns the sentence for an attribute that the framework's object lacks, too."""
    known = [attribute for attribute in dir(fake) if not attribute.startswith("_")]
    return f"The framework's {fake.stands_for} has no attribute {name!r}. {nearest_sentence(name, known)}"
