"""What all fakes share: they refuse unknown attributes, record calls and fail on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, NoReturn

from noether_testkit.errors import FakeError, nearest_sentence


class Call(NamedTuple):
    """One call that a fake received.

    Attributes:
        method: Name of the method.
        arguments: The arguments by name.
    """

    method: str
    arguments: Mapping[str, Any]


class Strict:
    """Refuses attributes that the framework's object does not have either, naming the nearest ones that it has.

    What a fake offers beyond the framework's object is listed in `_kit_only`; what the framework's object
    has and the fake does without, in `_not_faked`.
    """

    _stands_for: ClassVar[str] = "object"
    _kit_only: ClassVar[frozenset[str]] = frozenset()
    _not_faked: ClassVar[frozenset[str]] = frozenset()

    def __getattr__(self, name: str) -> Any:
        refuse(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _RESERVED:
            _require_fault(type(self), name, value)
        super().__setattr__(name, value)


class StrictFake(Strict):
    """A small working stand-in for one of the framework's objects.

    Attributes:
        calls: The calls so far, in order; only the kit has it.
        fault: Called with each call before it takes effect; what it raises, the caller sees. Only the
            kit has it.
    """

    _kit_only = frozenset({"calls", "fault"})

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fault: Callable[[Call], None] | None = None

    def _record(self, method: str, **arguments: Any) -> None:
        call = Call(method, arguments)
        self.calls.append(call)
        if self.fault is not None:
            self.fault(call)


_RESERVED = frozenset({"calls", "call", "fault", "faults", "failure"})
"""Names of what the kit adds to its fakes, and slips of these."""


def _require_fault(cls: type[Strict], name: str, value: Any) -> None:
    """Refuses a fault that would never happen, so that a test of it cannot pass by mistake.

    Raises:
        AttributeError: This fake has nothing of that name.
        TypeError: A fault is no function.
    """
    if name not in cls._kit_only:
        raise AttributeError(_has_no(cls, name), name=name)
    if name == "fault" and value is not None and not callable(value):
        raise TypeError(
            f"{cls.__name__}.fault must be a function, which is called with each call and may raise, but is {value!r}."
        )


def _has_no(cls: Any, name: str) -> str:
    own = sorted({"calls", "fault"} & cls._kit_only)
    if own:
        return f"{cls.__name__} has no {name!r}. {nearest_sentence(name, own)}"
    return (
        f"{cls.__name__} records no calls and cannot be made to fail; tracker, log writer, checkpoint writer, "
        "metric property provider and data container can, and model and data sets have a `fault`."
    )


def refuse(fake: Any, name: str) -> NoReturn:
    """Refuses an attribute that a fake lacks.

    Raises:
        AttributeError: The framework's object lacks it, too.
        FakeError: The framework's object has it; so a look whether it is there must not say no.
    """
    cls = type(fake)
    if name.startswith("_"):
        raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}", name=name, obj=fake)
    if name in ("calls", "fault"):
        raise AttributeError(_has_no(cls, name), name=name, obj=fake)
    original = f"The framework's {cls._stands_for}"
    if name in cls._not_faked:
        raise FakeError(
            f"{original} has {name!r}, but {cls.__name__} does without it. Try the callback on the "
            "framework itself, or set the attribute on the fake."
        )
    known = {attribute for attribute in dir(fake) if not attribute.startswith("_")} - cls._kit_only
    sentence = nearest_sentence(name, known | cls._not_faked)
    raise AttributeError(f"{original} has no attribute {name!r}. {sentence}", name=name, obj=fake)
