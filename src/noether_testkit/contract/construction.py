"""Builds the callback of a subject as the framework would."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch

from noether_testkit.contract.compare import snapshot
from noether_testkit.contract.configs import is_config_parameter, resolve_config
from noether_testkit.contract.locate import in_words
from noether_testkit.contract.subject import COLLABORATORS, Subject
from noether_testkit.errors import SubjectError, nearest_sentence
from noether_testkit.fakes.lineage import is_callback_class

Parameters = Mapping[str, inspect.Parameter]


def prepare(subject: Subject) -> None:
    """Makes sure that a subject can be built at all.

    Raises:
        SubjectError: The config is refused by its schema, an argument is missing or unknown, or a factory of
            the subject does not give what it should.
    """
    config = resolve_config(subject)
    _require_model(subject)
    _require_datasets(subject)
    for companion in subject.companions:
        prepare(companion)
    if refused_collaborators(subject):
        return
    parameters = signature(subject)
    _refuse_unknown_arguments(subject, parameters)
    given = {*COLLABORATORS, "name", "callback_config", *(subject.kwargs or ())}
    named = [each for each in parameters.values() if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    if config is not None:
        given.update(each.name for each in named if each is named[0] or is_config_parameter(each, subject.callback))
    for parameter in named:
        if parameter.name not in given and parameter.default is parameter.empty:
            raise _missing(subject, parameter.name)


def build(subject: Subject, collaborators: Mapping[str, Any], *, config: Any = None) -> Any:
    """Builds the callback from its config, a fresh one by default, and from fresh copies of its arguments.

    The config goes first, as in the framework; a constructor without positional parameters gets it by
    keyword, and one that makes its own config gets none.

    Args:
        subject: What to build.
        collaborators: The seven collaborators by keyword.
        config: A config object that `resolve_config` gave.
    """
    config = resolve_config(subject) if config is None else config
    arguments = {**collaborators, **{name: snapshot(value) for name, value in (subject.kwargs or {}).items()}}
    if config is None:
        return subject.callback(**arguments)
    if _takes_positional(signature(subject)):
        return subject.callback(config, **arguments)
    if subject.config is None and "callback_config" not in signature(subject):
        try:
            return subject.callback(**arguments)
        except TypeError as error:
            if "callback_config" not in str(error):
                raise
    return subject.callback(callback_config=config, **arguments)


def signature(subject: Subject) -> Parameters:
    """Returns the parameters of the constructor or factory, without `self`.

    Raises:
        SubjectError: They cannot be found out.
    """
    try:
        return inspect.signature(subject.callback).parameters
    except (TypeError, ValueError) as error:
        raise SubjectError(f"The parameters of {subject.label} cannot be found out: {in_words(error)}.") from None


def refused_collaborators(subject: Subject) -> list[str]:
    """Returns the keywords of the trainer that the constructor does not take."""
    parameters = signature(subject)
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return []
    expected = [*COLLABORATORS, "name"] if is_class(subject) else list(COLLABORATORS)
    return [name for name in expected if name not in parameters]


def is_class(subject: Subject) -> bool:
    """Returns whether the subject is a class rather than a factory."""
    return isinstance(subject.callback, type) and is_callback_class(subject.callback)


def _missing(subject: Subject, argument: str) -> SubjectError:
    return SubjectError(
        f"{subject.label} needs the argument {argument!r}, which the trainer does not give. Pass it: "
        f"Subject({subject.label}, kwargs={{{argument!r}: ...}}). "
        "The shell takes such a Subject by its name, as module:NAME."
    )


def _takes_positional(parameters: Parameters) -> bool:
    """Returns whether a constructor takes anything by position but the collaborators."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(each.kind is each.VAR_POSITIONAL for each in parameters.values()):
        return True
    return any(each.kind in positional and each.name not in (*COLLABORATORS, "name") for each in parameters.values())


def _refuse_unknown_arguments(subject: Subject, parameters: Parameters) -> None:
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for name in subject.kwargs or ():
        if name not in parameters:
            own = [parameter for parameter in parameters if parameter not in (*COLLABORATORS, "name")]
            raise SubjectError(f"{subject.label} takes no argument {name!r}. {nearest_sentence(name, own)}")


def _require_model(subject: Subject) -> None:
    if subject.model is None:
        return
    model = _called("model", subject.model)
    if not isinstance(model, torch.nn.Module):
        raise SubjectError(f"model() answered {type(model).__name__}; it must make a torch.nn.Module.")
    if any(torch.nn.parameter.is_lazy(each) for each in [*model.parameters(), *model.buffers()]):
        raise SubjectError("model() made a lazy module, whose sizes are not known yet; give them in the factory.")


def _require_datasets(subject: Subject) -> None:
    if subject.datasets is None:
        return
    datasets = _called("datasets", subject.datasets)
    if not isinstance(datasets, Mapping) or not all(_is_dataset(each) for each in datasets.values()):
        raise SubjectError(
            "datasets() must answer {key: {name: tensor}}, with tensors (samples, ...) of one length in each data set."
        )


def _is_dataset(tensors: Any) -> bool:
    if not isinstance(tensors, Mapping) or not tensors:
        return False
    are_tensors = all(isinstance(each, torch.Tensor) and each.ndim > 0 for each in tensors.values())
    return are_tensors and len({len(each) for each in tensors.values()}) == 1


def _called(name: str, factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except Exception as error:
        raise SubjectError(f"{name}() raised {in_words(error)}.") from error
