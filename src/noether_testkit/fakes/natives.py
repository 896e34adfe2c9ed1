"""What callbacks compare with classes of their own world: model, counter, iterations and directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter
from noether_testkit.fakes.model import FakeModel
from noether_testkit.fakes.providers import Ordinality


@dataclass(frozen=True, kw_only=True)
class Natives:
    """The classes of what a run hands out: the kit's, or the framework's for callbacks that are built on it.

    Attributes:
        make_model: Makes the model, with the arguments of `FakeModel`. Another class than that has to have what the
            trainer calls on it, and `fault`, if its forward passes are to be heard.
        UpdateCounter: Counts epochs, updates and samples.
        TrainingIteration: A point in training.
        Ordinality: The directions of metrics.
    """

    make_model: Callable[..., Any] = FakeModel
    UpdateCounter: Callable[..., Any] = UpdateCounter
    TrainingIteration: Any = TrainingIteration
    Ordinality: type[Enum] = Ordinality


KIT = Natives()
"""The kit's own."""
