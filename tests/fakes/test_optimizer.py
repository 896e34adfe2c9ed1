"""Promises of the optimiser."""

from __future__ import annotations

import pytest
import torch

from noether_testkit.fakes import FakeModel, FakeOptimizer


@pytest.fixture
def model() -> FakeModel:
    return FakeModel().initialize()


@pytest.fixture
def optimizer(model: FakeModel) -> FakeOptimizer:
    assert model.optimizer is not None
    return model.optimizer


def test_biases_and_vectors_form_a_group_of_their_own(optimizer: FakeOptimizer) -> None:
    """Groups are named, know their first rate, and hold frozen parameters, too."""
    groups = {group["name"]: group for group in optimizer.torch_optim.param_groups}
    assert groups.keys() == {"default", "weight_decay=0"}
    assert all(parameter.ndim > 1 for parameter in groups["default"]["params"])
    assert all(parameter.ndim < 2 for parameter in groups["weight_decay=0"]["params"])
    assert {group["initial_lr"] for group in groups.values()} == {0.05}
    assert any(not parameter.requires_grad for parameter in groups["weight_decay=0"]["params"])


def test_parameters_are_named_in_the_order_of_the_groups(model: FakeModel, optimizer: FakeOptimizer) -> None:
    """Index and name belong to the same parameter."""
    parameters = [parameter for group in optimizer.torch_optim.param_groups for parameter in group["params"]]
    named = dict(model.named_parameters())
    assert [
        named[name] is parameter
        for name, parameter in zip(optimizer.param_idx_to_name.values(), parameters, strict=True)
    ] == [True] * len(named)


def test_a_step_changes_the_weights_and_clearing_removes_the_gradients(
    model: FakeModel, optimizer: FakeOptimizer
) -> None:
    """Cleared gradients are gone, unless zeros are asked for."""
    before = model.net.head.weight.detach().clone()
    model(x=torch.randn(4, 4))["y"].sum().backward()
    optimizer.step()
    assert not torch.equal(model.net.head.weight, before)
    optimizer.zero_grad(set_to_none=False)
    assert not model.net.head.weight.grad.any()
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_state_goes_to_another_optimiser_without_the_options_of_the_groups(
    model: FakeModel, optimizer: FakeOptimizer
) -> None:
    """Momentum comes back, a changed rate does not."""
    model(x=torch.randn(4, 4))["y"].sum().backward()
    optimizer.step()
    optimizer.torch_optim.param_groups[0]["lr"] = 1.0
    other = FakeModel().initialize().optimizer
    other.load_state_dict(optimizer.state_dict())
    assert other.torch_optim.param_groups[0]["lr"] == 0.05
    mine, theirs = optimizer.state_dict()["state"], other.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    for index, state in mine.items():
        assert torch.equal(state["momentum_buffer"], theirs[index]["momentum_buffer"])


def test_there_is_no_schedule(optimizer: FakeOptimizer) -> None:
    """Moving it on changes nothing."""
    assert (optimizer.schedule, optimizer.weight_decay_schedule, optimizer.all_parameters) == (None, None, None)
    before = optimizer.torch_optim.param_groups[0]["lr"]
    optimizer.schedule_step()
    assert optimizer.torch_optim.param_groups[0]["lr"] == before
