"""`noether-testkit doctor`: what the kit finds here, and what to do about it."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from noether_testkit.cli.exit_codes import BROKEN, HELD

if TYPE_CHECKING:
    from noether_testkit.cli.diagnosis import Observation

_WIDTH = 110
_INDENT = 13


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="look whether everything is in place here",
        description="Tells which Python, torch and framework are here, where callbacks would be trained, where the "
        "fakes differ from the installed framework, what interferes, and what to do. Exit code 1 says that there is "
        "something to do.",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="how to print (default: text)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from noether_testkit.cli.diagnosis import diagnose

    observations = list(diagnose())
    problems = sum(observation.is_problem for observation in observations)
    if arguments.format == "json":
        print(json.dumps([asdict(observation) for observation in observations], indent=2))
    else:
        for observation in observations:
            print(_as_text(observation))
        print(f"\n{_verdict(problems)}")
    return BROKEN if problems else HELD


def _verdict(problems: int) -> str:
    if not problems:
        return "Everything is in place."
    return f"{problems} thing{'s' if problems > 1 else ''} to do, marked with an exclamation mark."


def _as_text(observation: Observation) -> str:
    mark = "!" if observation.is_problem else " "
    lines = [_wrapped(f"{mark} {observation.topic:<{_INDENT - 2}}", observation.seen)]
    lines += [_wrapped(f"{' ' * _INDENT}- ", line) for line in observation.details]
    if observation.advice is not None:
        lines.append(_wrapped(f"{' ' * _INDENT}to do: ", observation.advice))
    return "\n".join(lines)


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
