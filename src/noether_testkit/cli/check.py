"""`noether-testkit check`: judges callbacks."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noether_testkit.cli.config import read_config
from noether_testkit.cli.exit_codes import BROKEN, HELD, KIT_FAULT, USAGE
from noether_testkit.cli.targets import find_callbacks
from noether_testkit.errors import UsageError

if TYPE_CHECKING:
    from noether_testkit.contract import Report


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="judge callbacks by the contract",
        description="Judges callbacks by the contract and reports what would break a real run.",
    )
    parser.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="package.module:Class (or a factory or Subject by its name), package.module, a package, a Python file "
        "or a folder",
    )
    parser.add_argument("--config", metavar="CONFIG", help="config as JSON or YAML, or the path of such a file")
    parser.add_argument(
        "--declare", action="append", default=[], metavar="WORD", help="what the callback does on purpose"
    )
    parser.add_argument("--select", action="append", metavar="CHECK", help="only this check; may be repeated")
    parser.add_argument("--ignore", action="append", metavar="CHECK", help="not this check; may be repeated")
    parser.add_argument("--strict", action="store_true", help="a warning counts as a failure")
    parser.add_argument(
        "--framework", choices=["auto", "fakes", "noether"], default="auto", help="where to train (default: auto)"
    )
    parser.add_argument(
        "--time-limit",
        type=_seconds,
        metavar="SECONDS",
        help="end a check that takes longer, as failed; 0 is no limit (default: 60)",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="how to print (default: text)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the report there instead of printing it")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from noether_testkit.contract.render import as_json, as_text, summary
    from noether_testkit.contract.runner import check_names

    check_names(arguments.select, arguments.ignore, arguments.declare)
    _refuse_unwritable(arguments.output)
    with redirect_stdout(sys.stderr):
        reports, problems = _judge_all(arguments)
    text = as_json(reports) if arguments.format == "json" else "\n\n".join(as_text(report) for report in reports)
    if arguments.output is not None:
        _write(text, arguments.output)
        print("\n".join(summary(report) for report in reports))
    elif text:
        print(text)
    for problem in problems:
        print(f"noether-testkit: {problem}", file=sys.stderr)
    return _exit_code(reports, problems)


def _judge_all(arguments: argparse.Namespace) -> tuple[list[Report], list[UsageError]]:
    """Judges each callback; one that cannot be found or built costs its own report only."""
    from noether_testkit.api import check_callback

    given: dict[str, Any] = {}
    if arguments.config is not None:
        given["config"] = read_config(arguments.config)
    if arguments.declare:
        given["declares"] = arguments.declare
    if arguments.time_limit is not None:
        given["time_limit_s"] = arguments.time_limit
    reports: list[Report] = []
    callbacks, problems = find_callbacks(arguments.targets)
    for callback in callbacks:
        try:
            report = check_callback(
                callback,
                select=arguments.select,
                ignore=arguments.ignore,
                framework=arguments.framework,
                strict=arguments.strict,
                **given,
            )
        except UsageError as problem:
            problems.append(problem)
        else:
            reports.append(report)
    return reports, problems


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds, 0 or more")
    return seconds


def _refuse_unwritable(file: Path | None) -> None:
    """Finds out before the work, not after it, that the report has no place to go."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        reason = "it is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise UsageError(f"The report cannot be written to {file}: {reason}.")


def _write(text: str, file: Path) -> None:
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The report cannot be written to {file}: {error.strerror}.") from None


def _exit_code(reports: list[Report], problems: list[UsageError]) -> int:
    if any("error" in report.counts for report in reports):
        return KIT_FAULT
    if problems:
        return USAGE
    return HELD if all(report.ok for report in reports) else BROKEN
