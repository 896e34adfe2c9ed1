"""Finds the place in the user's code that a finding is about."""

from __future__ import annotations

import dis
import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import dropwhile, takewhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

_TEMPORARY = re.compile(r"[^\s'\"]*noether-testkit-[\w]+")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_PACKAGE = str(Path(__file__).parents[1])
_CONTRACT = str(Path(__file__).parent)
_SHIPPED_CALLBACKS = str(Path(_PACKAGE, "reference_callbacks"))
_FOREIGN = (_PACKAGE, str(Path(torch.__file__).parent), sysconfig.get_path("stdlib"), "<frozen", "<string>")
_INSTALLED = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))


def place_of_caller() -> str | None:
    """Returns the place in the callback's code that is running now, looked for outwards from the caller."""
    frames = list(_outwards(inspect.currentframe()))
    beyond_probe = dropwhile(_is_contract, frames)
    return _innermost([(frame.f_code, frame.f_lineno) for frame in takewhile(_is_not_contract, beyond_probe)])


def place_of_error(error: BaseException) -> str | None:
    """Returns the innermost place in the callback's code from which an exception came."""
    walked = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return _innermost(walked[::-1])


def place_of(thing: Any) -> str | None:
    """Returns the place where a class, function or method is defined."""
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    try:
        _, line = inspect.getsourcelines(thing)
        file = inspect.getsourcefile(thing)
    except (OSError, TypeError):
        return None
    return f"{short_path(file or '?')}:{line} in {thing.__qualname__}"


def place_of_constructor(callback: Any) -> str | None:
    """Returns the place of a class's constructor, or of a factory."""
    return place_of(vars(callback).get("__init__", callback) if isinstance(callback, type) else callback)


def entered(error: BaseException, function: Any) -> bool:
    """Returns whether a function's body was entered before the exception was raised."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    return code is None or any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def is_refusal(error: BaseException, callback: Any) -> bool:
    """Returns whether an exception is an explicit refusal: the callback's own `raise` statement, and saying why.

    Args:
        error: The exception.
        callback: The class or factory of the callback, to tell its own package from a library.
    """
    place = _raising_code(error)
    unexplained = isinstance(error, AssertionError) and str(error).startswith("assert ")  # pytest's own words
    if unexplained or place is None or not belongs_to(place.co_filename, callback):
        return False
    return isinstance(error, NotImplementedError) or len(str(error).split()) > 1


def short_path(file: str) -> str:
    """Returns a path relative to the working directory where it lies below it."""
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def in_words(error: BaseException) -> str:
    """Returns an exception as type and text, on one line, of a bearable length."""
    text = " ".join(str(error).split()).rstrip(".")
    text = text if len(text) <= 300 else f"{text[:300]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def capitalised(text: str) -> str:
    """Returns a phrase that begins a sentence; names of hooks stay as they are written."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def steady(text: str) -> str:
    """Returns a text without what differs from run to run: temporary folders and addresses in memory."""
    return _ADDRESS.sub("0x…", _TEMPORARY.sub("<temporary folder>", text))


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_contract(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_CONTRACT)


def _is_not_contract(frame: FrameType) -> bool:
    return not _is_contract(frame)


def _innermost(places: Sequence[tuple[CodeType, int | None]]) -> str | None:
    """Returns the first of some places, innermost first, that is the user's; one in an installed package if need be."""
    own = [place for place in places if _is_own(place[0].co_filename)]
    outside = [place for place in own if not place[0].co_filename.startswith(_INSTALLED)]
    chosen = next(iter(outside or own), None)
    return None if chosen is None else _place(*chosen)


@lru_cache(maxsize=1024)
def _is_own(file: str) -> bool:
    """Returns whether a file is no part of the kit, torch or Python; packages lie below Python's own folder."""
    if file.startswith((_SHIPPED_CALLBACKS, *_INSTALLED)):
        return not file.startswith(_FOREIGN[:2]) or file.startswith(_SHIPPED_CALLBACKS)
    return not file.startswith(_FOREIGN)


def _raising_code(error: BaseException) -> CodeType | None:
    """Returns the innermost code, if it was executing a `raise` statement."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return None
    code = last.tb_frame.f_code
    raising = any(
        each.offset == last.tb_lasti and each.opname == "RAISE_VARARGS" for each in dis.get_instructions(code)
    )
    return code if raising else None


def belongs_to(file: str, callback: Any) -> bool:
    """Returns whether a file is the user's: no library's, or in the package of the callback itself."""
    if not _is_own(file):
        return False
    if not file.startswith(_INSTALLED):
        return True
    package = sys.modules.get(str(getattr(callback, "__module__", "")).partition(".")[0])
    folders = getattr(package, "__path__", None) or [getattr(package, "__file__", None) or "?"]
    return any(file.startswith(str(folder)) for folder in folders)


def _place(code: CodeType, line: int | None) -> str:
    return f"{short_path(code.co_filename)}:{line} in {code.co_qualname}"
