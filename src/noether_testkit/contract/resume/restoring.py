"""Hears what a callback warns of when a session starts, and sees what it changes and writes then on purpose."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noether_testkit.contract.compare import differences, snapshot
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.resume.files import fingerprints

_RESTORING = frozenset({"load_state_dict", "resume_from_checkpoint", "before_training"})
_NUMBER = re.compile(r"\d+")


class Restoring:
    """A watcher of the hooks at the start of a session, resumed or not.

    Attributes:
        told: The warnings, by a logger or the module `warnings`, in order.
        moved_on: Paths of the state that change between the load and the end of the start hook, such as a count of
            sessions.
        written: Fingerprints of the files that were there when training started, by name; of the last session.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.moved_on: set[str] = set()
        self.written: dict[str, str] = {}
        self._loaded: Any = None
        self._folder: Path | None = None

    def warning_beyond(self, usual: Collection[str] = ()) -> str | None:
        """Returns the first warning that is not given anyway; numbers in it make no difference."""
        known = {_NUMBER.sub("#", each) for each in usual}
        return next((each for each in self.told if _NUMBER.sub("#", each) not in known), None)

    def notes_in(self, folder: Path | None) -> frozenset[str]:
        """Returns the names of the files that the start of the session left as they are now."""
        now = fingerprints(folder) if self.written else {}
        return frozenset(name for name, content in self.written.items() if now.get(name) == content)

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Listens around a hook that restores."""
        if moment.hook == "__init__":
            self._folder, self.written = _folder_of(moment), {}
        if moment.hook not in _RESTORING:
            yield
            return
        with self._listening():
            yield
        if moment.hook == "before_training":
            self.written = fingerprints(self._folder)
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


def _folder_of(moment: Moment) -> Path | None:
    paths = getattr(moment.arguments.get("checkpoint_writer"), "path_provider", None)
    return None if paths is None else Path(paths.run_output_path)


def _state_of(moment: Moment) -> Any:
    try:
        return snapshot(moment.callback.state_dict())
    except Exception:  # noqa: BLE001 - a callback may raise anything, and another check speaks of it
        return None
