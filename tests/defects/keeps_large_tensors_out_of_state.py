"""Callbacks around `keeps-large-tensors-out-of-state`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "keeps-large-tensors-out-of-state"


@guilty(CHECK)
class SavesItsAverageInState(PeriodicCallback):
    """Keeps an average of all weights, and saves it as state.

    See https://github.com/huggingface/pytorch-image-models/issues/72 (B197) for averages that all land on one device.
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if not self.average:
            self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        for name, value in self.model.named_parameters():
            self.average[name].lerp_(value, 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": {name: value.clone() for name, value in self.average.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = {
            name: value.to(self.model.device, torch.float32) for name, value in state_dict["average"].items()
        }


@guilty(CHECK)
class SavesTheBestWeights(PeriodicCallback):
    """Saves the best weights within its state.

    See https://github.com/THGLab/LP-PDBBind/pull/1 (B191) for what else goes wrong with best weights in memory.
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.weights: dict[str, torch.Tensor] = {}

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if value < self.best:
            self.best = value
            self.weights = {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "weights": dict(self.weights)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]
        self.weights = {
            name: value.to(self.model.device, torch.float32) for name, value in state_dict["weights"].items()
        }


@guilty(CHECK)
class SavesWeightsAsLists(PeriodicCallback):
    """Saves the weights of the last turn as lists of numbers."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last: dict[str, list[float]] = {}

    def periodic_callback(self, **_: Any) -> None:
        self.last = {name: value.flatten().tolist() for name, value in self.model.named_parameters()}

    def state_dict(self) -> dict[str, Any]:
        return {"last": {name: list(values) for name, values in self.last.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last = {name: list(values) for name, values in state_dict["last"].items()}


@guilty(CHECK)
class SavesAFlatVector(PeriodicCallback):
    """Saves one vector as long as the model."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = torch.zeros(0)

    def periodic_callback(self, **_: Any) -> None:
        self.last = torch.cat([value.detach().flatten() for value in self.model.parameters()])

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last = state_dict["last"].to(self.model.device, torch.float32)


@guilty(CHECK)
class SavesASumOfSquares(PeriodicCallback):
    """Saves how far each single weight has moved."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.moved: dict[str, torch.Tensor] = {}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        for name, value in self.model.named_parameters():
            self.moved[name] = self.moved.get(name, torch.zeros_like(value)) + value.detach() ** 2

    def state_dict(self) -> dict[str, Any]:
        return {"moved": dict(self.moved)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.moved = {name: value.to(self.model.device, torch.float32) for name, value in state_dict["moved"].items()}


@innocent(CHECK)
class SavesANormPerParameter(PeriodicCallback):
    """Saves one number for each parameter tensor."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.norms: dict[str, float] = {}

    def periodic_callback(self, **_: Any) -> None:
        self.norms = {name: float(value.detach().norm()) for name, value in self.model.named_parameters()}

    def state_dict(self) -> dict[str, Any]:
        return {"norms": dict(self.norms)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.norms = dict(state_dict["norms"])


@innocent(CHECK)
class SavesAHistogram(PeriodicCallback):
    """Saves a table whose size has nothing to do with the model."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.counts = torch.zeros(512)

    def periodic_callback(self, **_: Any) -> None:
        values = torch.cat([value.detach().flatten() for value in self.model.parameters()])
        self.counts += torch.histc(values.cpu(), 512, -1, 1)

    def state_dict(self) -> dict[str, Any]:
        return {"counts": self.counts.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.counts.copy_(state_dict["counts"])


@innocent(CHECK)
class WritesItsAverageToFiles(PeriodicCallback):
    """Leaves its average to files, and has a number for state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.average: dict[str, torch.Tensor] = {}

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if not self.average:
            self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        for name, value in self.model.named_parameters():
            self.average[name].lerp_(value, 0.1)

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        self.turns += 1
        tag = str(update_counter.cur_iteration)
        self.checkpoint_writer.save_model_checkpoint(f"average_{self.checkpoint_key}", tag, self.average)

    def resume_from_checkpoint(self, resumption_paths: Any, model: torch.nn.Module) -> None:
        name = f"average_{self.checkpoint_key}_cp={self.trainer.start_checkpoint}_model.th"
        file = resumption_paths.checkpoint_path / name
        self.average = torch.load(file, map_location=model.device)["state_dict"]

    def state_dict(self) -> dict[str, Any]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class SavesALongHistory(PeriodicCallback):
    """Saves all losses of the run, which are more numbers than the small model of the kit has."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = [0.0] * 100

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = list(state_dict["losses"])
