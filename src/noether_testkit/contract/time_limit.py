"""Ends what does not come back by itself."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TIME_LIMIT_S = 60.0
"""Seconds that one check may take, if nothing else is said."""

_AGAIN_S = 0.5


class OutOfTime(BaseException):
    """Raised in the middle of whatever runs when the time is over; no `except Exception` of a callback catches it."""


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Raises `OutOfTime` in the block once it has taken longer than `limit_s` seconds, and again until it ends.

    It takes the alarm clock of the process, so it works in the main thread of a POSIX system. Elsewhere, and where
    another alarm is set that rings earlier, the block runs without a limit of its own.

    Args:
        limit_s: Seconds; 0 is no limit.
    """
    if limit_s <= 0 or not _has_alarm():
        yield
        return
    started = time.monotonic()
    left_s, every_s = signal.getitimer(signal.ITIMER_REAL)
    if 0 < left_s <= limit_s:
        yield
        return
    previous = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if left_s > 0:
            rest_s = max(left_s - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, rest_s, every_s)


def _has_alarm() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime
