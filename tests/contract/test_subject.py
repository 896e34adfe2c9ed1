"""What a subject takes, and what it refuses with a sentence."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from tests.contract.broken_callbacks import Sound

from noether_testkit import FakeRun, Subject, check_callback
from noether_testkit.core.callbacks import CallbackBase, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.errors import SubjectError, TargetError, UnknownNameError, UsageError


class NoCallback:
    pass


def make_sound(**kwargs: Any) -> Sound:
    return Sound(CallBackBaseConfig(every_n_updates=1), **kwargs)


class CallableFactory:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, **kwargs: Any) -> Sound:
        return make_sound(**kwargs)


def test_refuses_a_class_that_is_no_callback() -> None:
    """The sentence names the class and the base class that it lacks."""
    with pytest.raises(TargetError, match="NoCallback is no callback: it does not derive from CallbackBase"):
        Subject(NoCallback)


def test_refuses_an_instance() -> None:
    """Every check needs a fresh callback, so the class is asked for."""
    with FakeRun() as run, pytest.raises(TargetError, match=r"is an instance.*give the class CallbackBase"):
        Subject(CallbackBase(**run.callback_kwargs))


def test_refuses_an_abstract_class() -> None:
    """The sentence names what the class leaves open."""
    with pytest.raises(TargetError, match="abstract and cannot be built: it lacks process_data"):
        Subject(PeriodicDataIteratorCallback)


@pytest.mark.parametrize("thing", [3, "module:Class", None, [Sound]])
def test_refuses_what_makes_no_callback(thing: object) -> None:
    """A thing that cannot be called is neither a class nor a factory."""
    with pytest.raises(TargetError, match="neither a callback class nor a factory"):
        Subject(thing)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"declares": {"write-weights"}}, "There is no declaration 'write-weights'. Did you mean 'writes-weights'?"),
        ({"declares": [3]}, "There is no declaration '3'"),
        ({"declares": 5}, "declares must be a set of words"),
        ({"oracles": {"stop": print}}, "There is no oracle 'stop'. Did you mean 'stops'?"),
        ({"oracles": {"stops": 3}}, r"oracles\['stops'\] must be a function"),
        ({"confg": {}}, "There is no field of a subject named 'confg'. Did you mean 'config'?"),
        ({"config": 3}, "config must be a mapping or a config object"),
        ({"config": CallBackBaseConfig}, "config must be a mapping or a config object"),
        ({"kwargs": [1]}, "kwargs must be a mapping, but is list"),
        ({"kwargs": {1: 2}}, "keys of kwargs must be strings"),
        ({"kwargs": {"trainer": 2}}, "kwargs cannot replace the collaborator 'trainer'"),
        ({"metrics": 3}, "metrics must be a mapping"),
        ({"metrics": {"loss": 3}}, r"metrics\['loss'\] must be a sequence of numbers"),
        ({"metrics": {"loss": []}}, r"metrics\['loss'\] must be a sequence of numbers"),
        ({"metrics": {"loss": "abc"}}, r"metrics\['loss'\] must be a sequence of numbers"),
        ({"model": 3}, "model must be a function"),
        ({"datasets": {}}, "datasets must be a function"),
        ({"loss": 3}, "loss must be a function"),
        ({"companions": [NoCallback]}, "NoCallback is no callback"),
        ({"companions": 3}, "neither a callback class nor a factory"),
        ({"expected_failures": ["leaves-modes-untouched"]}, "expected_failures must be a mapping"),
        ({"expected_failures": {"leaves-modes-untouched": None}}, "must say why"),
    ],
)
def test_refuses_a_field_of_the_wrong_shape(fields: dict[str, Any], sentence: str) -> None:
    """Each field that cannot be used is refused at once, by its name."""
    with pytest.raises(UsageError, match=sentence):
        Subject.of(Sound, **fields)


def test_refuses_fields_beside_a_ready_subject() -> None:
    """Two sources for one field would hide one of them."""
    with pytest.raises(SubjectError, match="together with config"):
        Subject.of(Subject(Sound), config={"every_n_updates": 1})


def test_an_expected_failure_must_name_a_check() -> None:
    """A slip in the name would expect nothing, in silence."""
    with pytest.raises(UnknownNameError, match="Did you mean 'leaves-modes-untouched'"):
        check_callback(Sound, expected_failures={"leaves-mode-untouched": "a slip"}, select=[])


@pytest.mark.parametrize(
    "callback",
    [
        Sound,
        make_sound,
        functools.partial(make_sound),
        lambda **kwargs: Sound(CallBackBaseConfig(every_n_updates=1), **kwargs),
        CallableFactory(),
    ],
    ids=["class", "function", "partial", "lambda", "object"],
)
def test_takes_classes_and_factories_of_all_kinds(callback: Any) -> None:
    """Whatever makes a callback from the collaborators can be judged."""
    check_callback(callback).raise_for_failures()


def test_label_is_the_name_of_what_makes_the_callback() -> None:
    """Reports call a partial by the name of its function, never by its address."""
    assert Subject(functools.partial(make_sound)).label == "make_sound"
    assert Subject(CallableFactory()).label == "CallableFactory"


def test_a_single_word_or_companion_needs_no_list() -> None:
    """One declaration may be a string, and one companion a class."""
    subject = Subject(Sound, declares="writes-weights", companions=CallbackBase)
    assert set(subject.declares) == {"writes-weights"}
    assert [companion.label for companion in subject.companions] == ["CallbackBase"]


def test_later_changes_of_what_was_given_do_not_reach_a_subject() -> None:
    """A subject is data: it keeps copies, and they cannot be changed."""
    metrics = {"loss": [1.0]}
    subject = Subject(Sound, metrics=metrics)
    metrics["other"] = [2.0]
    assert dict(subject.metrics or {}) == {"loss": [1.0]}
    with pytest.raises(TypeError):
        subject.metrics["other"] = [2.0]  # type: ignore[index]
