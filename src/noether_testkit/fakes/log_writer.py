"""Fake of the log writer."""

from __future__ import annotations

import logging
from typing import Any, Self

import numpy as np
import torch

from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.providers import FakePathProvider
from noether_testkit.fakes.strict import StrictFake
from noether_testkit.fakes.tracker import FakeTracker


class FakeLogWriter(StrictFake):
    """Gathers logged values into entries, one an update.

    Attributes:
        log_cache: The entry under way: `epoch`, `update`, `sample` of the moment when its first value
            came, then the values; `None` before the first value.
        log_entries: The flushed entries, without non-scalar values.
        non_scalar_keys: Keys of the non-scalar values in the entry under way.
    """

    _stands_for = "LogWriter"

    def __init__(self, path_provider: FakePathProvider, update_counter: UpdateCounter, tracker: FakeTracker) -> None:
        super().__init__()
        self.logger = logging.getLogger("FakeLogWriter")
        self.path_provider = path_provider
        self.update_counter = update_counter
        self.tracker = tracker
        self.log_cache: dict[str, Any] | None = None
        self.log_entries: list[dict[str, Any]] = []
        self.non_scalar_keys: set[str] = set()

    def add_scalar(
        self,
        key: str,
        value: torch.Tensor | np.generic | float,
        logger: logging.Logger | None = None,
        format_str: str | None = None,
    ) -> None:
        """Logs a number.

        Args:
            key: Name of the value; one trailing `/` is cut off.
            value: A number, or a tensor or NumPy scalar with one element.
            logger: Also prints the value there, formatted by `format_str`.
            format_str: Such as `.2f`; has no effect without `logger`.

        Raises:
            KeyError: The key was logged in this entry before.
            RuntimeError: A tensor has more than one element.
        """
        self._record("add_scalar", key=key, value=value, logger=logger, format_str=format_str)
        number = value.item() if isinstance(value, torch.Tensor | np.generic) else value
        self._enter(key, number)
        if logger is not None:
            logger.info("%s: %s", key.removesuffix("/"), format(number, format_str) if format_str else number)

    def add_nonscalar(self, key: str, value: Any) -> None:
        """Logs any other object; it goes to the tracker and is kept in no entry.

        Raises:
            KeyError: The key was logged in this entry before.
        """
        self._record("add_nonscalar", key=key, value=value)
        self._enter(key, value)
        self.non_scalar_keys.add(key.removesuffix("/"))

    def get_all_metric_values(self, key: str) -> list[float]:
        """Returns the values of a key in all flushed entries."""
        self._record("get_all_metric_values", key=key)
        return list(_series_of(self.log_entries).get(key, {}).values())

    def flush(self) -> None:
        """Closes the entry under way and hands it to the tracker.

        Raises:
            AssertionError: An entry of the same or a later update was flushed before. The framework
                ends a run in this way, too.
        """
        self._record("flush")
        entry = self.log_cache
        if entry is None:
            return
        self.tracker.log(entry)
        _require_later(entry, self.log_entries)
        kept = entry.keys() - self.non_scalar_keys
        self.log_entries.append({key: entry[key] for key in entry if key in kept})
        self.log_cache, self.non_scalar_keys = None, set()

    def finish(self) -> None:
        """Flushes and writes all entries to disk: `{key: {update: value}}`."""
        self._record("finish")
        self.flush()
        if not self.log_entries:
            return
        series = _series_of(self.log_entries)
        del series["update"]
        torch.save(series, self.path_provider.basetracker_entries_uri)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def _enter(self, key: str, value: Any) -> None:
        name = key.removesuffix("/")
        entry = self.log_cache = self.log_cache or dict(self.update_counter.cur_iteration)
        if name in entry:
            first = f"{entry[name]!r} first, {value!r} now"
            own = f"; each entry has {', '.join(_COUNTERS)} by itself" if name in _COUNTERS else ""
            raise KeyError(f"{name!r} was logged twice in the entry of update {entry['update']}: {first}{own}")
        entry[name] = value


_COUNTERS = ("epoch", "update", "sample")


def _series_of(entries: list[dict[str, Any]]) -> dict[str, dict[int, Any]]:
    """Returns the values of each key by their updates."""
    series: dict[str, dict[int, Any]] = {}
    for entry in entries:
        for key, value in entry.items():
            series.setdefault(key, {})[entry["update"]] = value
    return series


def _require_later(entry: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """Refuses an entry that does not come after the last one."""
    last = entries[-1]["update"] if entries else -1
    if entry["update"] > last:
        return
    late = ", ".join(key for key in entry if key not in _COUNTERS)
    raise AssertionError(
        f"The log entry of update {entry['update']} ({late}) comes after that of update {last} was closed. Values "
        "belong into the entry of their own update; after training, use tracker.set_summary or "
        "tracker.update_summary."
    )
