"""Probes see what changed between two moments, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
import torch
from torch import nn

from noether_testkit.contract.probes import (
    AutogradProbe,
    ModeProbe,
    WeightProbe,
    recorded_operations,
    watching,
)
from noether_testkit.contract.probes.autograd import restored_modes


class Odd(nn.Module):
    """Has weights of many kinds, a buffer that is not saved, and a tied weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.rounded = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
        self.whole = nn.Parameter(torch.zeros(2))
        self.tied = self.whole
        self.steps: torch.Tensor
        self.cache: torch.Tensor
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("cache", torch.zeros(2), persistent=False)


@pytest.fixture
def model() -> Odd:
    return Odd()


@pytest.fixture(autouse=True)
def _modes_as_found() -> Iterator[None]:
    with restored_modes():
        yield


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda model: model.whole.data.add_(1e-7), "whole"),
        (lambda model: model.rounded.data.add_(0.01), "rounded"),
        (lambda model: model.steps.add_(1), "steps"),
        (lambda model: model.cache.add_(1), "cache"),
        (lambda model: model.whole.data.fill_(float("nan")), "whole"),
        (lambda model: model.whole.data.neg_(), "whole"),
        (lambda model: setattr(model.cache, "data", torch.zeros(3)), "cache"),
        (lambda model: model.double(), "layer.0.weight"),
        (lambda model: model.layer(torch.ones(2, 2)), "layer.1.running_mean"),
    ],
    ids=["tiny", "bfloat16", "integer", "not saved", "nan", "sign of zero", "shape", "dtype", "batch norm"],
)
def test_weights_are_seen_to_change(model: Odd, change: Callable[[Odd], object], name: str) -> None:
    """Every parameter and buffer counts, to the last bit."""
    with watching(WeightProbe(model)) as changes:
        change(model)
    assert name in [each.what for each in changes]


@pytest.mark.parametrize(
    "change",
    [
        lambda model: None,
        lambda model: model.whole.data.add_(1).sub_(1),
        lambda model: model.whole.data.fill_(0.0),
        lambda model: setattr(model, "whole", nn.Parameter(torch.zeros(2))),
        lambda model: model.whole.requires_grad_(False),
        lambda model: setattr(model.whole, "grad", torch.ones(2)),
        lambda model: model.eval(),
        lambda model: model.register_buffer("more", torch.ones(1)),
    ],
    ids=["nothing", "and back", "same value", "new object", "frozen", "gradient", "mode", "structure"],
)
def test_weights_of_the_same_value_are_the_same(model: Odd, change: Callable[[Odd], object]) -> None:
    """Values are judged: neither version counters, nor objects, nor what other probes see."""
    with watching(WeightProbe(model)) as changes:
        change(model)
    assert changes == []


def test_nan_weights_that_stay_are_no_change(model: Odd) -> None:
    """NaN equals itself."""
    model.whole.data.fill_(float("nan"))
    with watching(WeightProbe(model)) as changes:
        pass
    assert changes == []


def test_a_change_of_weights_shows_both_values(model: Odd) -> None:
    """The words tell the first number that differs."""
    with watching(WeightProbe(model)) as changes:
        model.cache[1] = 2.5
    assert [str(each) for each in changes] == ["cache: 0 before, 2.5 after"]


def test_the_sign_of_zero_shows(model: Odd) -> None:
    """A change that only bits can tell is told in words that differ."""
    with watching(WeightProbe(model)) as changes:
        model.cache.neg_()
    assert [str(each) for each in changes] == ["cache: 0 before, -0 after"]


def test_modes_are_seen_for_each_module(model: Odd) -> None:
    """One sub-module is enough, and the model itself has a name, too."""
    with watching(ModeProbe(model)) as changes:
        model.layer[1].eval()
    assert [str(each) for each in changes] == ["layer.1: train before, eval after"]
    with watching(ModeProbe(model)) as changes:
        model.eval()
    assert [each.what for each in changes] == ["the model", "layer", "layer.0"]


def test_modes_put_back_are_no_change(model: Odd) -> None:
    """Only the two ends count."""
    with watching(ModeProbe(model)) as changes:
        model.eval()
        model.train()
    assert changes == []


def test_changes_are_seen_although_the_block_raises(model: Odd) -> None:
    """A hook that raises is judged, too, and its error comes through."""
    with suppress(ZeroDivisionError), watching(ModeProbe(model), WeightProbe(model)) as changes:
        model.cache.add_(1)
        model.eval()
        _ = 1 / 0
    assert {"cache", "the model"} <= {each.what for each in changes}


@pytest.mark.parametrize(
    ("switch", "change"),
    [
        (lambda: torch.set_grad_enabled(False), "gradient recording: on before, off after"),
        (lambda: torch.set_autocast_enabled("cpu", True), "autocast on the CPU: off before, on (bfloat16) after"),
    ],
)
def test_switches_left_on_are_seen(switch: Callable[[], None], change: str) -> None:
    """Each switch of the thread is named with both settings."""
    with watching(AutogradProbe()) as changes:
        switch()
    assert [str(each) for each in changes] == [change]


def test_leaked_inference_mode_is_seen_and_can_be_ended() -> None:
    """A guard that nobody closed is told, and gone after the block that restores."""
    leaked = []
    with restored_modes():
        with watching(AutogradProbe()) as changes:
            leaked.append(torch.inference_mode())
            leaked[0].__enter__()
        assert "inference mode: off before, on after" in [str(each) for each in changes]
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    leaked[0].__exit__(None, None, None)


def test_context_managers_leave_no_change() -> None:
    """Switching and switching back is what hooks should do."""
    everything = torch.no_grad(), torch.enable_grad(), torch.inference_mode(), torch.autocast("cpu")
    with watching(AutogradProbe()) as changes, ExitStack() as stack:
        for manager in everything:
            stack.enter_context(manager)
    assert changes == []


def test_modes_are_restored_after_an_error() -> None:
    """Whatever a block switches, and however it ends, the thread is as before."""
    before = AutogradProbe().look()
    with suppress(ZeroDivisionError), restored_modes():
        torch.set_grad_enabled(False)
        torch.set_autocast_enabled("cpu", True)
        torch.set_autocast_dtype("cpu", torch.float16)
        _ = 1 / 0
    assert AutogradProbe().look() == before
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16


def test_recorded_operations_are_named_with_their_place(model: Odd) -> None:
    """Each operation with a new graph is noted in order, where it was called."""
    with recorded_operations() as seen:
        loss = model.whole * 2
        loss.sum()
    assert [operation.name for operation in seen] == ["torch.Tensor.mul", "torch.Tensor.sum"]


@pytest.mark.parametrize(
    "compute",
    [
        lambda model: model.whole.detach() * 2,
        lambda model: torch.no_grad()(lambda: model.whole * 2)(),
        lambda model: torch.inference_mode()(lambda: model.whole * 2)(),
        lambda model: model.cache * 2,
        lambda model: model.whole.shape,
        lambda model: model.state_dict(),
    ],
    ids=["detached", "no_grad", "inference", "buffer", "shape", "state_dict"],
)
def test_nothing_is_recorded_without_a_graph(model: Odd, compute: Callable[[Odd], object]) -> None:
    """What keeps no graph is no recorded operation."""
    with recorded_operations() as seen:
        compute(model)
    assert seen == []


def test_a_graph_that_was_there_before_is_not_held_against_the_block(model: Odd) -> None:
    """Reading a tensor with a graph records nothing new."""
    loss = (model.whole * 2).sum()
    with recorded_operations() as seen:
        assert loss.requires_grad
        loss.item()
        loss.detach()
    assert seen == []
