"""Compares the files of a resumed run with those of its twin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import PurePath
from typing import Any

from noether_testkit.contract.resume.files import Digest, Lines
from noether_testkit.contract.resume.mismatch import Mismatch, Session, of_leaves

_NUMBER = re.compile(r"(\d+)")
_MOST_NUMBERS = 4
_LONGEST = 80


def file_mismatches(twin: Session, resumed: Session, ignored: Collection[str] = ()) -> Iterator[Mismatch]:
    """Yields what differs in the files of two runs.

    Tables may go on in another folder, what is written at the start of a session is its own, and a name may hold the
    number of a session, or where it started.

    Args:
        twin: The run that was never stopped.
        resumed: The run that was.
        ignored: Names that are not compared.
    """
    for name, content in twin.files.items():
        if name in ignored or (name in twin.notes and name in resumed.notes):
            continue
        if name in resumed.files:
            yield from _of_content(name, content, resumed.files[name], resumed.earlier.get(name))
        elif not _is_named_otherwise(name, content, twin, resumed):
            yield _of_presence(name, twin="written", resumed="missing")
    for name in resumed.last_files:
        if name not in twin.files and name not in ignored and not _is_of_this_session(name, twin, resumed):
            yield _of_presence(name, twin="not there at the end", resumed="written")


def shape_of(name: str) -> str:
    """Returns a name without its numbers, by which files of one kind may differ."""
    return re.sub(r"[0-9a-fA-F-]{8,}|\d+", "#", name)


def _of_presence(name: str, *, twin: str, resumed: str) -> Mismatch:
    return Mismatch(kind="file", what=f"the file {name}", path=name, twin=twin, resumed=resumed)


def _is_named_otherwise(name: str, content: Any, twin: Session, resumed: Session) -> bool:
    """Returns whether a text may be there under another name, such as one with the start of its session."""
    others = (other for other in resumed.files if other not in twin.files)
    return (
        isinstance(content, Lines)
        and content.number is None
        and any(PurePath(other).suffix == PurePath(name).suffix for other in others)
    )


def _is_of_this_session(name: str, twin: Session, resumed: Session) -> bool:
    """Returns whether a file is one of the session: a note of its start, or named after its start or its number."""
    if name in resumed.notes:
        return True
    first = dict.fromkeys(map(str, resumed.start), "0")
    first |= {str(resumed.number): "0", str(resumed.number + 1): first.get(str(resumed.number + 1), "1")}
    parts = _NUMBER.split(name)
    if len(parts) > 2 * _MOST_NUMBERS + 1:
        return False
    choices = [(part, first[part]) if part in first else (part,) for part in parts]
    return any("".join(chosen) in twin.files for chosen in product(*choices))


def _of_content(name: str, twin: Any, resumed: Any, before: Any) -> Iterator[Mismatch]:
    if _is_table(twin, resumed, before):
        return
    if isinstance(twin, Lines) and isinstance(resumed, Lines):
        yield from _of_lines(name, twin, resumed)
    elif not isinstance(twin, Digest) or before is None or twin.size == Digest(before).size:
        yield from of_leaves("file", f"{{inside}}the file {name}", twin, resumed, prefix=name)


def _is_table(twin: Any, resumed: Any, before: Any) -> bool:
    """Returns whether a file is a table that goes on in another folder, which is a matter of another check.

    It grew after the stop, or all that is in it now is a part of the whole one.
    """
    if type(twin) is not type(resumed) or not isinstance(twin, Lines | list):
        return False
    if type(before) is type(twin) and len(before) < len(twin) and twin[: len(before)] == before:
        return True
    rows, whole = Counter(map(repr, resumed)), Counter(map(repr, twin))
    return len(resumed) < len(twin) and not rows - whole


def _of_lines(name: str, twin: Lines, resumed: Lines) -> Iterator[Mismatch]:
    if twin.number is not None and resumed.number is not None:
        yield from of_leaves("file", f"{{inside}}the file {name}", twin.number, resumed.number, prefix=name)
        return
    for number in range(max(len(twin), len(resumed))):
        left, right = (
            repr(lines[number][:_LONGEST]) if number < len(lines) else "missing" for lines in (twin, resumed)
        )
        if left != right:
            what = f"line {number + 1} of the file {name}"
            yield Mismatch(kind="file", what=what, path=name, twin=left, resumed=right)
            return
