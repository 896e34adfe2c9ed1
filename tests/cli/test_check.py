"""`noether-testkit check`: what it prints, and how it exits."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Shell

from noether_testkit import check_callback
from noether_testkit.contract import CHECKS, registry

MODES = "leaves-modes-untouched"
ONE = ("--select", MODES)


def test_a_callback_that_holds_exits_with_0(shell: Shell) -> None:
    """The report is printed, and nothing else is said."""
    answer = shell("check", "callbacks:Sound")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1].endswith("the contract holds.")


def test_a_broken_callback_exits_with_1(shell: Shell) -> None:
    """The finding is printed in full, with its place."""
    answer = shell("check", "callbacks:Broken")
    assert (answer.code, answer.err) == (1, "")
    assert f"FAIL  {MODES}" in answer.out
    assert "callbacks.py:" in answer.out
    assert "in Broken.before_training" in answer.out


def test_the_command_of_a_finding_repeats_it(shell: Shell) -> None:
    """What `repeat` says can be typed as it stands."""
    (line,) = [line for line in shell("check", "callbacks:Broken").out.splitlines() if " repeat " in line]
    command = line.split()[1:]
    answer = shell(*command[1:])
    assert answer.code == 1
    assert "1 planned = 1 failed" in answer.out


def test_a_fault_of_the_kit_exits_with_3(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails itself is not held against the callback."""

    def fails(_: object) -> None:
        raise RuntimeError("the check itself is wrong")

    checks = tuple(replace(check, function=fails) if check.name == MODES else check for check in CHECKS)
    monkeypatch.setattr(registry, "CHECKS", checks)
    answer = shell("check", "callbacks:Broken")
    assert answer.code == 3
    assert "the check itself is wrong" in answer.out


def test_a_crash_of_the_shell_itself_exits_with_3(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kit fails outside of a check, it says so and shows the trace."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the kit is wrong")

    monkeypatch.setattr("noether_testkit.api.check_callback", fails)
    answer = shell("check", "callbacks:Sound")
    assert answer.code == 3
    assert "a fault of the kit, please report it" in answer.err


def test_an_interrupt_ends_quietly(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who presses the keys knows why, and needs no trace."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("noether_testkit.api.check_callback", interrupted)
    answer = shell("check", "callbacks:Sound")
    assert (answer.code, answer.err) == (130, "noether-testkit: interrupted.\n")


@pytest.mark.parametrize("config", ['{"every_n_updates": 3, "window": 2}', "{every_n_updates: 3, window: 2}"])
def test_takes_a_config_as_json_or_yaml(shell: Shell, config: str) -> None:
    """The config may stand on the command line."""
    answer = shell("check", "callbacks:Sound", "--config", config)
    assert answer.code == 0
    assert "No config was given" not in answer.out


@pytest.mark.parametrize(
    ("name", "text"), [("c.json", '{"every_n_updates": 3}'), ("c.yaml", "every_n_updates: 3\nwindow: 2\n")]
)
def test_takes_a_config_from_a_file(shell: Shell, project: Path, name: str, text: str) -> None:
    """The config may stand in a file."""
    (project / name).write_text(text)
    answer = shell("check", "callbacks:Sound", "--config", name)
    assert answer.code == 0
    assert "No config was given" not in answer.out


def test_json_is_what_reports_say(shell: Shell) -> None:
    """A program reads the same data from the shell as from Python."""
    answer = shell("check", "callbacks:Broken", "--format", "json")
    from callbacks import Broken  # type: ignore[import-not-found]

    assert answer.code == 1
    assert json.loads(answer.out) == [check_callback(Broken).to_dict()]


def test_json_is_json_whatever_is_printed_while_importing(shell: Shell, project: Path) -> None:
    """Output of the user's modules goes to the error stream."""
    (project / "chatty.py").write_text("print('loading')\nfrom callbacks import Sound\nclass Chatty(Sound): pass\n")
    answer = shell("check", "chatty", "--format", "json", *ONE)
    assert json.loads(answer.out)[0]["subject"] == "Chatty"
    assert answer.err == "loading\n"


def test_json_is_an_empty_list_where_nothing_could_be_judged(shell: Shell) -> None:
    """A program never has to parse a sentence."""
    answer = shell("check", "nowhere:Class", "--format", "json")
    assert (answer.code, json.loads(answer.out)) == (2, [])


@pytest.mark.parametrize("form", ["text", "json"])
def test_writes_the_report_to_a_file(shell: Shell, project: Path, form: str) -> None:
    """The file has what would have been printed, and the shell says how it ended."""
    printed = shell("check", "callbacks:Sound", "--format", form)
    answer = shell("check", "callbacks:Sound", "--format", form, "--output", "report")
    assert (project / "report").read_text() == printed.out
    assert answer.out.splitlines() == ["Sound: " + printed_summary(printed.out, form)]


def printed_summary(text: str, form: str) -> str:
    if form == "text":
        return text.splitlines()[-1].removeprefix("Sound: ")
    (report,) = json.loads(text)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report["counts"].items())
    return f"{report['planned']} planned = {counts}; the contract holds."


