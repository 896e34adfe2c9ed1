"""Callbacks around `loads-state-from-another-device`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "loads-state-from-another-device"


@guilty(CHECK)
class GoesOnWhereItWasSaved(PeriodicCallback):
    """Goes on with the loaded tensor on the device and in the dtype in which it came.

    See https://github.com/mosaicml/composer/pull/1003 (B195).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: torch.Tensor | None = None

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if self.average is None:
            self.average = self.weights().clone()
        self.average.lerp_(self.weights(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = state_dict["average"]


@guilty(CHECK)
class ComparesWithALoadedTensor(PeriodicCallback):
    """Compares each loss with a loaded one, which on the second GPU lies on the first."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best: Any = None

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        total = losses["total"]
        self.best = total.clone() if self.best is None else torch.minimum(self.best, total)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class SavesOnTheHost(PeriodicCallback):
    """Saves copies on the CPU, as it should, and forgets to move them back."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: torch.Tensor | None = None

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        average = self.weights() if self.average is None else self.average
        self.average = average + 0.1 * (self.weights() - average)

    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.cpu()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = state_dict["average"]


@guilty(CHECK)
class MultipliesByALoadedMatrix(PeriodicCallback):
    """Projects the weights with a matrix that keeps the dtype in which it came."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.matrix = torch.eye(4).to(self.weights())

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar(f"{self.checkpoint_key}/projected", (self.matrix @ self.weights()).sum())

    def state_dict(self) -> dict[str, Any]:
        return {"matrix": self.matrix.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.matrix = state_dict["matrix"]


@guilty(CHECK)
class MovesInItsConstructor(PeriodicCallback):
    """Moves its tensor when it is built, and not when it is loaded.

    See https://github.com/mosaicml/composer/pull/2088 (B196).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.total = torch.zeros(4).to(self.model.device)

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.total = self.total + self.weights()

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.total = state_dict["total"]


@innocent(CHECK)
class MovesWhatItLoads(PeriodicCallback):
    """Brings the loaded tensor to the device and the dtype of the weights."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: torch.Tensor | None = None

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if self.average is None:
            self.average = self.weights().clone()
        self.average.lerp_(self.weights(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        average = state_dict["average"]
        self.average = average if average is None else average.to(self.model.device, torch.float32)


@innocent(CHECK)
class CopiesIntoWhatIsThere(PeriodicCallback):
    """Copies the loaded values into its own tensor."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(4)

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.average = self.average.to(self.model.device)

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.average.lerp_(self.weights(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average.copy_(state_dict["average"])


@innocent(CHECK)
class MovesWhenItIsUsed(PeriodicCallback):
    """Moves the loaded tensor at the first update, to whatever it meets."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: torch.Tensor | None = None

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        weights = self.weights()
        average = weights if self.average is None else self.average.to(weights)
        self.average = average.lerp(weights, 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = state_dict["average"]


@innocent(CHECK)
class LoadsNumbers(PeriodicCallback):
    """Takes plain numbers out of the tensors."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def state_dict(self) -> dict[str, Any]:
        return {"best": torch.tensor(self.best)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"].item()


@innocent(CHECK)
class CountsOnTheHost(PeriodicCallback):
    """Keeps its counts on the CPU for life, and brings there what it counts."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.counts = torch.zeros(4)

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def periodic_callback(self, **_: Any) -> None:
        self.counts = self.counts + self.weights().cpu().sign()

    def state_dict(self) -> dict[str, Any]:
        return {"counts": self.counts.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.counts = state_dict["counts"]


@innocent(CHECK)
class RefusesAnotherDtype(PeriodicCallback):
    """Says clearly that it goes on in the dtype of the checkpoint only."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(4)

    def weights(self) -> torch.Tensor:
        return torch.cat([value.detach().flatten() for value in self.model.parameters()])[:4]

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.average = self.average.to(self.model.device).lerp(self.weights(), 0.1)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["average"].dtype != torch.float32:
            raise ValueError("The average was saved in another precision; resume with precision float32.")
        self.average = state_dict["average"]


@innocent(CHECK)
class SumsInDoublePrecision(PeriodicCallback):
    """Keeps its moments in float64 whatever the weights are; they are saved and come back so."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.moments = torch.eye(2, dtype=torch.float64)

    def periodic_callback(self, **_: Any) -> None:
        values = torch.tensor([self.writer.log_cache["mse"], 1.0], dtype=torch.float64)
        self.moments = self.moments + torch.outer(values, values)
        self.writer.add_scalar(f"{self.checkpoint_key}/determinant", torch.linalg.det(self.moments).item())

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self.moments.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.moments = state_dict["moments"].clone()


@innocent(CHECK)
class ReadsItsEdgesAsAnArray(PeriodicCallback):
    """Has edges of bins in its state, in float32 for life, and reads them with NumPy."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.edges = torch.linspace(0, 1, 5)

    def periodic_callback(self, **_: Any) -> None:
        bin_of_the_loss = int(self.edges.numpy().searchsorted(self.writer.log_cache["mse"]))
        self.writer.add_scalar(f"{self.checkpoint_key}/bin", bin_of_the_loss)

    def state_dict(self) -> dict[str, Any]:
        return {"edges": self.edges.clone()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.edges = state_dict["edges"].cpu()
