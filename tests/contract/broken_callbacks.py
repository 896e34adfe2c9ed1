"""Callbacks with one fault each, and one without any; they import from the public surface only."""

from __future__ import annotations

import math
from typing import Any

import torch

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig


class Sound(PeriodicCallback):
    """Counts its calls, and keeps the count over a resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.seen = 0

    def periodic_callback(self, **_: Any) -> None:
        self.seen += 1

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = state_dict["seen"]


class ResetsInBeforeTraining(Sound):
    """Starts counting afresh in a resumed run."""

    def before_training(self, **_: Any) -> None:
        self.seen = 0


class StatefulAfterFirstUpdate(PeriodicCallback):
    """Has no state before its first interval is due."""

    best: float | None = None

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)

    def periodic_callback(self, *, update_counter: Any, **_: Any) -> None:
        self.best = min(self.best or math.inf, 1.0 / max(update_counter.update, 1))

    def state_dict(self) -> dict[str, Any] | None:
        return None if self.best is None else {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


class LeavesTrainMode(CallbackBase):
    """Wakes the whole model before the run."""

    def before_training(self, **_: Any) -> None:
        self.model.train()


class LeavesGradientsOn(CallbackBase):
    """Turns the recording of gradients on, and leaves it so."""

    def before_training(self, **_: Any) -> None:
        torch.set_grad_enabled(True)


class RenamesKeysOnLoad(Sound):
    """Reads its state under a name that it never wrote."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = state_dict.get("count", 0)


FAULTS = {
    ResetsInBeforeTraining: "keeps-loaded-state-at-start",
    StatefulAfterFirstUpdate: "is-stateful-from-construction",
    LeavesTrainMode: "leaves-modes-untouched",
    LeavesGradientsOn: "leaves-grad-mode-alone",
    RenamesKeysOnLoad: "round-trips-its-state",
}
"""The one check that each of them breaks."""