@pytest.mark.parametrize(
    ("output", "reason"), [("no/such/report", "there is no folder no/such"), (".", "it is a folder")]
)
def test_says_beforehand_that_a_report_cannot_be_written(shell: Shell, output: str, reason: str) -> None:
    """Nothing is judged for a report that has no place to go."""
    answer = shell("check", "callbacks:Sound", "--output", output)
    assert (answer.code, answer.out) == (2, "")
    assert reason in answer.err


def test_selects_and_ignores(shell: Shell) -> None:
    """Both options may be repeated."""
    answer = shell("check", "callbacks:Broken", *ONE, "--select", "fits-hook-signatures", "--ignore", MODES)
    assert answer.code == 0
    assert "1 planned = 1 passed" in answer.out


def test_declarations_free_from_checks(shell: Shell) -> None:
    """What the callback does on purpose is said by a word."""
    answer = shell("check", "callbacks:Sound", "--declare", "writes-weights", "--declare", "uses-gradients")
    assert answer.code == 0
    assert "The callback declares writes-weights." in answer.out


def test_strict_fails_on_a_warning(shell: Shell) -> None:
    """A risk is told in both cases, and fails in one."""
    lenient, strict = shell("check", "oddities:Risky"), shell("check", "oddities:Risky", "--strict")
    assert (lenient.code, strict.code) == (0, 1)
    assert "warn  survives-a-zero-update-run" in lenient.out


def test_several_targets_have_a_report_each(shell: Shell) -> None:
    """A callback that is named twice is judged once."""
    answer = shell("check", "callbacks:Sound", "callbacks:Broken", "callbacks", "--format", "json", *ONE)
    assert [report["subject"] for report in json.loads(answer.out)] == ["Sound", "Broken"]


