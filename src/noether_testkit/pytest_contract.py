"""The contract as pytest tests: a base class and a decorator."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from inspect import getattr_static
from typing import Any, ClassVar

import pytest

from noether_testkit.api import judge_of
from noether_testkit.contract import CHECKS, Check, Judge, Result, Subject, Verdict
from noether_testkit.contract.render import finding_text
from noether_testkit.errors import SubjectError

RECORD = "noether-testkit"
"""Name of the property in which a test item keeps its record, as JSON."""


class ContractWarning(UserWarning):
    """A `should` of the contract is broken."""


class CallbackContract:
    """Base class of a test class that judges one callback, a test a check.

    Set `callback`, and any other field of `Subject`, as class attributes:

        class TestMyCallback(CallbackContract):
            callback = MyCallback
            config = {"every_n_updates": 2}
    """

    callback: ClassVar[Any] = None
    strict: ClassVar[bool] = False
    _judge: ClassVar[_LazyJudge]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._judge = _LazyJudge(lambda: _subject_of(cls))

    @pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
    def test_contract(self, check: Check, request: pytest.FixtureRequest) -> None:
        """Judges the callback by one check."""
        _conclude(self._judge.value.result_of(check), request.node, strict=self.strict)


def contract_tests(*subjects: Any, strict: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Turns a test function with the argument `check` into a test a check.

        @contract_tests(MyCallback, Subject(Other, declares={"writes-weights"}))
        def test_contract(check):
            check()

    Args:
        *subjects: Subjects, callback classes or factories.
        strict: Whether a warning counts as a failure.

    Raises:
        SubjectError: No subject was given.
    """
    if not subjects:
        raise SubjectError("contract_tests needs at least one callback: @contract_tests(MyCallback).")
    ready = [Subject.of(subject) for subject in subjects]
    cases, ids = [], []
    for label, subject in zip(_labels(ready), ready, strict=True):
        judge = _LazyJudge(lambda subject=subject: subject)
        cases += [_Case(judge=judge, check=check, strict=strict) for check in CHECKS]
        ids += [f"{label}{check.name}" for check in CHECKS]

    def decorate(function: Callable[..., Any]) -> Any:
        return pytest.mark.parametrize("check", cases, ids=ids)(pytest.mark.usefixtures("_contract_item")(function))

    return decorate


class _LazyJudge:
    """A judge that is made when the first of its tests runs."""

    def __init__(self, make: Callable[[], Subject]) -> None:
        self._make = make

    @cached_property
    def value(self) -> Judge:
        return judge_of(self._make())


@dataclass(kw_only=True)
class _Case:
    """What a decorated test gets as `check`: call it to judge."""

    judge: _LazyJudge
    check: Check
    strict: bool
    item: pytest.Item | None = None

    @property
    def name(self) -> str:
        return self.check.name

    def result(self) -> Result:
        return self.judge.value.result_of(self.check)

    def __call__(self) -> None:
        _conclude(self.result(), self.item, strict=self.strict)


def _conclude(result: Result, item: pytest.Item | None, *, strict: bool) -> None:
    """Ends a test as its result says, and keeps the record with the test item."""
    if item is not None:
        item.user_properties.append((RECORD, json.dumps(asdict(result))))
    verdict = Verdict(result.outcome)
    if verdict in (Verdict.FAILED, Verdict.UNEXPECTED_PASS, Verdict.ERROR) or (strict and verdict is Verdict.WARNED):
        pytest.fail(finding_text(result), pytrace=False)
    if verdict is Verdict.EXPECTED_FAILURE:
        pytest.xfail(result.seen or "")
    if verdict in (Verdict.SKIPPED, Verdict.NOT_APPLICABLE, Verdict.BLOCKED):
        pytest.skip(f"{result.outcome}: {result.seen}")
    if verdict is Verdict.WARNED:
        warnings.warn(f"\n{finding_text(result)}", ContractWarning, stacklevel=2)


def _subject_of(cls: type[CallbackContract]) -> Subject:
    names = [field.name for field in fields(Subject) if field.name not in ("callback", "_")]
    given = {name: getattr_static(cls, name) for name in names if hasattr(cls, name)}
    callback = getattr_static(cls, "callback")
    callback = callback.__func__ if isinstance(callback, staticmethod) else callback
    if callback is None:
        raise SubjectError(f"{cls.__qualname__} does not say which callback it judges. Set: callback = MyCallback.")
    return Subject.of(callback, **given)


def _labels(subjects: Sequence[Subject]) -> list[str]:
    if len(subjects) == 1:
        return [""]
    names = [subject.label.rpartition(".")[2] for subject in subjects]
    return [f"{name}{'' if names.count(name) == 1 else index}-" for index, name in enumerate(names)]
