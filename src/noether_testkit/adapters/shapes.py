"""What can be seen of a class without calling it: names, kinds of members, parameters and fields."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel
from torch import nn

_LIBRARIES = ("abc", "builtins", "enum", "pydantic", "torch", "typing")
"""Names that come from there are no names of the framework."""

_OF_EACH_MODULE = frozenset(vars(nn.Module()))
"""What each `nn.Module` gets in its constructor."""


def fields_of(cls: type) -> dict[str, str]:
    """Returns the fields of a config class as they are written, by name; none for other classes."""
    if not issubclass(cls, BaseModel):
        return {}
    return {
        name: f"{name}: {_plain(field.annotation)}{'' if field.is_required() else f' = {field.default!r}'}"
        for name, field in cls.model_fields.items()
    }


def public_names(cls: type, example: Any) -> set[str]:
    """Returns the public names that a class and an object of it have, without those of libraries."""
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in _LIBRARIES]
    names = {name for base in bases for name in vars(base)}
    names |= set(getattr(cls, "model_fields", ())) | set(getattr(cls, "__dataclass_fields__", ()))
    if example is not None:
        added = [vars(base) for base in type(example).__mro__ if base not in cls.__mro__]
        # A descriptor only looks at what the framework sets.
        made_by_kit = {name for names in added for name, value in names.items() if not inspect.isdatadescriptor(value)}
        names |= set(getattr(example, "__dict__", ())) - made_by_kit
    return {name for name in names if not name.startswith("_") and name not in _OF_EACH_MODULE}


def kind_of(member: Any, *, exact: bool = True) -> str:
    """Returns what a member of a class is; inexactly, all that is called is a method."""
    if isinstance(member, staticmethod):
        return "static method" if exact else "method"
    if isinstance(member, classmethod):
        return "class method" if exact else "method"
    return "method" if inspect.isroutine(member) else "attribute"


def parameters_of(cls: type, name: str, ignored: Collection[str] = ()) -> list[str]:
    """Returns the parameters of a method as they are written, without `self`; the order of keywords does not count."""
    try:
        parameters = list(inspect.signature(getattr(cls, name)).parameters.values())
    except (TypeError, ValueError):
        return ["unknown"]
    if inspect.isfunction(inspect.getattr_static(cls, name)):
        parameters = parameters[1:]
    parameters = [each for each in parameters if each.name not in ignored]
    ordered = [_written(each) for each in parameters if each.kind is not each.KEYWORD_ONLY]
    named = sorted(_written(each) for each in parameters if each.kind is each.KEYWORD_ONLY)
    return [*ordered, *named]


def _written(parameter: inspect.Parameter) -> str:
    default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
    match parameter.kind:
        case parameter.VAR_POSITIONAL:
            return "*args"
        case parameter.VAR_KEYWORD:
            return "**kwargs"
        case parameter.KEYWORD_ONLY:
            return f"{parameter.name}{default} by keyword"
        case parameter.POSITIONAL_ONLY:
            return f"{parameter.name}{default} by position"
        case _:
            return f"{parameter.name}{default}"


def _plain(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