def test_one_that_cannot_be_built_costs_no_other_report(shell: Shell) -> None:
    """All that can be judged is judged, the rest is told, and the exit code says that it was not everything."""
    answer = shell("check", "oddities:Greeter", "nowhere", "callbacks:Sound", *ONE)
    assert answer.code == 2
    assert "Sound: 1 planned = 1 passed" in answer.out
    assert [line.split(":")[0] for line in answer.err.splitlines()] == ["noether-testkit"] * 2


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (["callbacks:Sond"], ["callbacks has no class 'Sond'.", "Did you mean 'Sound'?"]),
        (["calbacks:Sound"], ["There is no module 'calbacks'.", "Did you mean 'callbacks'?"]),
        (["callbacks.Sound"], ["There is no module 'callbacks.Sound'", "callbacks:Sound"]),
        (["callbacks:"], ["nothing stands after the colon", "package.module:Class"]),
        ([":Sound"], ["nothing stands before the colon"]),
        ([""], ["'' is no target"]),
        (["my-callbacks"], ["'my-callbacks' is no module name"]),
        (["calbacks.py"], ["There is no file calbacks.py.", "Did you mean 'callbacks.py'"]),
        (["nowhere/"], ["There is no folder nowhere/."]),
        (["oddities:NoCallback"], ["NoCallback is no callback", "CallbackBase", "Greeter, Risky"]),
        (["oddities:number"], ["neither a callback class nor a factory", "Greeter, Risky"]),
        (["oddities:Abstract"], ["Abstract is abstract", "process_data", "Greeter, Risky"]),
        (
            ["oddities:Greeter"],
            ["Greeter needs the argument 'greeting'", "Subject(Greeter, kwargs={'greeting': ...})", "module:NAME"],
        ),
        (["oddities:greeter", "--config", "{}"], ["ready Subject", "config"]),
        (["json"], ["json defines no callback class"]),
        (["callbacks:Sound", "--config", "{window: three}"], ["WindowConfig refuses the config of Sound", "window: "]),
        (["callbacks:Sound", "--config", "{windw: 3}"], ["windw: ", "Did you mean 'window'"]),
        (["callbacks:Sound", "--config", "a: ["], ["neither JSON nor YAML", "line 1"]),
        (["callbacks:Sound", "--config", "3"], ["no mapping, but int"]),
        (["callbacks:Sound", "--config", "missing.yaml"], ["the file missing.yaml, but there is none"]),
        (["callbacks:Broken", "--config", "{every_n_updates: 1}"], ["Broken", "config"]),
        (["callbacks:Sound", "--select", "leaves-mode-untouched"], ["no check", f"Did you mean '{MODES}'"]),
        (["callbacks:Sound", "--ignore", "leaves-mode-untouched"], ["no check", f"Did you mean '{MODES}'"]),
        (["callbacks:Sound", "--select", MODES, "--ignore", MODES], ["No check is left"]),
        (["callbacks:Sound", "--declare", "write-weights"], ["no declaration", "Did you mean 'writes-weights'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_gets_a_sentence(shell: Shell, words: list[str], sentences: list[str]) -> None:
    """Wrong use exits with 2 and says in one line what is wrong, with the nearest names, and without a trace."""
    answer = shell("check", *words)
    assert (answer.code, answer.out) == (2, "")
    assert all(sentence in answer.err for sentence in sentences), answer.err
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("noether-testkit: ")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise RuntimeError('my own fault')", "RuntimeError: my own fault"),
        ("import not_to_be_found", "ModuleNotFoundError: No module named 'not_to_be_found'"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
        ("from callbacks import Nothing", "ImportError: cannot import name 'Nothing'"),
    ],
)
def test_an_import_that_raises_shows_the_users_error(shell: Shell, project: Path, source: str, error: str) -> None:
    """The error is the user's, and is shown with the user's line, and none of the kit's."""
    (project / "faulty.py").write_text(f"{source}\n")
    answer = shell("check", "faulty:Class")
    assert answer.code == 2
    assert "Importing faulty failed; the error comes from the imported code:" in answer.err
    assert error in answer.err
    assert "faulty.py" in answer.err
    assert "noether_testkit" not in answer.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "required: COMMAND"),
        (["chek"], "invalid choice: 'chek'"),
        (["check"], "required: TARGET"),
        (["check", "callbacks", "--format", "xml"], "invalid choice: 'xml'"),
        (["check", "callbacks", "--framework", "torch"], "invalid choice: 'torch'"),
        (["check", "callbacks", "--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_command_line_names_the_help(shell: Shell, words: list[str], sentence: str) -> None:
    """What is missing or unknown is said, and where to read more."""
    answer = shell(*words)
    assert answer.code == 2
    assert sentence in answer.err
    assert "--help" in answer.err


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"], ["list", "--help"]])
def test_help_exits_with_0(shell: Shell, words: list[str]) -> None:
    """Each command explains itself."""
    answer = shell(*words)
    assert answer.code == 0
    assert answer.out.startswith("usage: noether-testkit")


def test_tells_its_version(shell: Shell) -> None:
    """A report of a fault needs the version."""
    from noether_testkit import __version__

    assert shell("--version").out == f"noether-testkit {__version__}\n"


@pytest.mark.usefixtures("install")
def test_a_framework_that_is_not_there_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install, or what to do without."""
    monkeypatch.setitem(sys.modules, "noether", None)
    answer = shell("check", "callbacks:Sound", "--framework", "noether")
    assert answer.code == 2
    assert "not installed here" in answer.err
