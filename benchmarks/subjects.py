"""The callbacks on which the contract is measured: one without state, one with state."""

from __future__ import annotations

from typing import Any

from noether_testkit import Subject
from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig


class WeightNormLogger(PeriodicCallback):
    """Logs the norm of the weights: nothing of it has to be saved."""

    def periodic_callback(self, **_: Any) -> None:
        total = sum(float(weights.norm()) for weights in self.model.parameters())
        self.writer.add_scalar("norm/weights", total)


class BestLossKeeperConfig(CallBackBaseConfig):
    """Which metric to watch."""

    metric_key: str = "loss/test/total"


class BestLossKeeper(PeriodicCallback):
    """Keeps the best value of a metric, and since when it has been the best."""

    def __init__(self, callback_config: BestLossKeeperConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.metric_key = callback_config.metric_key
        self.higher_is_better = self.metric_property_provider.higher_is_better(self.metric_key)
        self.best: float | None = None
        self.turns_since_best = 0

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if interval_type == "eval":
            return
        value = self.writer.log_cache[self.metric_key]
        if self.best is None or (value > self.best if self.higher_is_better else value < self.best):
            self.best, self.turns_since_best = value, 0
        else:
            self.turns_since_best += 1
        self.writer.add_scalar("best", self.best)
        self.writer.add_scalar("turns_since_best", self.turns_since_best)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "turns_since_best": self.turns_since_best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]
        self.turns_since_best = state_dict["turns_since_best"]


SUBJECTS = {
    "stateless": Subject(WeightNormLogger, config={"every_n_updates": 2}),
    "stateful": Subject(BestLossKeeper, config={"every_n_updates": 2}),
}
"""What is judged, by the words of the table."""
