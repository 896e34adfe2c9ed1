"""Keeps exponential moving averages of the weights, and writes them beside the checkpoints.

In a run's YAML:

    callbacks:
      - kind: my_project.callbacks.ema.EmaCallback
        every_n_epochs: 1
        decays: [0.999, 0.9999]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from operator import is_
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig


class EmaCallbackConfig(CallBackBaseConfig):
    """Which averages to keep; the interval says when they are written."""

    decays: list[Annotated[float, Field(ge=0, lt=1)]] = Field([0.999], min_length=1)
    """How much of the average stays at each update, one average each; 0.999 remembers some 1,000 updates."""
    warmup: bool = False
    """Whether the decay grows with the updates, so that the first weights are soon forgotten."""


class EmaCallback(PeriodicCallback):
    """Averages the floating-point parameters after each update: `average += (1 - decay) * (weight - average)`.

    The first average is a copy of the weights at the start. With `warmup` the decay of an update is
    `min(decay, (1 + t) / (10 + t))`, `t` counting the updates averaged before (as in TensorFlow's
    `tf.train.ExponentialMovingAverage`). Averages have the dtype and device of their parameter; those of
    parameters with fewer than 32 bits are float32, as small steps would be rounded away. Buffers and
    integer tensors are not averaged: files get their current values.

    At each interval and at the end every sub-model's average is written as `model.ema=0.999` is, to
    `{model}_ema={decay}_cp={iteration}_model.th` and again with the tag `latest`; a named callback (config
    field `id`) puts its name behind the decay. A resumed run goes on with the average that belongs to its
    checkpoint. Rank 0 alone keeps and writes averages.

    Args:
        callback_config: Decays, warm-up and interval.
        **kwargs: The collaborators, and perhaps `name`, as for every callback.
    """

    def __init__(self, callback_config: EmaCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.decays = callback_config.decays
        self.warmup = callback_config.warmup
        self._averages: dict[float, list[torch.Tensor]] = {}  # by decay, in the order of the parameters
        self._updates: dict[float, int] = {}  # by decay, how many updates it has averaged
        self._parameters: list[torch.Tensor] = []
        self._sources: list[torch.Tensor] = []  # what is averaged: the parameters, or float32 copies of narrow ones
        self._narrow: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])  # those copies, and what they copy
        self._containers: list[dict[str, Any]] = []  # where the model's modules keep their parts
        self._parts: list[Any] = []  # those parts, as they were when the parameters were collected
        self._written: str | None = None  # tag of the last files
