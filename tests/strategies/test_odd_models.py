"""Promises of drawn models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from tests.strategies.drawing import STEADY, smallest
from torch import nn

from noether_testkit import FakeRun, Subject, TrainingPlan
from noether_testkit.contract.compare import differences
from noether_testkit.contract.fake_harness import FakeHarness
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.errors import UnknownNameError
from noether_testkit.strategies import TRAITS, OddNetwork, Trait, models

Factory = Callable[[], nn.Module]


def trained(factory: Factory) -> nn.Module:
    """Returns the network after two updates, in eval mode."""
    with FakeRun(TrainingPlan(updates=2), network=factory) as run:
        run.train()
    return run.model.net


@settings(STEADY, max_examples=40)
@given(factory=models())
def test_drawn_models_train_and_round_trip(factory: Factory) -> None:
    """Two updates change the weights; a fresh model that loads them has the same state and the same answers."""
    torch.manual_seed(0)
    before = factory().state_dict()
    model, fresh = trained(factory), factory()
    assert differences(before, model.state_dict())
    fresh.load_state_dict(model.state_dict())
    assert differences(dict(model.state_dict()), dict(fresh.state_dict())) == []
    x = torch.linspace(-1, 1, 20).reshape(5, 4)
    with torch.no_grad():
        assert torch.equal(model(x=x)["y"], fresh.eval()(x=x)["y"])


@settings(STEADY, max_examples=40)
@given(factory=models())
def test_drawn_models_solve_the_default_problem(factory: Factory) -> None:
    """They answer one number a sample, for any batch, and each call of the factory makes a model of its own."""
    model = factory()
    for batch in (1, 3):
        answer = model(x=torch.ones(batch, 4))
        assert list(answer) == ["y"]
        assert (answer["y"].shape, answer["y"].dtype) == ((batch, 1), torch.float32)
    others = {id(parameter) for parameter in factory().parameters()}
    assert not others & {id(parameter) for parameter in model.parameters()}


@settings(STEADY, max_examples=10)
@given(factory=models())
def test_a_subject_takes_a_drawn_model(factory: Factory, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As it is."""
    subject = Subject(CallbackBase, model=factory)
    outcome = FakeHarness().train(subject, TrainingPlan(updates=2), folder=tmp_path_factory.mktemp("runs"))
    assert outcome.error is None
    assert outcome.updates == 2


def frozen(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if not parameter.requires_grad]


def tied(model: nn.Module) -> bool:
    return len(list(model.named_parameters())) < len(list(model.named_parameters(remove_duplicate=False)))


def dtypes(model: nn.Module) -> set[torch.dtype]:
    return {parameter.dtype for parameter in model.parameters()}


def without_parameters(module: nn.Module) -> bool:
    return not (isinstance(module, nn.Dropout) or [*module.parameters(), *module.buffers()])


HALLMARKS: dict[Trait, Callable[[nn.Module], Any]] = {
    "frozen-parameters": frozen,
    "tied-weights": tied,
    "integer-buffers": lambda model: any(each.dtype == torch.int32 for each in model.buffers()),
    "non-persistent-buffers": lambda model: {name for name, _ in model.named_buffers()} - set(model.state_dict()),
    "mixed-dtypes": lambda model: dtypes(model) >= {torch.float32, torch.float64, torch.bfloat16},
    "sub-models": lambda model: any(name.count(".") > 3 for name, _ in model.named_parameters()),
    "sub-model-without-parameters": lambda model: any(without_parameters(block) for block in model.blocks.values()),
    "batch-norm": lambda model: any(isinstance(module, nn.BatchNorm1d) for module in model.modules()),
    "dropout": lambda model: any(isinstance(module, nn.Dropout) for module in model.modules()),
}


@pytest.mark.parametrize("trait", TRAITS)
def test_every_trait_is_drawn_and_shows(trait: Trait) -> None:
    """Alone, in the smallest model that has it; a plain linear model does not show it."""
    factory = smallest(models(), lambda factory: bool(HALLMARKS[trait](factory())))
    assert factory.keywords == {"traits": (trait,)}
    assert not HALLMARKS[trait](OddNetwork())


def test_all_traits_come_together() -> None:
    """A model can have all of them, and still trains."""
    everything = smallest(models(), lambda factory: len(factory.keywords["traits"]) == len(TRAITS))
    assert differences(everything().state_dict(), trained(everything).state_dict())


def test_models_shrink_to_a_linear_layer() -> None:
    """Without any trait."""
    assert [name for name, _ in smallest(models())().named_parameters()] == ["head.weight", "head.bias"]


@settings(STEADY, max_examples=30)
@given(factory=models(traits=("batch-norm", "tied-weights")))
def test_traits_can_be_restricted(factory: partial[nn.Module]) -> None:
    """Then no other one is drawn."""
    assert set(factory.keywords["traits"]) <= {"batch-norm", "tied-weights"}


def test_no_traits_leave_the_plain_model() -> None:
    """That is a way to draw nothing odd."""
    assert smallest(models(traits=())).keywords == {"traits": ()}


def test_an_unknown_trait_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(UnknownNameError, match="Did you mean 'batch-norm'"):
        models(traits=("batchnorm",))  # type: ignore[arg-type]
