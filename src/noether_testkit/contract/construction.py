"""Builds the callback of a subject as the framework would."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from noether_testkit.contract.subject import Subject
from noether_testkit.errors import SubjectError, nearest_sentence
from noether_testkit.fakes.lineage import is_callback_class

COLLABORATORS = (
    "trainer",
    "model",
    "data_container",
    "tracker",
    "log_writer",
    "checkpoint_writer",
    "metric_property_provider",
)
"""The keywords of the seven collaborators."""

_INTERVAL_LIMITS = {"every_n_updates": (32, 2), "every_n_epochs": (16, 1), "every_n_samples": (64, 4)}
"""For each unit the longest interval that the kit's runs reach twice, and the one that stands in for longer ones."""


def prepare(subject: Subject) -> None:
    """Makes sure that a subject can be built at all.

    Raises:
        SubjectError: The config is refused by its schema, or an argument is missing or unknown.
    """
    config = resolve_config(subject)
    if refused_collaborators(subject):
        return
    parameters = signature(subject)
    given = {*COLLABORATORS, "name", *(subject.kwargs or ())}
    named = [p for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if config is not None:
        given.update(p.name for p in named if p is named[0] or _is_config_annotation(p.annotation, subject.callback))
    _refuse_unknown_arguments(subject, parameters)
    for parameter in named:
        if parameter.name not in given and parameter.default is parameter.empty:
            raise SubjectError(
                f"{subject.label} needs the argument {parameter.name!r}, which the trainer does not give. "
                f"Pass it: kwargs={{{parameter.name!r}: ...}}."
            )
    for companion in subject.companions:
        prepare(companion)


def build(subject: Subject, collaborators: Mapping[str, Any], **more: Any) -> Any:
    """Builds the callback from a fresh copy of its config.

    Args:
        subject: What to build.
        collaborators: The seven collaborators by keyword.
        **more: Further keywords, such as `name`.
    """
    config = resolve_config(subject)
    arguments = {**collaborators, **copy.deepcopy(dict(subject.kwargs or {})), **more}
    return subject.callback(**arguments) if config is None else subject.callback(config, **arguments)


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


def _too_long(config: Any) -> dict[str, tuple[int, int]]:
    return {
        name: (value, short)
        for name, (longest, short) in _INTERVAL_LIMITS.items()
        if isinstance(value := getattr(config, name, None), int) and value > longest
    }


def _given_config(subject: Subject) -> Any:
    schema = config_class(subject.callback)
    if subject.config is None:
        return None if schema is None else _default_config(subject, schema)
    if not isinstance(subject.config, Mapping):
        return copy.deepcopy(subject.config)
    if schema is None:
        raise SubjectError(
            f"{subject.label} was given a config, but its constructor has no parameter annotated with a config "
            "class. Annotate the first one with a class derived from CallBackBaseConfig, or give a config object."
        )
    try:
        return schema.model_validate(dict(subject.config))
    except ValidationError as error:
        raise SubjectError(_refusal(subject, schema, error)) from None


def chosen_values(subject: Subject) -> dict[str, Any]:
    """Returns the config values that the kit chose because the subject has no config and its schema no default."""
    schema = config_class(subject.callback)
    return {} if subject.config is not None or schema is None else _default_values(subject, schema)


@lru_cache(maxsize=256)
def config_class(callback: Any) -> type[BaseModel] | None:
    """Returns the config class of a callback: the first annotated parameter that is one."""
    owners = (
        [base for base in callback.__mro__ if "__init__" in vars(base)] if isinstance(callback, type) else [callback]
    )
    for owner in owners:
        function = vars(owner)["__init__"] if isinstance(owner, type) else owner
        for annotation in getattr(function, "__annotations__", {}).values():
            resolved = _resolve(annotation, function)
            if isinstance(resolved, type) and _is_config_class(resolved):
                return resolved
    return None


def signature(subject: Subject) -> dict[str, inspect.Parameter]:
    """Returns the parameters of the constructor or factory, without `self`."""
    return dict(inspect.signature(subject.callback).parameters)


def refused_collaborators(subject: Subject) -> list[str]:
    """Returns the keywords of the trainer that the constructor does not take."""
    parameters = signature(subject)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return []
    expected = [*COLLABORATORS, "name"] if is_class(subject) else list(COLLABORATORS)
    return [name for name in expected if name not in parameters]


def is_class(subject: Subject) -> bool:
    """Returns whether the subject is a class rather than a factory."""
    return isinstance(subject.callback, type) and is_callback_class(subject.callback)


def _default_config(subject: Subject, schema: type[BaseModel]) -> BaseModel:
    return schema.model_validate(_default_values(subject, schema))


def _default_values(subject: Subject, schema: type[BaseModel]) -> dict[str, Any]:
    """Returns the fewest values that the schema takes: none, a data set, and an interval."""
    dataset = {"dataset_key": "test"} if _is_required(schema, "dataset_key") else {}
    interval = {"every_n_epochs": 1} if dataset else {"every_n_updates": 2}
    for values in (dataset, {**dataset, **interval}):
        try:
            schema.model_validate(values)
        except ValidationError as error:
            refused = error
        else:
            return values
    raise SubjectError(
        f"{subject.label} needs a config of {schema.__name__}, and an interval alone does not do: "
        f"{_fields(schema, refused)} Pass it: config={{...}}."
    )


def _refusal(subject: Subject, schema: type[BaseModel], error: ValidationError) -> str:
    return f"{schema.__name__} refuses the config of {subject.label}: {_fields(schema, error)}"


def _fields(schema: type[BaseModel], error: ValidationError) -> str:
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ").rstrip(".")
        hint = f" {nearest_sentence(name, schema.model_fields)}" if problem["type"] == "extra_forbidden" else ""
        sentences.append(f"{name}: {text}.{hint}" if name else f"{text}.")
    return " ".join(sentences)


def _refuse_unknown_arguments(subject: Subject, parameters: Mapping[str, inspect.Parameter]) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in subject.kwargs or ():
        if name not in parameters:
            own = [parameter for parameter in parameters if parameter not in (*COLLABORATORS, "name")]
            raise SubjectError(f"{subject.label} takes no argument {name!r}. {nearest_sentence(name, own)}")


def _is_config_annotation(annotation: Any, callback: Any) -> bool:
    function = getattr(callback, "__init__", callback) if isinstance(callback, type) else callback
    resolved = _resolve(annotation, function)
    return isinstance(resolved, type) and _is_config_class(resolved)


def _resolve(annotation: Any, function: Any) -> Any:
    if not isinstance(annotation, str):
        return annotation
    function = inspect.unwrap(function)
    scope = (
        {**vars(sys.modules.get(function.__module__, object())), **_closure(function)} if function.__module__ else {}
    )
    try:
        return eval(annotation, scope)  # noqa: S307 - an annotation of the user's own code
    except Exception:  # noqa: BLE001 - an annotation that only a type checker can read is no config class
        return None


def _closure(function: Any) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):
        return {}


def _is_config_class(cls: type) -> bool:
    return any(base.__name__ == "CallBackBaseConfig" for base in cls.__mro__)


def _is_required(schema: type[BaseModel], name: str) -> bool:
    return name in schema.model_fields and schema.model_fields[name].is_required()
