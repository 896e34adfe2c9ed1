"""An early stopper that many would write. It works in every test of a single run, and fails at every resume."""

from __future__ import annotations

from typing import Any

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter


class PatienceStopperConfig(CallBackBaseConfig):
    """Which metric to watch, and for how long."""

    metric_key: str = "loss/test/total"
    patience: int = 3


class PatienceStopper(PeriodicCallback):
    """Ends training when a metric has not improved for `patience` intervals."""

    def __init__(self, callback_config: PatienceStopperConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.metric_key = callback_config.metric_key
        self.patience = callback_config.patience
        self.higher_is_better = self.metric_property_provider.higher_is_better(self.metric_key)
        self.best: float | None = None
        self.bad_intervals = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.best = None
        self.bad_intervals = 0

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        value = self.writer.log_cache[self.metric_key]
        if self.best is None or self._is_better(value, self.best):
            self.best = value
            self.bad_intervals = 0
            return
        self.bad_intervals += 1
        if self.bad_intervals >= self.patience:
            raise EarlyStopIteration

    def _is_better(self, value: float, best: float) -> bool:
        return value > best if self.higher_is_better else value < best

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "bad_intervals": self.bad_intervals}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]
        self.bad_intervals = state_dict["bad_intervals"]
