"""Marks callbacks as guilty or innocent, and gathers what is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from noether_testkit.contract.subject import Subject

Callback = TypeVar("Callback", bound=Callable[..., Any])

_MARKS = "defect_marks"


@dataclass(frozen=True, kw_only=True, eq=False)
class Mark:
    """What is expected of a callback.

    Attributes:
        is_guilty: Whether it breaks the checks, and no other; an innocent one holds the whole contract.
        checks: The checks that it breaks, or near whose line it stands.
        fields: Fields of its subject.
    """

    is_guilty: bool
    checks: tuple[str, ...]
    fields: MappingProxyType[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A marked callback.

    Attributes:
        name: Its name in the module.
        file: Name of the module's file.
        mark: What is expected of it.
        subject: The subject to judge.
    """

    name: str
    file: str
    mark: Mark
    subject: Subject

    def __str__(self) -> str:
        return self.name


def guilty(*checks: str, **fields: Any) -> Callable[[Callback], Callback]:
    """Marks a class or factory that breaks exactly these checks."""
    return _marking(Mark(is_guilty=True, checks=checks, fields=MappingProxyType(fields)))


def innocent(*checks: str, **fields: Any) -> Callable[[Callback], Callback]:
    """Marks a class or factory that stands near the line of these checks and holds the whole contract."""
    return _marking(Mark(is_guilty=False, checks=checks, fields=MappingProxyType(fields)))


def cases_of(modules: Sequence[ModuleType]) -> tuple[Case, ...]:
    """Returns the marked callbacks of these modules, in the order of the files."""
    return tuple(case for module in modules for case in _cases_of(module))


def _marking(mark: Mark) -> Callable[[Callback], Callback]:
    def put(callback: Callback) -> Callback:
        setattr(callback, _MARKS, (*vars(callback).get(_MARKS, ()), mark))
        return callback

    return put


def _cases_of(module: ModuleType) -> Iterator[Case]:
    for name, thing in vars(module).items():
        for mark in getattr(thing, "__dict__", {}).get(_MARKS, ()):
            yield Case(
                name=name,
                file=f"{module.__name__.rpartition('.')[2]}.py",
                mark=mark,
                subject=Subject(thing, **mark.fields),
            )
