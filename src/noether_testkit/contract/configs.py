"""The config of a subject: found, validated, and fitted to short runs."""

from __future__ import annotations

import copy
import functools
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from noether_testkit.contract.locate import in_words
from noether_testkit.contract.subject import COLLABORATORS, Subject
from noether_testkit.errors import SubjectError, nearest_sentence

_INTERVAL_LIMITS = {"every_n_updates": (16, 2), "every_n_epochs": (16, 1), "every_n_samples": (32, 4)}
"""For each unit the longest interval that is due four times in a run, and the one that stands in for longer ones."""


def resolve_config(subject: Subject) -> Any:
    """Returns a fresh config object, with an interval that short runs reach, or `None` for a callback without one.

    Raises:
        SubjectError: The schema refuses the config, or there is no schema to validate it.
    """
    config = _given_config(subject)
    for name, (_, short) in _too_long(config).items():
        object.__setattr__(config, name, short)
    return config


def shortened_intervals(subject: Subject) -> dict[str, tuple[int, int]]:
    """Returns the intervals that are too long for the kit's runs: as given, and as used instead."""
    return _too_long(_given_config(subject))


def chosen_values(subject: Subject) -> dict[str, Any]:
    """Returns the config values that the kit chose because the subject has no config and its schema no default."""
    if subject.config is not None or not _asks_for_config(subject.callback):
        return {}
    schema = config_class(subject.callback)
    return {} if schema is None else _default_values(subject, schema)


def config_class(callback: Any) -> type[BaseModel] | None:
    """Returns the config class of a callback: that of the first annotated parameter which has one.

    Raises:
        SubjectError: The annotation of the first parameter cannot be read at run time.
    """
    return _config_class(callback) if isinstance(callback, type) else _read_config_class(callback)


@functools.lru_cache(maxsize=32)
def _config_class(callback: type) -> type[BaseModel] | None:
    """Reads the annotations of a class once: each run asks for them."""
    return _read_config_class(callback)


def _read_config_class(callback: Any) -> type[BaseModel] | None:
    for function in _constructors(callback):
        parameters = [each for each in _parameters(function).values() if each.name != "self"]
        for parameter in parameters:
            schema = _schema_in(_resolve(parameter.annotation, function))
            if schema is not None:
                return schema
        _require_readable(parameters[:1], function, callback)
    return None


def is_config_parameter(parameter: inspect.Parameter, callback: Any) -> bool:
    """Returns whether a parameter of the constructor is annotated with a config class."""
    function = next(_constructors(callback))
    return _schema_in(_resolve(parameter.annotation, function)) is not None


def _asks_for_config(callback: Any) -> bool:
    """Returns whether the constructor has a parameter for a config, rather than handing on what it gets."""
    named = [each for each in _parameters(callback).values() if each.kind is not each.VAR_KEYWORD]
    return any(each.name not in (*COLLABORATORS, "name") for each in named)


def _given_config(subject: Subject) -> Any:
    if subject.config is not None and not isinstance(subject.config, Mapping):
        return copy.deepcopy(subject.config)
    schema = config_class(subject.callback)
    if subject.config is None:
        return None if schema is None else schema.model_validate(_default_values(subject, schema))
    if schema is None:
        raise SubjectError(
            f"{subject.label} was given a config, but its constructor has no parameter annotated with a config "
            "class. Annotate the first one with a class derived from CallBackBaseConfig, or give a config object."
        )
    return _validated(subject, schema, copy.deepcopy(dict(subject.config)))


def _validated(subject: Subject, schema: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        problem = _problems(schema, error)
    except Exception as error:  # noqa: BLE001 - a validator of the user's may raise anything
        problem = f"it raised {in_words(error)}."
    raise SubjectError(f"{schema.__name__} refuses the config of {subject.label}: {problem}")


def _default_values(subject: Subject, schema: type[BaseModel]) -> dict[str, Any]:
    """Returns the fewest values that the schema takes: none, a data set, and an interval."""
    field = schema.model_fields.get("dataset_key")
    dataset = {"dataset_key": "test"} if field is not None and field.is_required() else {}
    interval = {"every_n_epochs": 1} if dataset else {"every_n_updates": 2}
    try:
        schema.model_validate(dataset)
    except Exception:  # noqa: BLE001 - tried again with an interval
        values = {**dataset, **interval}
    else:
        return dataset
    try:
        _validated(subject, schema, values)
    except SubjectError as error:
        raise SubjectError(
            f"{subject.label} needs a config, and {_shown(values)} alone does not do. {error} Pass it: "
            "config={...}, in the shell --config '{...}'."
        ) from None
    return values


def _too_long(config: Any) -> dict[str, tuple[int, int]]:
    return {
        name: (value, short)
        for name, (longest, short) in _INTERVAL_LIMITS.items()
        if isinstance(value := getattr(config, name, None), int) and value > longest
    }


def _problems(schema: type[BaseModel], error: ValidationError) -> str:
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ").rstrip(".")
        hint = f" {nearest_sentence(name, schema.model_fields)}" if problem["type"] == "extra_forbidden" else ""
        sentences.append(f"{name}: {text}.{hint}" if name else f"{text}.")
    return " ".join(sentences)


def _require_readable(first: list[inspect.Parameter], function: Any, callback: Any) -> None:
    """A first parameter that may be the config, with a text for annotation, must be readable."""
    for parameter in first:
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.name in (*COLLABORATORS, "name"):
            continue
        if isinstance(parameter.annotation, str) and _resolve(parameter.annotation, function) is None:
            raise SubjectError(
                f"The annotation {parameter.annotation!r} of the parameter {parameter.name!r} of "
                f"{getattr(callback, '__qualname__', callback)} cannot be read at run time, so neither the kit nor the "
                "framework finds the config class. Import it outside of TYPE_CHECKING, under that name."
            )


def _constructors(callback: Any) -> Iterator[Any]:
    """Yields the functions that may name the config class: constructors, the most derived first, or the factory."""
    if isinstance(callback, functools.partial):
        yield from _constructors(callback.func)
    elif isinstance(callback, type):
        yield from (vars(base)["__init__"] for base in callback.__mro__ if "__init__" in vars(base))
    else:
        yield callback


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yields the types that an annotation stands for: those of a union, and what `Annotated` wraps."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        for part in typing.get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _resolve(annotation: Any, function: Any) -> Any:
    """Returns what an annotation stands for, or `None` where its text cannot be read."""
    if not isinstance(annotation, str):
        return annotation
    function = inspect.unwrap(function)
    scope = {**getattr(function, "__globals__", {}), **_closure(function)}
    try:
        resolved = eval(annotation, scope)  # noqa: S307 - an annotation of the user's own code
        return eval(resolved, scope) if isinstance(resolved, str) else resolved  # noqa: S307 - a quoted one
    except Exception:  # noqa: BLE001 - only a type checker can read it
        return None


def _closure(function: Any) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):
        return {}


def _schema_in(annotation: Any) -> type[BaseModel] | None:
    """Returns the config class among the types that an annotation stands for."""
    for each in _alternatives(annotation):
        if isinstance(each, type) and any(base.__name__ == "CallBackBaseConfig" for base in each.__mro__):
            return each
    return None


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def fields_of(config: Any) -> dict[str, Any]:
    """Returns the fields of a config object by name; none where there is no config."""
    if isinstance(config, BaseModel):
        return {name: getattr(config, name) for name in type(config).model_fields if name in vars(config)}
    return dict(vars(config)) if hasattr(config, "__dict__") else {}
