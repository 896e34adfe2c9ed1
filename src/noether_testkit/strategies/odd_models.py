"""Draws odd models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal, get_args

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import nn

from noether_testkit.errors import UnknownNameError

Trait = Literal[
    "frozen-parameters",
    "tied-weights",
    "integer-buffers",
    "non-persistent-buffers",
    "mixed-dtypes",
    "sub-models",
    "sub-model-without-parameters",
    "batch-norm",
    "dropout",
]
"""What makes a model odd."""

TRAITS: tuple[Trait, ...] = get_args(Trait)
"""All traits of a model."""


def models(*, traits: Sequence[Trait] = TRAITS) -> SearchStrategy[Callable[[], nn.Module]]:
    """Draws factories of models for the default problem, with any of the traits, in any order.

    A factory is what `Subject(model=…)` and `FakeRun(network=…)` take: it makes a fresh `OddNetwork`, with weights from
    torch's global generator. Every model has parameters to train. Models shrink to a single linear layer.

    Dropout draws random numbers, and no resume restores their generator: leave `dropout` out of the traits where
    an interrupted run is compared with another one.

    Args:
        traits: The traits to draw from; all by default.

    Raises:
        UnknownNameError: There is no such trait.
    """
    for trait in traits:
        if trait not in TRAITS:
            raise UnknownNameError("trait of a model", trait, TRAITS)
    return _factories(traits)


@st.composite
def _factories(draw: DrawFn, traits: Sequence[Trait]) -> Callable[[], nn.Module]:
    # A choice for each trait shrinks better than a list of traits.
    chosen = [trait for trait in dict.fromkeys(traits) if draw(st.booleans())]
    return partial(OddNetwork, traits=tuple(draw(st.permutations(chosen))))


class OddNetwork(nn.Module):
    """A network for the default problem: one block for each trait, and a linear head.

    Args:
        traits: The traits, in the order of their blocks.
    """

    def __init__(self, traits: Sequence[Trait] = ()) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({trait.replace("-", "_"): _BLOCKS[trait]() for trait in traits})
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Computes `y`, float32 `(batch, 1)`, from `x`, float32 `(batch, 4)`."""
        for block in self.blocks.values():
            x = block(x)
        return {"y": self.head(x)}


class _FrozenParameters(nn.Module):
    """A linear layer of which only the bias is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = nn.Linear(4, 4)
        self.mixer.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.mixer(x)
        return mixed


class _TiedWeights(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.mixer = nn.Linear(4, 4)
        self.unmixer = nn.Linear(4, 4)
        self.unmixer.weight = self.mixer.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        unmixed: torch.Tensor = self.unmixer(torch.tanh(self.mixer(x)))
        return unmixed


class _IntegerBuffers(nn.Module):
    """A buffer that counts forward passes in training, and one that orders the entries."""

    calls: torch.Tensor
    order: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("order", torch.tensor([2, 0, 3, 1], dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.calls += 1
        return x[:, self.order]


class _NonPersistentBuffers(nn.Module):
    """A buffer that no state dict holds; it never changes, so that a resumed model is the same."""

    shift: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.linspace(-1, 1, 4), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.shift


class _MixedDtypes(nn.Module):
    """A layer in float64, and a parameter in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Linear(4, 4, dtype=torch.float64)
        self.coarse = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine: torch.Tensor = self.fine(x.double())
        return fine.float() * self.coarse


class _SubModels(nn.Module):
    """Models in a model, two levels deep."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.decoder = nn.Sequential(nn.Sequential(nn.Linear(4, 4)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        decoded: torch.Tensor = self.decoder(self.encoder(x))
        return decoded


class _SubModelWithoutParameters(nn.Module):
    """A model with neither parameters nor buffers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x)


class _BatchNorm(nn.Module):
    """Batch normalisation of pairs of entries, so that a batch of one sample can be trained on, too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(x.reshape(-1, 2, 2))
        return normed.flatten(1)


class _Dropout(nn.Dropout):
    """Dropout of a quarter of the entries."""

    def __init__(self) -> None:
        super().__init__(0.25)


_BLOCKS: Mapping[Trait, type[nn.Module]] = MappingProxyType(
    {
        "frozen-parameters": _FrozenParameters,
        "tied-weights": _TiedWeights,
        "integer-buffers": _IntegerBuffers,
        "non-persistent-buffers": _NonPersistentBuffers,
        "mixed-dtypes": _MixedDtypes,
        "sub-models": _SubModels,
        "sub-model-without-parameters": _SubModelWithoutParameters,
        "batch-norm": _BatchNorm,
        "dropout": _Dropout,
    }
)
