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
        return [entry[key] for entry in self.log_entries if key in entry]

    def flush(self) -> None:
        """Closes the entry under way and hands it to the tracker.

        Raises:
            AssertionError: An entry of the same or a later update was flushed before. The framework
                ends a run in this way, too.
        """
        self._record("flush")
        if self.log_cache is None:
            return
        self.tracker.log(self.log_cache)
        last = self.log_entries[-1]["update"] if self.log_entries else -1
        if self.log_cache["update"] <= last:
            late = ", ".join(key for key in self.log_cache if key not in _COUNTERS)
            raise AssertionError(
                f"The log entry of update {self.log_cache['update']} ({late}) comes after that of update {last} was "
                "closed. Values belong into the entry of their own update; after training, use "
                "tracker.set_summary or tracker.update_summary."
            )
        self.log_entries.append(
            {key: value for key, value in self.log_cache.items() if key not in self.non_scalar_keys}
        )
        self.log_cache = None
        self.non_scalar_keys = set()

    def finish(self) -> None:
        """Flushes and writes all entries to disk: `{key: {update: value}}`."""
        self._record("finish")
        self.flush()
        if not self.log_entries:
            return
        series: dict[str, dict[int, Any]] = {}
        for entry in self.log_entries:
            for key, value in entry.items():
                if key != "update":
                    series.setdefault(key, {})[entry["update"]] = value
        torch.save(series, self.path_provider.basetracker_entries_uri)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def _enter(self, key: str, value: Any) -> None:
        key = key.removesuffix("/")
        if self.log_cache is None:
            self.log_cache = dict(self.update_counter.cur_iteration)
        if key in self.log_cache:
            raise KeyError(
                f"{key!r} was logged twice in the entry of update {self.log_cache['update']}: "
                f"{self.log_cache[key]!r} first, {value!r} now"
            )
        self.log_cache[key] = value


_COUNTERS = ("epoch", "update", "sample")
