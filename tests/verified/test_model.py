"""Verified behaviours of the model and of its optimiser."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tests.verified.worlds import World
from torch import nn

from noether_testkit import TrainingPlan


class Small(nn.Module):
    """A layer with weight and bias, an embedding that is frozen, and a scale without dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.frozen = nn.Parameter(torch.ones(2, 3), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.layer(x) * self.scale}


class Scripted(nn.Module):
    """A part of it is compiled by TorchScript, and drops out half of its values in training."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.part(x)}


def initialised(world: World, network: Any = Small) -> Any:
    run = world.run(network=network)
    run.model.initialize()
    return run.model


def names_of_groups(model: Any) -> list[tuple[str, float, list[str]]]:
    known = {id(parameter): name.removeprefix("net.") for name, parameter in model.named_parameters()}
    return [
        (group["name"], group["weight_decay"], [known[id(parameter)] for parameter in group["params"]])
        for group in model.optimizer.torch_optim.param_groups
    ]


def test_a_model_knows_its_name_device_and_parts(world: World) -> None:
    """It is its only named model."""
    run = world.run()
    assert (run.model.name, run.model.device) == ("model", torch.device("cpu"))
    assert run.model.get_named_models() == {"model": run.model}
    assert run.model.data_container is run.data_container
    assert run.model.update_counter is run.update_counter
    assert run.model.model_config.name == "model"


def test_parameters_are_counted_by_numbers(world: World) -> None:
    """Trained and frozen ones."""
    model = world.run(network=Small).model
    assert (model.param_count, model.trainable_param_count, model.frozen_param_count) == (12, 6, 6)
    assert not model.is_frozen


def test_parameters_without_a_gradient_are_named(world: World) -> None:
    """Only the trained ones."""
    model = world.run(network=Small).model
    assert {name.removeprefix("net.") for name in model.nograd_paramnames} == {"layer.weight", "layer.bias", "scale"}
    model(x=torch.ones(2, 4))["y"].sum().backward()
    assert model.nograd_paramnames == []


def test_a_model_has_no_optimiser_before_it_is_initialised(world: World) -> None:
    """Initialising answers the model itself."""
    model = world.run().model
    assert (model.is_initialized, model.optimizer) == (False, None)
    assert model.initialize() is model
    assert model.is_initialized
    assert model.optimizer is not None


def test_a_model_takes_its_inputs_by_keyword(world: World) -> None:
    """And answers named tensors."""
    model = world.run().model
    assert set(model(x=torch.ones(2, 4))) == {"y"}


@pytest.mark.parametrize("wrong", [torch.float64, torch.zeros(1)], ids=["dtype", "tensor"])
def test_a_model_is_moved_by_its_device_first(world: World, wrong: Any) -> None:
    """Not by a data type or a tensor alone, as torch would."""
    model = world.run().model
    assert model.to("cpu") is model
    with pytest.raises(TypeError):
        model.to(wrong)
    with pytest.raises(TypeError):
        model.to(dtype=torch.float64)


def test_a_model_that_is_moved_nowhere_stays_as_it_is(world: World) -> None:
    """Its data type, too."""
    model = world.run().model
    assert model.to(None, dtype=torch.float64) is model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_part_of_a_model_changes_its_mode(world: World) -> None:
    """In what it computes, too."""
    model = world.run(network=Scripted).model.train()
    inputs = torch.ones(8, 4)
    assert not torch.equal(model(x=inputs)["y"], model(x=inputs)["y"])
    model.eval()
    assert not model.net.part.training
    assert torch.equal(model(x=inputs)["y"], model(x=inputs)["y"])


def test_a_copy_of_a_model_has_weights_of_its_own(world: World) -> None:
    """A deep copy works."""
    model = world.run(network=Small).model
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert model.net.scale.item() == 1.0
    assert copied.name == "model"


def test_parameters_of_one_dimension_form_a_group_without_weight_decay(world: World) -> None:
    """Groups in order of their first parameter; frozen parameters are in them, too."""
    assert sorted(names_of_groups(initialised(world))) == [
        ("default", 0.0, ["frozen", "layer.weight"]),
        ("weight_decay=0", 0.0, ["scale", "layer.bias"]),
    ]


def test_a_group_knows_its_first_learning_rate(world: World) -> None:
    """Besides its learning rate."""
    groups = initialised(world).optimizer.torch_optim.param_groups
    assert all(group["initial_lr"] == group["lr"] > 0 for group in groups)


def test_the_groups_are_one_step_further_than_in_torch(world: World) -> None:
    """The wrapper has none."""
    optimiser = initialised(world).optimizer
    with pytest.raises(AttributeError):
        optimiser.param_groups  # noqa: B018
    assert isinstance(optimiser.torch_optim, torch.optim.Optimizer)
    assert (optimiser.schedule, optimiser.weight_decay_schedule, optimiser.all_parameters) == (None, None, None)


def test_the_state_of_an_optimiser_names_its_parameters(world: World) -> None:
    """By their index in the groups."""
    state = initialised(world).optimizer.state_dict()
    assert set(state) == {"state", "param_groups", "param_idx_to_name"}
    names = state["param_idx_to_name"]
    indices = [index for group in state["param_groups"] for index in group["params"]]
    assert {int(index) for index in names} == set(indices)


def test_an_optimiser_takes_its_state_back_without_the_groups(world: World) -> None:
    """A learning rate that was changed is not loaded."""
    optimiser = initialised(world).optimizer
    rate = optimiser.torch_optim.param_groups[0]["lr"]
    state = copy.deepcopy(optimiser.state_dict())
    for group in state["param_groups"]:
        group["lr"] = 7.0
    optimiser.load_state_dict(state)
    assert [group["lr"] for group in optimiser.torch_optim.param_groups] == [rate, rate]


def test_a_step_changes_the_weights_by_their_gradients(world: World) -> None:
    """Then the gradients are cleared: removed, or zeroed where that is asked for."""
    model = initialised(world)
    before = model.net.layer.weight.detach().clone()
    model(x=torch.ones(2, 4))["y"].sum().backward()
    model.optimizer_step(None)
    model.optimizer_schedule_step()
    assert not torch.equal(model.net.layer.weight, before)
    model.optimizer_zero_grad(set_to_none=False)
    assert not model.net.layer.weight.grad.any()
    model.optimizer_zero_grad()
    assert model.net.layer.weight.grad is None


def test_a_frozen_parameter_stays_as_it_is_in_training(world: World) -> None:
    """Though the optimiser knows it."""
    run = world.run(network=Small).train()
    assert torch.equal(run.model.net.frozen, torch.ones(2, 3))
    assert not torch.equal(run.model.net.scale, torch.ones(()))


def test_a_model_refuses_what_it_lacks(world: World) -> None:
    """As any module."""
    with pytest.raises(AttributeError):
        world.run().model.param_counts  # noqa: B018


def test_a_run_of_one_update_is_one_step_of_the_optimiser(world: World) -> None:
    """With accumulation, too."""
    calls: list[int] = []
    run = world.run(TrainingPlan(epochs=1, dataset_size=2, accumulation_steps=2))
    original = run.model.optimizer_step
    run.model.optimizer_step = lambda *positional, **named: (calls.append(1), original(*positional, **named))[1]
    run.train()
    assert calls == [1]
