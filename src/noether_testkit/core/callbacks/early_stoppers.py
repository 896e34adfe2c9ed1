"""The exception by which a callback ends a run."""

from __future__ import annotations


class EarlyStopIteration(StopIteration):
    """Raised by a periodic hook to end training after the current update.

    The trainer honours it in `after_update` and `after_epoch` only; raised from any other hook
    it is an ordinary crash.
    """
