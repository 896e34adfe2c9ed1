"""Callbacks around `copies-no-weights-at-construction`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "copies-no-weights-at-construction"


@guilty(CHECK)
class CopiesTheModelWhenBuilt(CallbackBase):
    """Starts its average from a copy that is taken before the model is loaded.

    An average that was built too early jumps at a resume: https://github.com/ai2cm/ace/pull/819 (B227).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.average = copy.deepcopy(self.model)


@guilty(CHECK)
class ClonesWeightsWhenBuilt(CallbackBase):
    """Clones the weights by name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}


@guilty(CHECK)
class HoldsOnToStateTensors(CallbackBase):
    """Keeps the mapping of the weights, whose tensors the model leaves behind when it moves.

    See https://github.com/jrzaurin/pytorch-widedeep/issues/175 (B187).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weights = self.model.state_dict()


@guilty(CHECK)
class ListsParametersWhenBuilt(CallbackBase):
    """Keeps the parameters in a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameters = [weight for weight in self.model.parameters() if weight.requires_grad]


@guilty(CHECK)
class FlattensWeightsWhenBuilt(CallbackBase):
    """Keeps all weights in one vector of another type."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with torch.no_grad():
            self.vector = torch.nn.utils.parameters_to_vector(self.model.parameters()).double().numpy()


@innocent(CHECK)
class CopiesTheModelAtTheStart(CallbackBase):
    """Takes its copy in the start hook."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.start = {name: value.clone() for name, value in self.model.state_dict().items()}


@innocent(CHECK)
class KeepsNamesAndShapes(CallbackBase):
    """Keeps what does not change: names, shapes, and zeros like the weights."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shapes = {name: tuple(value.shape) for name, value in self.model.named_parameters()}
        self.average = {name: torch.zeros_like(value) for name, value in self.model.named_parameters()}


@innocent(CHECK)
class KeepsALayer(CallbackBase):
    """Keeps a sub-module, which stays the same object."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = self.model.net.head
        self.layers = dict(self.model.named_modules())

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("head/norm", self.head.weight.norm().item())


@innocent(CHECK)
class LooksAtWeightsLater(CallbackBase):
    """Keeps a function that reads the weights when it is called."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = lambda: sum(weight.norm() for weight in self.model.parameters()).item()

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.tracker.set_summary("norm", self.norm())
