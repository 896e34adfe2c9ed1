"""Callbacks around `is-stateful-from-construction`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "is-stateful-from-construction"


@guilty(CHECK)
class HasStateOnlyAfterItsFirstTurn(PeriodicCallback):
    """Answers `None` while there is no best value, and so is passed over on every resume.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/7726 (B016).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best: float | None = None

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.best = value if self.best is None else min(self.best, value)

    def state_dict(self) -> dict[str, float] | None:
        return None if self.best is None else {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class SettlesItsNameInTheStartHook(PeriodicCallback):
    """Takes a name in the start hook, after states have been matched by name.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/11110 (B015).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.name = f"turns_of_{self.model.param_count}_parameters"

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class KeysItsStateByProgress(PeriodicCallback):
    """Has a key that says when it was saved, and so is never found again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    @property
    def checkpoint_key(self) -> str:
        return f"turns_{self.turns}"

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class DropsItsStateAtTheEnd(PeriodicCallback):
    """Frees its memory at the end, and answers `None` when the last checkpoint is written."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] | None = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.losses = None

    def state_dict(self) -> dict[str, list[float]] | None:
        return None if self.losses is None else {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.losses = list(state_dict["losses"])


@guilty(CHECK)
class HasNoStateInEvaluation(PeriodicCallback):
    """Throws its state away in an evaluation run, where it wants to start afresh."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best: float | None = float("inf")

    def at_eval(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        self.best = None

    def state_dict(self) -> dict[str, float] | None:
        return None if self.best is None else {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK, "round-trips-its-state")
class StartsWithAStartValue(PeriodicCallback):
    """Has a state from the constructor on, with a start value in it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK, "round-trips-its-state")
class StartsWithAnEmptyState(PeriodicCallback):
    """Has a state without entries at first, and fills it later."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best: dict[str, float] = {}

    def periodic_callback(self, **_: Any) -> None:
        for key in ("mse",):
            self.best[key] = min(self.best.get(key, float("inf")), self.writer.log_cache[key])

    def state_dict(self) -> dict[str, float]:
        return dict(self.best)

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = dict(state_dict)


@innocent(CHECK, "round-trips-its-state")
class SavesNoneAsAValue(PeriodicCallback):
    """Answers a mapping for life, in which a value may be `None`."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best: float | None = None

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.best = value if self.best is None else min(self.best, value)

    def state_dict(self) -> dict[str, float | None]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK, config={"every_n_updates": 2, "id": "best_of_test"})
class IsNamedByItsConfig(PeriodicCallback):
    """Is named by its config's id."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class NamesItselfWhenBuilt(CallbackBase):
    """Settles its name in the constructor, and its key in a property."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = self.name or f"runs_of_{self.trainer.updates_per_epoch}"
        self.runs = 0

    @property
    def checkpoint_key(self) -> str:
        return f"project/{self.name}"

    def state_dict(self) -> dict[str, int]:
        return {"runs": self.runs}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.runs = state_dict["runs"]
