"""The contract as pytest tests: a base class and a decorator."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from inspect import getattr_static, getsourcefile, getsourcelines
from typing import Any, ClassVar

import pytest

from noether_testkit.api import judge_of
from noether_testkit.contract import CHECKS, Check, Judge, Result, Subject, Verdict
from noether_testkit.contract.render import finding_text
from noether_testkit.errors import SubjectError, UsageError, nearest_names

_FIELDS = tuple(field.name for field in fields(Subject) if field.name not in ("callback", "_"))

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
        _conclude(self._judge.result_of(check), request.node, strict=self.strict)


def contract_tests(*subjects: Any, strict: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Turns a test function with the argument `check` into a test a check.

        @contract_tests(MyCallback, Subject(Other, declares={"writes-weights"}))
        def test_contract(check):
            check()

    Args:
        *subjects: Subjects, callback classes or factories.
        strict: Whether a warning counts as a failure.

    Raises:
        UsageError: No subject was given, or one that cannot be judged.
    """
    __tracebackhide__ = True
    if not subjects:
        raise SubjectError("contract_tests needs at least one callback: @contract_tests(MyCallback).")
    ready = _subjects_of(subjects)
    cases, ids = [], []
    for label, subject in zip(_labels(ready), ready, strict=True):
        judge = _LazyJudge(partial(Subject.of, subject))
        cases += [_Case(judge=judge, check=check, strict=strict) for check in CHECKS]
        ids += [f"{label}{check.name}" for check in CHECKS]

    def decorate(function: Callable[..., Any]) -> Any:
        return pytest.mark.parametrize("check", cases, ids=ids)(pytest.mark.usefixtures("_contract_item")(function))

    return decorate


class _LazyJudge:
    """A judge that is made when the first of its tests runs."""

    def __init__(self, make: Callable[[], Subject]) -> None:
        self._make = make

    def result_of(self, check: Check) -> Result:
        """Returns the result of a check; a subject that cannot be built fails the test with a sentence only."""
        judge = self._judge
        if isinstance(judge, UsageError):
            pytest.fail(str(judge), pytrace=False)
        return judge.result_of(check)

    @cached_property
    def _judge(self) -> Judge | UsageError:
        try:
            return judge_of(self._make())
        except UsageError as error:
            return error


@dataclass(kw_only=True)
class _Case:
    """What a decorated test gets as `check`: call it to judge.

    Attributes:
        judge: Judges the subject.
        check: The check.
        strict: Whether a warning counts as a failure.
        item: The test item that is running.
    """

    judge: _LazyJudge
    check: Check
    strict: bool
    item: pytest.Item | None = None

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.name

    def result(self) -> Result:
        """Returns the result, for a test that looks at it on its own."""
        return self.judge.result_of(self.check)

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
    if verdict is Verdict.BLOCKED and not result.tolerated and not _is_judged_here(result.blocked_by, item):
        pytest.fail(f"{result.check} is blocked: {result.seen}", pytrace=False)
    if verdict in (Verdict.SKIPPED, Verdict.NOT_APPLICABLE, Verdict.BLOCKED):
        pytest.skip(f"{result.outcome}: {result.seen}")
    if verdict is Verdict.WARNED:
        _warn(finding_text(result), item)
    if verdict is Verdict.ADVISED and item is not None:
        item.add_report_section("call", RECORD, finding_text(result))


def _warn(text: str, item: pytest.Item | None) -> None:
    """Warns at the place of the test; where warnings are errors, fails with the finding only."""
    file, line = _place_of(item)
    try:
        warnings.warn_explicit(f"\n{text}", ContractWarning, filename=file, lineno=line)
    except ContractWarning:
        is_error = True
    else:
        is_error = False
    if is_error:
        pytest.fail(text, pytrace=False)


def _place_of(item: pytest.Item | None) -> tuple[str, int]:
    """Returns the file and line of the test class, or of the test function."""
    test: Any = getattr(item, "cls", None) or getattr(item, "function", _place_of)
    try:
        return str(getsourcefile(test)), getsourcelines(test)[1]
    except (OSError, TypeError):
        return __file__, 1


def _subject_of(cls: type[CallbackContract]) -> Subject:
    """Returns the subject that the class attributes of a test class describe."""
    _refuse_slips(cls)
    given = {name: _attribute(cls, name) for name in _FIELDS if hasattr(cls, name)}
    callback = _attribute(cls, "callback")
    if callback is None:
        raise SubjectError(f"{cls.__qualname__} does not say which callback it judges. Set: callback = MyCallback.")
    return Subject.of(callback, **given)


def _attribute(cls: type, name: str) -> Any:
    value = getattr_static(cls, name)
    return value.__func__ if isinstance(value, staticmethod) else value


def _refuse_slips(cls: type) -> None:
    """Refuses an attribute that is one slip away from a field: the field would be missing in silence."""
    known = (*_FIELDS, "callback", "strict")
    for name in {name for owner in cls.__mro__ for name in vars(owner)} - {*known, *dir(CallbackContract)}:
        near = nearest_names(name, known, count=1, cutoff=0.85)
        if near:
            raise SubjectError(
                f"{cls.__qualname__} has the attribute {name!r}, which no contract reads. Did you mean {near[0]!r}?"
            )


def _subjects_of(things: Sequence[Any]) -> list[Subject]:
    __tracebackhide__ = True
    try:
        return [Subject.of(thing) for thing in things]
    except UsageError as error:
        raise error.with_traceback(None) from None


def _labels(subjects: Sequence[Subject]) -> list[str]:
    if len(subjects) == 1:
        return [""]
    names = [subject.label.rpartition(".")[2] for subject in subjects]
    return [f"{name}{'' if names.count(name) == 1 else index}-" for index, name in enumerate(names)]


def _is_judged_here(check: str | None, item: pytest.Item | None) -> bool:
    """Returns whether a test of this session fails for the check that blocks another one."""
    return item is not None and any(str(check) in other.name for other in item.session.items)
