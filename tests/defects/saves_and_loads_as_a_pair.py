"""Callbacks around `saves-and-loads-as-a-pair`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "saves-and-loads-as-a-pair"


@guilty(CHECK)
class SavesAndNeverLoads(PeriodicCallback):
    """Saves its patience, and nobody takes it back."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.patience = 3

    def periodic_callback(self, **_: Any) -> None:
        self.patience -= 1

    def state_dict(self) -> dict[str, int]:
        return {"patience": self.patience}


@guilty(CHECK)
class LoadsAndNeverSaves(PeriodicCallback):
    """Waits for a state that it never hands out: the trainer passes over it.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/7726 (B016).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class MisspellsTheLoader(PeriodicCallback):
    """Calls the loader by a name that nobody else uses."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_from_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class LoadsInTheHookForFiles(PeriodicCallback):
    """Saves a state, and takes it back in the hook that is there for files."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        for file in sorted(resumption_paths.checkpoint_path.glob("*_trainer.th")):
            states = torch.load(file)["callback_state_dicts"]
            self.best = states[self.checkpoint_key]["best"]


@innocent(CHECK, "round-trips-its-state")
class SavesAndLoads(PeriodicCallback):
    """Takes back what it hands out."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.patience = 3

    def periodic_callback(self, **_: Any) -> None:
        self.patience -= 1

    def state_dict(self) -> dict[str, int]:
        return {"patience": self.patience}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.patience = state_dict["patience"]


class LoaderMixin:
    """Takes a state back into the attributes of the same names."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


@guilty(CHECK)
class MixesItsLoaderInTooLate(PeriodicCallback, LoaderMixin):
    """Has a loader behind the base class, whose empty one comes first."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}


@innocent(CHECK, "round-trips-its-state")
class MixesItsLoaderInFirst(LoaderMixin, PeriodicCallback):
    """Has a loader in front of the base class."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.best = min(self.best, 1.0 / max(update_counter.update, 1))

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}


@innocent(CHECK, "is-stateful-from-construction")
class KeepsItsStateInFiles(PeriodicCallback):
    """Has no state for the checkpoint: writes files, and reads them back on a resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.average:
            self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        for name, value in self.model.named_parameters():
            self.average.setdefault(name, value.detach().clone()).lerp_(value, 0.1)
        tag = str(update_counter.cur_iteration)
        self.checkpoint_writer.save_model_checkpoint(f"average_{self.checkpoint_key}", tag, self.average)

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        name = f"average_{self.checkpoint_key}_cp={self.trainer.start_checkpoint}_model.th"
        self.average = torch.load(resumption_paths.checkpoint_path / name, map_location=model.device)["state_dict"]


@innocent(CHECK)
class SaysThatItHasNoState(CallbackBase):
    """Overrides both halves, to say that there is nothing to save."""

    def state_dict(self) -> None:
        return None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        raise RuntimeError("This callback keeps no state; the checkpoint holds one of another callback.")


class Counting(PeriodicCallback):
    """A project's own base class with a state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK, "round-trips-its-state")
class InheritsItsPair(Counting):
    """Inherits both halves from a base class of the project."""


@innocent(CHECK, "round-trips-its-state")
class ExtendsItsPair(Counting):
    """Adds entries of its own to those of its parent."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last_update = 0

    def periodic_callback(self, *, update_counter: UpdateCounter, **kwargs: Any) -> None:
        super().periodic_callback(update_counter=update_counter, **kwargs)
        self.last_update = update_counter.update

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "last_update": self.last_update}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.last_update = state_dict["last_update"]


@innocent(CHECK)
class HandsTheStateOnUnseen(PeriodicCallback):
    """Carries a loader that only calls its parent's, as mixins do; it can lose nothing."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)


@innocent(CHECK)
class RefusesAStateItNeverHands(PeriodicCallback):
    """Refuses a state in a sentence; it has none to lose."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        raise NotImplementedError("This callback keeps no state.")


@guilty(CHECK)
class LooksForAnEntryThatNobodySaves(PeriodicCallback):
    """Reads its best value if it is there; it never is, since nobody saves it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = 1.0

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict.get("best", self.best)
