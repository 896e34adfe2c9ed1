"""Callbacks around `keeps-no-graph`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "keeps-no-graph"


@guilty(CHECK)
class KeepsTheLastOutputs(PeriodicCallback):
    """Keeps the outputs of an update, with the graph that made them, until the next.

    Plots that hold on to old tensors fill the memory: https://github.com/cdtools-developers/cdtools/pull/87 (B176).
    """

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        self.outputs = update_outputs


@guilty(CHECK)
class GathersOutputsOfAnInterval(PeriodicCallback):
    """Gathers outputs for its turn, graphs included."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: deque[torch.Tensor] = deque(maxlen=4)

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        if update_outputs is not None:
            self.window.append(update_outputs["y"])

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if self.window:
            self.writer.add_scalar(f"{interval_type}/outputs", torch.cat(list(self.window)).mean())


@guilty(CHECK, declares=("uses-gradients",))
class SumsAPenaltyWithItsGraph(PeriodicCallback):
    """Uses gradients, as it says, and adds tensor to tensor, so that the graph of the sum grows."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.penalty: Any = 0.0

    @torch.enable_grad()
    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        self.penalty = self.penalty + sum(weight.square().sum() for weight in self.model.parameters())


class Store(CallbackBase):
    """A child that keeps what it is given."""

    kept: torch.Tensor | None = None


@guilty(CHECK)
class HidesItInAChild(PeriodicCallback):
    """Hands outputs with their graph to a child."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.child = Store(**{**kwargs, "name": "store"})

    def get_children(self) -> list[CallbackBase]:
        return [self.child]

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        self.child.kept = None if update_outputs is None else update_outputs["y"]


@guilty(CHECK)
class HoldsItInAClosure(PeriodicCallback):
    """Keeps functions that would draw the outputs later, and these keep the outputs."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.plots: list[Callable[[], Any]] = []

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        if update_outputs is not None:
            outputs = update_outputs["y"]
            self.plots.append(lambda: outputs.mean().item())


@innocent(CHECK)
class DetachesWhatItKeeps(PeriodicCallback):
    """Keeps outputs without their graph."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: deque[torch.Tensor] = deque(maxlen=4)

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        if update_outputs is not None:
            self.window.append(update_outputs["y"].detach())

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if self.window:
            self.writer.add_scalar(f"{interval_type}/outputs", torch.cat(list(self.window)).mean())


@innocent(CHECK)
class LetsGoInTheSameUpdate(PeriodicCallback):
    """Holds outputs until a later hook of the same update, and lets go of them there."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.outputs: dict[str, torch.Tensor] | None = None
        self.last = 0.0

    def track_after_accumulation_step(self, *, update_outputs: dict[str, torch.Tensor] | None, **_: Any) -> None:
        self.outputs = update_outputs

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        if self.outputs is not None:
            self.last = self.outputs["y"].mean().item()
        self.outputs = None


@innocent(CHECK, declares=("uses-gradients",))
class KeepsTheNumberOnly(PeriodicCallback):
    """Records a graph, takes the number out of it, and lets it go."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.steepness = 0.0

    def periodic_callback(self, **_: Any) -> None:
        with torch.enable_grad():
            inputs = torch.ones(1, 4, requires_grad=True)
            (gradient,) = torch.autograd.grad(self.model(x=inputs)["y"].sum(), inputs)
        self.steepness = gradient.norm().item()


@innocent(CHECK)
class KeepsALeafThatWantsGradients(PeriodicCallback):
    """Keeps a tensor that requires gradients, but that no operation has made."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.probe = torch.ones(4, requires_grad=True)
        self.weights = list(self.model.parameters())
