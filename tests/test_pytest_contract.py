"""The contract as pytest tests: ids, outcomes, and sentences where the use is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from tests.contract import broken_callbacks

from noether_testkit import CallbackContract, Subject, check_callback, contract_tests
from noether_testkit.contract import CHECKS
from noether_testkit.errors import SubjectError, TargetError

NAMES = [check.name for check in CHECKS]
MODES = "leaves-modes-untouched"
ZERO = "survives-a-zero-update-run"

CALLBACKS = """
class Risky(CallbackBase):
    def after_training(self, *, update_counter):
        1 / update_counter.update

class Greeter(CallbackBase):
    def __init__(self, greeting, **kwargs):
        super().__init__(**kwargs)

class NoCallback:
    pass

def make_sound(**kwargs):
    return Sound(CallBackBaseConfig(every_n_updates=1), **kwargs)
"""


class Session(NamedTuple):
    """What a pytest run in a project answered."""

    code: int
    out: str

    @property
    def counts(self) -> str:
        return self.out.strip().splitlines()[-1].rpartition(" in ")[0]


Run = Callable[..., Session]
HEAD = """
import pytest
from noether_testkit import CallbackContract, Subject, contract_tests
from callbacks import *
"""
KNOWN = f"    expected_failures = {{'{MODES}': 'see issue 12'}}\n"


@pytest.fixture(scope="module")
def _warm() -> None:
    """Loads what torch loads late, once: a run inside of this process forgets what it was the first to import."""
    check_callback(broken_callbacks.Sound)


@pytest.fixture
def run(pytester: pytest.Pytester, _warm: None) -> Run:
    """Runs pytest in a project with callbacks."""
    source = Path(broken_callbacks.__file__).read_text(encoding="utf-8")
    pytester.makepyfile(callbacks=source + CALLBACKS)
    pytester.syspathinsert()

    def run_pytest(tests: str, *options: str) -> Session:
        (pytester.path / "test_it.py").write_text(HEAD + tests)
        result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", *options)
        assert result.errlines == []
        return Session(int(result.ret), "\n".join(result.outlines))

    return run_pytest


class TestSound(CallbackContract):
    """A class in this very suite: the route is used as users use it."""

    callback = broken_callbacks.Sound
    config = {"every_n_updates": 2}  # noqa: RUF012
    strict = True


class TestExpected(CallbackContract):
    """Known failures, and fields in all their forms."""

    callback = broken_callbacks.LeavesTrainMode
    expected_failures = {MODES: "see issue 12"}  # noqa: RUF012
    metrics = {"loss": staticmethod(lambda update: 1 / update)}  # noqa: RUF012


@contract_tests(broken_callbacks.Sound, Subject(broken_callbacks.Sound, config={"every_n_epochs": 1}))
def test_two_subjects(check: object) -> None:
    """The decorator, as users use it."""
    check()  # type: ignore[operator]


def test_ids_are_the_names_of_the_checks() -> None:
    """Users select by these names, so that they are the same in class and decorator."""
    (mark,) = CallbackContract.test_contract.pytestmark  # type: ignore[attr-defined]
    assert list(mark.kwargs["ids"]) == NAMES

    @contract_tests(broken_callbacks.Sound)
    def test_contract(check: object) -> None:
        """Is only looked at."""

    marks = {mark.name: mark for mark in test_contract.pytestmark}
    assert list(marks["parametrize"].kwargs["ids"]) == NAMES


def test_several_subjects_are_told_apart_by_name() -> None:
    """Each id begins with the callback, and with a number where two have one name."""
    subjects = (broken_callbacks.Sound, broken_callbacks.LeavesTrainMode, Subject(broken_callbacks.Sound))

    @contract_tests(*subjects)
    def test_contract(check: object) -> None:
        """Is only looked at."""

    marks = {mark.name: mark for mark in test_contract.pytestmark}
    ids = list(marks["parametrize"].kwargs["ids"])
    assert len(ids) == len(set(ids)) == 3 * len(NAMES)
    assert [name for name in ids if name.endswith(MODES)] == [
        f"Sound0-{MODES}",
        f"LeavesTrainMode-{MODES}",
        f"Sound2-{MODES}",
    ]


def test_a_decorator_without_a_callback_is_refused() -> None:
    """A test without a subject would judge nothing."""
    with pytest.raises(SubjectError, match="at least one callback"):
        contract_tests()


def test_a_decorator_refuses_what_is_no_callback() -> None:
    """The error is the one of the other routes."""
    with pytest.raises(TargetError, match="is no callback"):
        contract_tests(int)


def test_outcomes_become_those_of_pytest(run: Run) -> None:
    """Failures fail, known failures are expected, what does not apply is skipped, and the rest passes."""
    session = run(
        "class TestBroken(CallbackContract):\n    callback = LeavesTrainMode\n"
        f"class TestKnown(CallbackContract):\n    callback = LeavesTrainMode\n{KNOWN}"
        f"class TestSurprise(CallbackContract):\n    callback = Sound\n{KNOWN}"
        "class TestDeclared(CallbackContract):\n    callback = Sound\n    declares = {'writes-weights'}\n",
        "-k",
        f"{MODES} or leaves-weights-untouched",
    )
    assert session.code == 1
    assert [part for part in session.counts.split(", ") if "deselected" not in part] == [
        "2 failed",
        "4 passed",
        "1 skipped",
        "1 xfailed",
    ]


def test_a_failure_is_the_finding_and_nothing_else(run: Run) -> None:
    """No frame of the kit stands between a user and the finding."""
    session = run("class TestBroken(CallbackContract):\n    callback = LeavesTrainMode\n", "-k", MODES)
    assert f"FAIL  {MODES} (must): The callback leaves" in session.out
    assert "LeavesTrainMode.before_training" in session.out
    assert "Error" not in session.out
    assert "pytest_contract.py" not in session.out


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        ("class TestIt(CallbackContract):\n    callback = NoCallback\n", "NoCallback is no callback"),
        ("class TestIt(CallbackContract):\n    callback = Greeter\n", "Greeter needs the argument 'greeting'"),
        (
            "class TestIt(CallbackContract):\n    callback = Sound\n    config = {'every_n': 1}\n",
            "every_n: Extra inputs",
        ),
        ("class TestIt(CallbackContract):\n    callback = Sound\n    confg = {}\n", "Did you mean 'config'?"),
        (
            "class TestIt(CallbackContract):\n    callback = Sound\n    declares = {'notify'}\n",
            "Did you mean 'notifies'?",
        ),
        ("class TestIt(CallbackContract):\n    config = {}\n", "TestIt does not say which callback it judges"),
        ("@contract_tests(Greeter)\ndef test_it(check):\n    check()\n", "Greeter needs the argument 'greeting'"),
    ],
)
def test_wrong_use_fails_with_one_sentence(run: Run, tests: str, sentence: str) -> None:
    """A test that cannot be set up says why in a line or two, without a trace."""
    session = run(tests, "-k", MODES)
    failure = session.out.partition("FAILURES")[2].partition("short test summary")[0]
    assert session.counts.startswith("1 failed")
    assert sentence in failure
    assert len(failure.strip("=\n ").splitlines()) == 2


def test_wrong_use_of_the_decorator_shows_the_users_line(run: Run) -> None:
    """The module cannot be collected; the place is the user's, and no frame is the kit's."""
    session = run("@contract_tests(NoCallback)\ndef test_it(check):\n    check()\n")
    assert session.code == 2
    assert "@contract_tests(NoCallback)" in session.out
    assert "NoCallback is no callback" in session.out
    assert "noether_testkit/" not in session.out


def test_a_broken_should_warns_at_the_test(run: Run) -> None:
    """The finding is in the summary of warnings, with the file and line of the user's class."""
    session = run("class TestRisky(CallbackContract):\n    callback = Risky\n", "-k", ZERO, "-W", "default")
    assert session.code == 0
    assert "test_it.py:5: ContractWarning:" in session.out
    assert f"warn  {ZERO} (should)" in session.out


