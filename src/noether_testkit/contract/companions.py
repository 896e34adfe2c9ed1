"""The kit's own callbacks in a run: one feeds metrics, one saves and stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.errors import TestkitError
from noether_testkit.plan import Stop

Series = Sequence[float] | Callable[[int], float]

_WAVE = (0.9, 0.7, 0.8, 0.6, 0.65, 0.55, 0.62, 0.5)


class SimulatedCrash(TestkitError):  # noqa: N818 - it is part of a plan
    """The run died here because its plan says so."""


def plausible(update: int) -> float:
    """Returns a metric that falls in a wave, as real ones do: better, worse, better still."""
    return round(_WAVE[(update - 1) % len(_WAVE)] * 0.8 ** ((update - 1) // len(_WAVE)), 6)


def value_at(series: Series, update: int) -> float:
    """Returns the value of a series at an update, counted from 1; the last entry stays."""
    if callable(series):
        return series(update)
    return series[min(update, len(series)) - 1]


class MetricFeed(PeriodicCallback):
    """Logs the metrics that other callbacks read, and the loss, in the round of each update."""

    def __init__(self, series: Mapping[str, Series], loss_keys: Sequence[str], **collaborators: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **collaborators)
        self._series = series
        self._loss_keys = loss_keys
        self._losses: Mapping[str, Any] = {}

    def track_after_accumulation_step(self, *, losses: Mapping[str, Any], **_: Any) -> None:
        """Keeps the losses for the log entry of this update."""
        self._losses = losses

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        """Logs the values of this update."""
        for key, series in self._series.items():
            self.writer.add_scalar(key, value_at(series, max(update_counter.update, 1)))
        for key in self._loss_keys:
            self.writer.add_scalar(key, self._losses.get(key, 1.0))


class Conductor(PeriodicCallback):
    """Writes checkpoints and ends the run where the plan says so, in the last turn of a round."""

    def __init__(
        self,
        checkpoint_after: Sequence[int],
        stop: Stop | None,
        act: Callable[[str, Stop | None], None],
        **collaborators: Any,
    ) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **collaborators)
        self._checkpoint_after = checkpoint_after
        self._stop = stop
        self._act = act

    def after_update(self, update_counter: UpdateCounter, **_: Any) -> None:
        """Takes its turn after an update that does not end an epoch."""
        if not update_counter.is_full_epoch:
            self._take_turn(update_counter)

    def after_epoch(self, update_counter: UpdateCounter, **_: Any) -> None:
        """Takes its turn after an update that ends an epoch: the epoch callbacks have had theirs."""
        self._take_turn(update_counter)

    def _take_turn(self, counter: UpdateCounter) -> None:
        tag = str(counter.cur_iteration)
        if counter.update in self._checkpoint_after:
            self._act(tag, None)
        if self._stop is not None and counter.update == self._stop.after_update:
            self._act(tag, self._stop)
