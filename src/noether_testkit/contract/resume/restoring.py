"""Hears what a callback warns of while it is restored, and sees what it changes then on purpose."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from noether_testkit.contract.compare import differences, snapshot
from noether_testkit.contract.harness import Moment

_RESTORING = frozenset({"load_state_dict", "resume_from_checkpoint", "before_training"})


class Restoring:
    """A watcher of the hooks of a resume.

    Attributes:
        told: The warnings, by a logger or the module `warnings`, in order.
        moved_on: Paths of the state that change between the load and the end of the start hook, such as a count of
            sessions.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.moved_on: set[str] = set()
        self._loaded: Any = None

    @property
    def warning(self) -> str | None:
        """The first warning, if there was one."""
        return next(iter(self.told), None)

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Listens around a hook that restores."""
        if moment.hook not in _RESTORING:
            yield
            return
        with self._listening():
            yield
        if moment.hook == "load_state_dict":
            self._loaded = _state_of(moment)
        elif self._loaded is not None:
            self.moved_on |= {each.path for each in differences(self._loaded, _state_of(moment))}

    @contextmanager
    def _listening(self) -> Iterator[None]:
        ear, root = _Ear(self.told), logging.getLogger()
        root.addHandler(ear)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
            self.told += [str(each.message) for each in caught]
        finally:
            root.removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


def _state_of(moment: Moment) -> Any:
    try:
        return snapshot(moment.callback.state_dict())
    except Exception:  # noqa: BLE001 - a callback may raise anything, and another check speaks of it
        return None
