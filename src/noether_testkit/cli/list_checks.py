"""`noether-testkit list`: all checks, with their force and promise."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from noether_testkit.cli.exit_codes import HELD

if TYPE_CHECKING:
    from noether_testkit.contract import Check


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("list", help="list all checks", description="Lists all checks and what they promise.")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="how to print (default: text)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from noether_testkit.contract import CHECKS

    if arguments.format == "json":
        print(json.dumps([_record(check) for check in CHECKS], indent=2))
        return HELD
    width = max(len(check.name) for check in CHECKS)
    topic = ""
    for check in CHECKS:
        if check.topic != topic:
            topic = check.topic
            print(f"{topic}:")
        print(f"  {check.name:<{width}}  {check.force.value:<6}  {check.promise}")
    return HELD


def _record(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "topic": check.topic,
        "force": check.force.value,
        "promise": check.promise,
        "why": check.why,
        "unless": sorted(check.unless),
        "page": check.page,
    }
