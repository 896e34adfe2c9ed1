"""Fake of the model, with its optimiser, and the network of the default problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from noether_testkit.fakes.strict import unknown_attribute


class DefaultNetwork(nn.Module):
    """The network of the default problem.

    Small, but with what trips callbacks up: batch normalisation, dropout, a tied weight, a frozen
    parameter and integer buffers.
    """

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


class FakeOptimizer:
    """The optimiser of a model, stepped by the trainer.

    Attributes:
        torch_optim: The torch optimiser that does the work.
        schedule: No schedule.
        weight_decay_schedule: No schedule.
    """

    stands_for = "OptimizerWrapper"

    def __init__(self, model: FakeModel, learning_rate: float = 0.05) -> None:
        self.model = model
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.torch_optim = torch.optim.SGD(trained, lr=learning_rate, momentum=0.9)
        self.schedule = None
        self.weight_decay_schedule = None

    def step(self, grad_scaler: Any = None) -> None:
        """Changes the weights by their gradients."""
        self.torch_optim.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients."""
        self.torch_optim.zero_grad(set_to_none)

    def schedule_step(self) -> None:
        """Does nothing: there is no schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of the torch optimiser."""
        return self.torch_optim.state_dict()

    def load_state_dict(self, state_dict_to_load: dict[str, Any]) -> None:
        """Takes back the state, but for the options of the groups: those come from the constructor."""
        groups = self.torch_optim.state_dict()["param_groups"]
        self.torch_optim.load_state_dict({"state": state_dict_to_load["state"], "param_groups": groups})

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(unknown_attribute(self, name), name=name, obj=self)


class FakeModel(nn.Module):
    """Wraps a network as the framework's model does.

    Args:
        network: Called with the forward properties as keywords; answers a mapping of tensors.
        name: First part of the names of its checkpoints.

    Attributes:
        net: The network.
        name: Name of the model.
        is_initialized: Whether the trainer has prepared the model; false while callbacks are built.
        fault: Called with the inputs before each forward pass.
    """

    stands_for = "Model"

    def __init__(self, network: nn.Module | None = None, name: str = "model") -> None:
        super().__init__()
        self.net = DefaultNetwork() if network is None else network
        self.name = name
        self.is_initialized = False
        self.fault: Callable[[dict[str, Any]], None] | None = None
        self._optimizer: FakeOptimizer | None = None

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Calls the network with the forward properties."""
        if self.fault is not None:
            self.fault(inputs)
        outputs: dict[str, torch.Tensor] = self.net(**inputs)
        return outputs

    def initialize(self) -> FakeModel:
        """Prepares the model for training: called by the trainer after all callbacks are built."""
        self.is_initialized = True
        if not self.is_frozen:
            self._optimizer = FakeOptimizer(self)
        return self

    @property
    def optimizer(self) -> FakeOptimizer | None:
        """The optimiser, or `None` before the model is initialised and for a frozen model."""
        return self._optimizer

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return torch.device("cpu")

    @property
    def is_frozen(self) -> bool:
        """Whether no parameter is trained."""
        return not any(parameter.requires_grad for parameter in self.parameters())

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
        """Names of the parameters without a gradient."""
        return [name for name, parameter in self.named_parameters() if parameter.grad is None]

    def get_named_models(self) -> dict[str, FakeModel]:
        """Returns the model by its name; a composite one would return its parts."""
        return {self.name: self}

    def optimizer_step(self, grad_scaler: Any = None) -> None:
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
            raise AttributeError(unknown_attribute(self, name), name=name, obj=self) from None
