"""Verified behaviours of the optimiser's state: saved, and loaded into another or an older model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tests.verified.worlds import World
from torch import nn


class Grown(nn.Module):
    """Two layers, and perhaps one more between them."""

    def __init__(self, *, is_grown: bool) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        if is_grown:
            self.n = nn.Linear(4, 4)
        self.b = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.b(self.a(x))}


def momenta(optimiser: Any) -> dict[str, Any]:
    state = optimiser.state_dict()
    return {state["param_idx_to_name"][index]: each["momentum_buffer"] for index, each in state["state"].items()}


def trained(world: World, *, is_grown: bool) -> Any:
    return world.run(network=lambda: Grown(is_grown=is_grown)).train().model.optimizer


def fresh(world: World, *, is_grown: bool) -> Any:
    return world.run(network=lambda: Grown(is_grown=is_grown)).model.initialize().optimizer


def test_a_state_is_matched_by_the_names_of_parameters(world: World) -> None:
    """Those that the model does not have any more are left out."""
    saved, optimiser = trained(world, is_grown=True), fresh(world, is_grown=False)
    optimiser.load_state_dict(saved.state_dict())
    theirs, mine = momenta(saved), momenta(optimiser)
    assert set(mine) == {"net.a.weight", "net.a.bias", "net.b.weight", "net.b.bias"}
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_parameter_that_a_state_lacks_is_refused(world: World) -> None:
    """The model has grown."""
    with pytest.raises(KeyError):
        fresh(world, is_grown=True).load_state_dict(trained(world, is_grown=False).state_dict())


def test_a_state_without_names_is_loaded_as_torch_does(world: World) -> None:
    """With the options of its groups."""
    optimiser = trained(world, is_grown=False)
    state = copy.deepcopy(optimiser.torch_optim.state_dict())
    for group in state["param_groups"]:
        group["lr"] = 7.0
    for each in state["state"].values():
        each["momentum_buffer"].zero_()
    optimiser.load_state_dict(state)
    assert [group["lr"] for group in optimiser.torch_optim.param_groups] == [7.0, 7.0]
    assert not any(momentum.any() for momentum in momenta(optimiser).values())


def test_a_state_from_before_the_first_step_clears_the_momenta(world: World) -> None:
    """There is none in it."""
    optimiser = trained(world, is_grown=False)
    optimiser.load_state_dict(fresh(world, is_grown=False).state_dict())
    assert momenta(optimiser) == {}


def test_an_optimiser_is_printed_as_torchs(world: World) -> None:
    """By the name of its class."""
    assert str(fresh(world, is_grown=False)) == "SGD"
