"""Finds the place in the user's code that a finding is about."""

from __future__ import annotations

import dis
import inspect
import sys
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

_KIT = str(Path(__file__).parents[1])
_FOREIGN = tuple(
    {_KIT, str(Path(torch.__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen"}
)


def place_of_caller() -> str | None:
    """Returns the innermost place in the user's code on the current stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        if is_users(frame.f_code):
            return _place(frame.f_code, frame.f_lineno)
        frame = frame.f_back
    return None


def place_of_error(error: BaseException) -> str | None:
    """Returns the innermost place in the user's code from which an exception came."""
    places = [
        _place(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__) if is_users(frame.f_code)
    ]
    return places[-1] if places else None


def place_of(thing: Any) -> str | None:
    """Returns the place where a class, function or method is defined."""
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    try:
        _, line = inspect.getsourcelines(thing)
        file = inspect.getsourcefile(thing)
    except (OSError, TypeError):
        return None
    return f"{short_path(file or '?')}:{line} in {thing.__qualname__}"


def entered(error: BaseException, function: Any) -> bool:
    """Returns whether a function's body was entered before the exception was raised."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    return code is None or any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def is_refusal(error: BaseException) -> bool:
    """Returns whether an exception is an explicit refusal: raised by a `raise` statement, and saying why."""
    if isinstance(error, NotImplementedError):
        return _was_raised(error)
    return _was_raised(error) and len(str(error).split()) > 1


def is_users(code: CodeType) -> bool:
    """Returns whether code belongs to the user rather than to the kit, torch or a library."""
    return _is_users_file(code.co_filename)


def short_path(file: str) -> str:
    """Returns a path relative to the working directory where it lies below it."""
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def in_words(error: BaseException) -> str:
    """Returns an exception as type and text, on one line, of a bearable length."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else f"{text[:300]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@lru_cache(maxsize=1024)
def _is_users_file(file: str) -> bool:
    shipped = str(Path(_KIT, "reference_callbacks"))
    return file.startswith(shipped) or not file.startswith(_FOREIGN)


def _was_raised(error: BaseException) -> bool:
    """Returns whether the innermost frame was executing a `raise` statement."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    instructions = dis.get_instructions(last.tb_frame.f_code)
    return any(each.offset == last.tb_lasti and each.opname == "RAISE_VARARGS" for each in instructions)


def _place(code: CodeType, line: int | None) -> str:
    return f"{short_path(code.co_filename)}:{line} in {code.co_qualname}"
