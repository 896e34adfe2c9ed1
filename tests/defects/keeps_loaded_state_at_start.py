"""Callbacks around `keeps-loaded-state-at-start`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "keeps-loaded-state-at-start"


def biases(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields a few small parameters of a model."""
    return ((name, value) for name, value in model.named_parameters() if name.endswith("bias"))


@guilty(CHECK)
class ResetsItsPatienceAtStart(PeriodicCallback):
    """Sets its counter to zero when training starts, after it has been loaded.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/1463 (B225).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@guilty(CHECK)
class StartsItsAverageAtStart(PeriodicCallback):
    """Takes the live weights for its average when training starts, whatever was loaded.

    See https://github.com/ai2cm/ace/pull/819 (B227) and https://github.com/m2lines/Samudra/pull/313 (B226).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.average = {name: value.detach().clone() for name, value in biases(self.model)}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, value in biases(self.model):
            self.average[name].lerp_(value, 0.1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.average.items()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        own = dict(biases(self.model))
        self.average = {name: value.clone().to(own[name]) for name, value in state_dict.items()}


@guilty(CHECK)
class ClearsItsHistoryAtStart(PeriodicCallback):
    """Clears its list for the new run."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.history.clear()

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, list[float]]:
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.history = list(state_dict["history"])


@guilty(CHECK)
class ResetsInTheFirstEpoch(PeriodicCallback):
    """Takes a run in its first epoch for a new one."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.epoch == 0:
            self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


class Resetting(PeriodicCallback):
    """A project's base class that resets its callbacks when training starts."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.reset()

    def reset(self) -> None:
        """Sets all to the start."""


@guilty(CHECK)
class IsResetByItsParent(Resetting):
    """Is reset by a base class that knows nothing of a resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.reset()

    def reset(self) -> None:
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class StartsAfreshWithoutItsFile(PeriodicCallback):
    """Looks for a file of its own on a resume, and throws its loaded state away where there is none."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        if not (resumption_paths.checkpoint_path / "turns.csv").exists():
            self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class ResetsWhereNothingWasLoaded(PeriodicCallback):
    """Sets its start values when training starts, unless a state was loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0
        self.is_loaded = False

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.is_loaded:
            self.best = float("inf")
            self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]
        self.is_loaded = True


@innocent(CHECK)
class ResetsAtUpdateZero(PeriodicCallback):
    """Sets its start values where the counter shows that the run is new."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update == 0:
            self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class StartsItsAverageOnce(PeriodicCallback):
    """Takes the live weights for its average where it has none yet."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.average:
            self.average = {name: value.detach().clone() for name, value in biases(self.model)}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, value in biases(self.model):
            self.average[name].lerp_(value, 0.1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.average.items()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        own = dict(biases(self.model))
        self.average = {name: value.clone().to(own[name]) for name, value in state_dict.items()}


@innocent(CHECK, "round-trips-its-state")
class MovesWhatItLoadedAtStart(PeriodicCallback):
    """Moves loaded tensors to the model's device when training starts."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sums = {"total": torch.zeros(())}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.sums = {key: value.to(self.model.device) for key, value in self.sums.items()}

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.sums["total"] = self.sums["total"] + losses["total"]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return dict(self.sums)

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.sums = dict(state_dict)


@innocent(CHECK)
class ResetsWhatItDoesNotSave(PeriodicCallback):
    """Sets to zero what belongs to this session, which is no part of its state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.turns_of_session = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.turns_of_session = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self.turns_of_session += 1

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK, "round-trips-its-state")
class CountsItsStarts(PeriodicCallback):
    """Counts how often the run was started, and notes where: it goes on from what was loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.starts = 0
        self.started_at: list[int] = []

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.starts += 1
        self.started_at.append(update_counter.update)

    def state_dict(self) -> dict[str, Any]:
        return {"starts": self.starts, "started_at": list(self.started_at)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.starts = state_dict["starts"]
        self.started_at = list(state_dict["started_at"])


@innocent(CHECK, "round-trips-its-state")
class CountsItsResumes(PeriodicCallback):
    """Counts how often the run was resumed, in the hook that only a resume calls."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.resumes = 0

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        self.resumes += 1

    def state_dict(self) -> dict[str, int]:
        return {"resumes": self.resumes}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.resumes = state_dict["resumes"]
