"""Fake of the optimiser of a model."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from noether_testkit.fakes.strict import Strict

LEARNING_RATE = 0.05
MOMENTUM = 0.9
"""What the default problem is optimised with, so that the optimiser has a state to save."""


class FakeOptimizer(Strict):
    """The optimiser of a model, stepped by the trainer.

    As in the framework, biases and other parameters of at most one dimension form a group of their own,
    which no weight decay would touch, and frozen parameters are in the groups, too.

    Args:
        model: The model, with the update counter of the run.
        learning_rate: The rate of all groups.

    Attributes:
        torch_optim: The torch optimiser that does the work, with `param_groups`.
        param_idx_to_name: Names of the parameters by their index in the saved groups.
        schedule: No schedule.
        weight_decay_schedule: No schedule.
        all_parameters: Set in the framework where gradients are clipped, `None` here.
    """

    _stands_for = "OptimizerWrapper"
    _not_faked = frozenset({"config"})

    def __init__(self, model: Any, learning_rate: float = LEARNING_RATE) -> None:
        self.model = model
        self.update_counter = model.update_counter
        self.logger = logging.getLogger("FakeOptimizer")
        groups = _grouped(model.named_parameters())
        self.torch_optim = torch.optim.SGD(
            [{"params": list(named.values()), **options} for options, named in groups],
            lr=learning_rate,
            momentum=MOMENTUM,
            weight_decay=0.0,
        )
        for group in self.torch_optim.param_groups:
            group["initial_lr"] = learning_rate
        self.param_idx_to_name = dict(enumerate(name for _, named in groups for name in named))
        self.schedule = None
        self.weight_decay_schedule = None
        self.all_parameters = None

    def step(self, grad_scaler: Any = None) -> None:
        """Changes the weights by their gradients."""
        if grad_scaler is None:
            self.torch_optim.step()
            return
        grad_scaler.step(self.torch_optim)
        grad_scaler.update()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients."""
        if not set_to_none:
            self.torch_optim.zero_grad(set_to_none=False)
            return
        for group in self.torch_optim.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def schedule_step(self) -> None:
        """Does nothing: there is no schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of the torch optimiser, and the names of its parameters."""
        return {**self.torch_optim.state_dict(), "param_idx_to_name": dict(self.param_idx_to_name)}

    def load_state_dict(self, state_dict_to_load: dict[str, Any]) -> None:
        """Takes back the state by the names of the parameters.

        The options of the groups come from the constructor then. What torch's own optimiser gave has no names, and is
        loaded as torch does, with its groups.

        Raises:
            KeyError: The state has no parameter of that name.
        """
        if "param_idx_to_name" not in state_dict_to_load:
            self.torch_optim.load_state_dict(state_dict_to_load)
            return
        saved, indices = (
            state_dict_to_load["state"],
            {name: index for index, name in state_dict_to_load["param_idx_to_name"].items()},
        )
        current = self.torch_optim.state_dict()
        for group in current["param_groups"]:
            for index in group["params"]:
                saved_index = indices[self.param_idx_to_name[index]]
                if saved_index in saved:
                    current["state"][index] = saved[saved_index]
                else:
                    current["state"].pop(saved_index, None)
        self.torch_optim.load_state_dict(current)

    def __str__(self) -> str:
        return type(self.torch_optim).__name__


def _grouped(parameters: Iterable[tuple[str, nn.Parameter]]) -> list[tuple[dict[str, Any], dict[str, nn.Parameter]]]:
    """Returns the options and the named parameters of each group, groups in order of their first parameter."""
    groups: dict[str, dict[str, nn.Parameter]] = {}
    for name, parameter in parameters:
        decays = parameter.ndim > 1 and not name.endswith(".bias")
        groups.setdefault("default" if decays else "weight_decay=0", {})[name] = parameter
    return [(_options(group), named) for group, named in groups.items()]


def _options(group: str) -> dict[str, Any]:
    """Returns what a group has of its own, in the order in which the framework saves it."""
    return {"name": group} if group == "default" else {"weight_decay": 0.0, "name": group}
