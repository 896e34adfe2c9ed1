"""What the trainer does with signals while it trains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ending_at_sigterm(request_stop: Callable[[], None]) -> Iterator[None]:
    """Asks for the end of the run where the process gets SIGTERM, and puts the handler back that was there before.

    Only the main thread can handle signals; in others, and where the handler is not Python's, they are left alone.

    Args:
        request_stop: Ends the run after the current update.
    """
    before = signal.getsignal(signal.SIGTERM)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: request_stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
