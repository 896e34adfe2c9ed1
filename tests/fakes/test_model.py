"""Promises of the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.fakes import DefaultNetwork, FakeModel, FakeRun


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def test_a_constructor_meets_an_unprepared_model() -> None:
    """Not initialised, without an optimiser, in train mode, as a fresh module is."""
    seen: list[tuple[bool, Any, bool]] = []

    class Looks(CallbackBase):
        def __init__(self, **collaborators: Any) -> None:
            super().__init__(**collaborators)
            seen.append((self.model.is_initialized, self.model.optimizer, self.model.training))

    run = FakeRun()
    run.train(Looks)
    assert seen == [(False, None, True)]
    assert run.model.is_initialized


def test_the_model_answers_by_keyword(model: FakeModel) -> None:
    """Inputs come as the forward properties, outputs as a mapping."""
    outputs = model(x=torch.ones(3, 4))
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {"y": (3, 1)}
    with pytest.raises(TypeError):
        model(torch.ones(3, 4))


def test_parameters_are_counted(model: FakeModel) -> None:
    """Tied weights count once, frozen ones apart."""
    assert model.param_count == sum(parameter.numel() for parameter in model.parameters())
    assert model.frozen_param_count == 4
    assert model.trainable_param_count == model.param_count - 4


def test_parameters_without_gradients_are_named(model: FakeModel) -> None:
    """Frozen parameters never have one and are not meant."""
    assert "net.head.weight" in model.nograd_paramnames
    assert "net.scale" not in model.nograd_paramnames
    model(x=torch.ones(3, 4))["y"].sum().backward()
    assert model.nograd_paramnames == []


def test_a_model_knows_its_run() -> None:
    """Counter, paths and data are those of the trainer."""
    run = FakeRun()
    assert run.model.update_counter is run.update_counter
    assert run.model.path_provider is run.path_provider
    assert run.model.data_container is run.data_container
    assert run.model.get_named_models() == {"model": run.model}
    assert (run.model.name, run.model.model_config.name, run.model.device.type) == ("model", "model", "cpu")


def test_a_frozen_model_has_no_optimiser() -> None:
    """Its steps do nothing."""
    model = FakeModel(nn.Linear(4, 1), is_frozen=True).initialize()
    assert model.is_frozen
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.optimizer is None
    model.optimizer_step(None)
    model.optimizer_schedule_step()
    model.optimizer_zero_grad()


def test_the_mode_goes_to_all_sub_modules(model: FakeModel) -> None:
    """As in torch: whatever a sub-module had is overwritten."""
    model.net.norm.eval()
    assert model.train() is model
    assert all(module.training for module in model.modules())
    model.eval()
    assert not any(module.training for module in model.modules())


def test_sub_modules_with_a_mode_of_their_own_are_asked(model: FakeModel) -> None:
    """A layer that overrides `train`, by its class or on itself, decides for itself and for what is below it."""

    class AlwaysEval(nn.Sequential):
        def train(self, mode: bool = True) -> AlwaysEval:
            return super().train(mode=False)

    asked: list[bool] = []
    model.net.frozen = AlwaysEval(nn.Linear(1, 1))
    model.net.head.train = asked.append  # type: ignore[assignment]
    model.net.register_module("nothing", None)
    model.train()
    assert not model.net.frozen.training
    assert not model.net.frozen[0].training
    assert model.net.norm.training
    assert asked == [True]


def test_a_forward_pass_fails_on_demand(model: FakeModel) -> None:
    """The fault sees the inputs before the network does."""
    seen: list[list[str]] = []
    model.fault = lambda inputs: seen.append(list(inputs))
    model(x=torch.ones(2, 4))
    assert seen == [["x"]]


def test_the_default_network_has_what_trips_callbacks_up() -> None:
    """A tied weight, a frozen parameter, batch statistics, dropout and an integer buffer that counts."""
    network = DefaultNetwork()
    assert network.unmixer.weight is network.mixer.weight
    assert not network.scale.requires_grad
    assert {"norm.running_mean", "norm.num_batches_tracked", "calls"} <= dict(network.named_buffers()).keys()
    network.train()(x=torch.ones(2, 4))
    network.eval()(x=torch.ones(2, 4))
    assert network.calls.item() == 1


def test_moving_takes_a_device_first(model: FakeModel) -> None:
    """A data type alone is refused, as the framework refuses it; a move is seen in `device`."""
    for wrong in (torch.float64, torch.zeros(1)):
        with pytest.raises(TypeError, match="takes a device first"):
            model.to(wrong)
    with pytest.raises(TypeError, match="device"):
        model.to(dtype=torch.float64)
    assert model.to("cpu", dtype=torch.float64) is model
    assert model.net.head.weight.dtype is torch.float64
    assert model.to("meta").device == torch.device("meta")
