"""The shell: one file a command."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from noether_testkit import __version__
from noether_testkit.cli import check, doctor, list_checks
from noether_testkit.cli.exit_codes import INTERRUPTED, KIT_FAULT, READER_GONE, USAGE
from noether_testkit.errors import UsageError

_COMMANDS = (check, list_checks, doctor)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"noether-testkit: {message}\nTry: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Returns:
        0 if all held, 1 if the contract is broken, 2 for a wrong use or a failed import, 3 for a
        fault of the kit; what shells know for an interrupt and for a reader that has gone.
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        print(f"noether-testkit: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except KeyboardInterrupt:
        print("noether-testkit: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - the last place to tell a fault of the kit from one of the user's
        print(f"noether-testkit: a fault of the kit, please report it:\n{traceback.format_exc()}", file=sys.stderr)
        return KIT_FAULT
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="noether-testkit",
        description="Judges callbacks of the Noether training framework by a contract.",
        epilog="Exit codes: 0 all held, 1 the contract is broken, 2 usage or import error, 3 a fault of the kit.",
    )
    parser.add_argument("--version", action="version", version=f"noether-testkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser
