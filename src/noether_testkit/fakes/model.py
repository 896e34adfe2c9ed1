"""Fake of the model, and the network of the default problem."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Self

import torch
from pydantic import BaseModel
from torch import nn

from noether_testkit.fakes.optimizer import FakeOptimizer
from noether_testkit.fakes.strict import refuse


class DefaultNetwork(nn.Module):
    """The network of the default problem.

    Small, but with what trips callbacks up: batch normalisation, dropout, a tied weight, a frozen
    parameter and integer buffers.
    """

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(2)
        self.dropout = nn.Dropout(0.1)
        self.mixer = nn.Linear(4, 4)
        self.unmixer = nn.Linear(4, 4)
        self.unmixer.weight = self.mixer.weight
        self.scale = nn.Parameter(torch.ones(4), requires_grad=False)
        self.head = nn.Linear(4, 1)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Computes `y`, float32 `(batch, 1)`, from `x`, float32 `(batch, 4)`."""
        if self.training:
            self.calls += 1
        hidden = self.norm(self.encoder(x).unflatten(1, (2, 2))).flatten(1)
        hidden = self.unmixer(torch.relu(self.mixer(self.dropout(hidden))))
        return {"y": self.head(hidden * self.scale)}


class FakeModelConfig(BaseModel):
    """The model's config, as checkpoints keep it."""

    kind: str = "noether_testkit.fakes.FakeModel"
    name: str
    is_frozen: bool = False


class FakeModel(nn.Module):
    """Wraps a network as the framework's model does.

    Args:
        network: Called with the forward properties as keywords; answers a mapping of tensors.
        name: First part of the names of its checkpoints.
        is_frozen: Whether nothing of it is trained: it has no optimiser then, and stays in eval mode.
        update_counter: The counter of the run.
        path_provider: The paths of the run.
        data_container: The data sets of the run.

    Attributes:
        net: The network; only the kit has it under this name.
        name: Name of the model.
        is_initialized: Whether the trainer has prepared the model; false while callbacks are built.
        fault: Called with the inputs before each forward pass; only the kit has it.
    """

    _stands_for = "Model"
    _kit_only = frozenset({"fault", "net"})
    _not_faked = frozenset({"apply_initializers", "initialize_optimizer", "initialize_weights"})

    def __init__(
        self,
        network: nn.Module | None = None,
        name: str = "model",
        *,
        is_frozen: bool = False,
        update_counter: Any = None,
        path_provider: Any = None,
        data_container: Any = None,
    ) -> None:
        super().__init__()
        self.net = DefaultNetwork() if network is None else network
        self.name = name
        self.model_config = FakeModelConfig(name=name, is_frozen=is_frozen)
        self.update_counter = update_counter
        self.path_provider = path_provider
        self.data_container = data_container
        self.initializers: list[Any] = []
        self.logger = logging.getLogger("FakeModel")
        self.is_initialized = False
        self.fault: Callable[[dict[str, Any]], None] | None = None
        self._is_frozen = is_frozen
        self._optimizer: FakeOptimizer | None = None
        self._device = torch.device("cpu")

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Calls the network with the forward properties."""
        if self.fault is not None:
            self.fault(inputs)
        outputs: dict[str, torch.Tensor] = self.net(**inputs)
        return outputs

    def initialize(self) -> FakeModel:
        """Prepares the model for training: called by the trainer after all callbacks are built."""
        self.is_initialized = True
        if self._is_frozen:
            self.eval().requires_grad_(requires_grad=False)
        else:
            self._optimizer = FakeOptimizer(self)
        return self

    def train(self, mode: bool = True) -> FakeModel:
        """Switches the mode of all sub-modules: as in torch, without its cost for each attribute.

        A frozen model stays in eval mode.
        """
        mode = mode and not self._is_frozen
        pending: list[nn.Module] = [self]
        while pending:
            module = pending.pop()
            module.__dict__["training"] = mode
            for child in module._modules.values():  # noqa: SLF001 - named_children() costs as much as the switch
                if child is None:
                    continue
                own = type(child).train is not nn.Module.train or "train" in child.__dict__
                if own or isinstance(child, torch.jit.ScriptModule):
                    child.train(mode)
                else:
                    pending.append(child)
        return self

    def to(self, device: Any, *args: Any, **kwargs: Any) -> Self:  # type: ignore[override]  # the framework's signature
        """Moves the model; unlike torch's, it always takes a device, and no data type in its place.

        With `None` for the device it does nothing at all, as in the framework.

        Raises:
            TypeError: `device` is a data type or a tensor.
        """
        if isinstance(device, torch.dtype | torch.Tensor):
            raise TypeError(
                f"The framework's Model.to takes a device first, not {device!r}. "
                "Give the device, and the data type by keyword: model.to(model.device, dtype=…)."
            )
        if device is None:
            return self
        nn.Module.to(self, *args, **{"device": device, **kwargs})
        self._device = torch.device(device)
        return self

    @property
    def optimizer(self) -> FakeOptimizer | None:
        """The optimiser, or `None` before the model is initialised and for a frozen model."""
        return self._optimizer

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self._device

    @property
    def is_frozen(self) -> bool:
        """Whether the model was made frozen; parameters that are frozen later do not count."""
        return self._is_frozen

    @property
    def param_count(self) -> int:
        """Numbers in all parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def trainable_param_count(self) -> int:
        """Numbers in the trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def frozen_param_count(self) -> int:
        """Numbers in the frozen parameters."""
        return self.param_count - self.trainable_param_count

    @property
    def nograd_paramnames(self) -> list[str]:
        """Names of the trained parameters that have no gradient at this moment."""
        return [name for name, each in self.named_parameters() if each.requires_grad and each.grad is None]

    def get_named_models(self) -> dict[str, FakeModel]:
        """Returns the model by its name; a composite one would return its parts."""
        return {self.name: self}

    def optimizer_step(self, grad_scaler: Any) -> None:
        """Changes the weights by their gradients."""
        if self._optimizer is not None:
            self._optimizer.step(grad_scaler)

    def optimizer_zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients."""
        if self._optimizer is not None:
            self._optimizer.zero_grad(set_to_none)

    def optimizer_schedule_step(self) -> None:
        """Moves the schedule on."""
        if self._optimizer is not None:
            self._optimizer.schedule_step()

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return refuse(self, name)
