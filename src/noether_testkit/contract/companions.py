"""The kit's own callbacks in a run: one feeds metrics, one saves and stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from noether_testkit.contract.series import Series, value_at


class Companions(NamedTuple):
    """The classes of the kit's own callbacks, on the base class of one harness."""

    feed: type
    conductor: type
    early_stop: type[Exception]


@cache
def companions_on(periodic_callback: Any, config_class: Any, early_stop: type[Exception]) -> Companions:
    """Returns the kit's callbacks on a base class: the kit's or the framework's.

    Args:
        periodic_callback: The base class `PeriodicCallback`.
        config_class: Its config class.
        early_stop: What a callback raises to end the run in order.
    """

    class MetricFeed(periodic_callback):  # type: ignore[misc]  # the base class is a parameter
        """Logs the metrics that other callbacks read, and the losses, in the round of each update."""

        def __init__(self, series: Mapping[str, Series], loss_keys: Sequence[str], **collaborators: Any) -> None:
            super().__init__(config_class(every_n_updates=1), **collaborators)
            self._series = series
            self._loss_keys = loss_keys
            self._losses: Mapping[str, Any] = {}

        def track_after_accumulation_step(self, *, losses: Mapping[str, Any], **_: Any) -> None:
            self._losses = losses

        def periodic_callback(self, *, update_counter: Any, **_: Any) -> None:
            for key, series in self._series.items():
                self.writer.add_scalar(key, value_at(series, max(update_counter.update, 1)))
            for key in self._loss_keys:
                self.writer.add_scalar(key, self._losses.get(key, 1.0))

    class Conductor(periodic_callback):  # type: ignore[misc]
        """Says when it is its turn: at the start, and last in the round of an update and of the epoch that it ends."""

        def __init__(self, turn: Callable[[str], None], **collaborators: Any) -> None:
            super().__init__(config_class(every_n_updates=1), **collaborators)
            self._turn = turn

        def before_training(self, update_counter: Any, **_: Any) -> None:
            self._turn("start")

        def after_update(self, update_counter: Any, **_: Any) -> None:
            self._turn("update")

        def after_epoch(self, update_counter: Any, **_: Any) -> None:
            self._turn("epoch")

    return Companions(feed=MetricFeed, conductor=Conductor, early_stop=early_stop)