@pytest.mark.parametrize("options", [("-W", "error"), ("-W", "error::noether_testkit.pytest_contract.ContractWarning")])
def test_a_warning_that_is_an_error_fails_with_the_finding(run: Run, options: tuple[str, str]) -> None:
    """Where warnings are errors, the finding is shown as for a failure, and only once."""
    # Without pytest's own summary, which repeats the whole message where the variable CI is set.
    session = run("class TestRisky(CallbackContract):\n    callback = Risky\n", "-k", ZERO, "-rN", *options)
    assert session.code == 1
    assert session.out.count(f"warn  {ZERO} (should)") == 1
    assert "Traceback" not in session.out
    assert "During handling" not in session.out


@pytest.mark.parametrize(
    "tests",
    [
        "class TestRisky(CallbackContract):\n    callback = Risky\n    strict = True\n",
        "@contract_tests(Risky, strict=True)\ndef test_it(check):\n    check()\n",
    ],
)
def test_strict_turns_a_warning_into_a_failure(run: Run, tests: str) -> None:
    """Class and decorator both know `strict`."""
    assert run(tests, "-k", ZERO).counts.startswith("1 failed")


def test_test_classes_inherit(run: Run) -> None:
    """A base class of a project holds what its test classes share, and judges nothing itself."""
    session = run(
        "class Ours(CallbackContract):\n    config = {'every_n_updates': 1}\n    strict = True\n"
        "class TestSound(Ours):\n    callback = Sound\n"
        "class TestFactory(CallbackContract):\n    callback = make_sound\n",
        "-k",
        MODES,
    )
    assert session.counts.startswith("2 passed")


def test_a_user_may_do_something_around_each_check(run: Run) -> None:
    """The decorated function decides what happens, and sees the name and the result."""
    session = run(
        "@contract_tests(LeavesTrainMode)\n"
        "def test_it(check):\n"
        f"    if check.name == '{MODES}':\n"
        "        assert check.result().outcome == 'failed'\n"
        "        pytest.skip('known here')\n"
        "    check()\n",
        "-k",
        f"{MODES} or {ZERO}",
    )
    assert session.code == 0
    assert "1 skipped" in session.counts


def test_the_record_is_kept_with_the_item(run: Run, pytester: pytest.Pytester) -> None:
    """Reports of pytest carry the whole record, in JUnit's XML for example."""
    run("class TestBroken(CallbackContract):\n    callback = LeavesTrainMode\n", "-k", MODES, "--junitxml", "junit.xml")
    (property_,) = ET.parse(pytester.path / "junit.xml").getroot().iter("property")
    assert property_.get("name") == "noether-testkit"
    assert json.loads(str(property_.get("value")))["check"] == MODES


def test_results_do_not_depend_on_which_tests_run(run: Run) -> None:
    """A check whose cause was not selected is still told as blocked by it."""
    session = run(
        "class NoSeven(CallbackBase):\n    def __init__(self): pass\n"
        "class TestIt(CallbackContract):\n    callback = NoSeven\n",
        "-k",
        MODES,
        "-rs",
    )
    assert "blocked: accepts-the-collaborators has to hold first." in session.out
