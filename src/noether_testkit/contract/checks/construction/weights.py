"""Check of weights that are taken too early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.compare import differences
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.locate import place_of_constructor
from noether_testkit.contract.reach import collaborators_and_model, leaves, weights_held


@check(
    force=Force.SHOULD,
    promise="takes no copy of, and no reference into, weights in its constructor.",
    why="When callbacks are built, the model has its first random numbers: it is initialised, moved to its device and "
    "loaded afterwards. What was taken before is the wrong weights, on the wrong device: an average that starts from "
    "them is off for thousands of updates.",
    after=BUILT,
)
def copies_no_weights_at_construction(bench: Bench) -> None:
    """Looks for weights in what the constructor kept, and compares it with what it keeps of other weights."""
    first = _Build()
    bench.train(watch=first.watch())
    if first.reference is not None:
        path, name = first.reference
        raise _finding(bench, f"After the constructor {path} refers to {name} of the model.")
    again, other = _Build(), _Build(change_weights=True)
    bench.train(watch=again.watch())
    bench.train(watch=other.watch())
    unsteady = {each.path for each in differences(first.held, again.held)}
    for each in differences(first.held, other.held):
        if each.path not in unsteady and first.is_copy(each.values[0]):
            path = each.path.removeprefix("state[")[1:-2]
            seen = (
                f"After the constructor {path} is {each.left}, and with other weights in the model it is {each.right}"
            )
            raise _finding(bench, f"{seen}: it was copied from the weights.")


class _Build:
    """Builds the callback, perhaps on other weights, and remembers what it keeps."""

    def __init__(self, *, change_weights: bool = False) -> None:
        self.held: dict[str, Any] = {}
        self.reference: tuple[str, str] | None = None
        self._change_weights = change_weights
        self._numbers: frozenset[float] = frozenset()

    def watch(self) -> Watcher:
        """Returns a watcher that ends the run after the constructor."""

        @contextmanager
        def watch(moment: Moment) -> Iterator[None]:
            if self._change_weights:
                _change(moment.model)
            yield
            closed = collaborators_and_model(moment.arguments)
            self.held = leaves(moment.callback, closed)
            held = weights_held(moment.callback, moment.model, closed)
            self.reference = next(iter(held.items()), None)
            weights = moment.model.state_dict().values()
            self._numbers = frozenset(number for each in weights for number in each.double().flatten().tolist())
            raise Enough

        return watch

    def is_copy(self, value: Any) -> bool:
        """Returns whether a value that comes from the weights is a copy of some, not a figure such as their norm."""
        if isinstance(value, torch.Tensor | np.ndarray):
            return int(np.prod(tuple(value.shape))) > 1 or float(value.reshape(-1)[0]) in self._numbers
        return isinstance(value, int | float) and float(value) in self._numbers


def _change(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for tensor in {id(each): each for each in [*model.parameters(), *model.buffers()]}.values():
            if tensor.is_floating_point():
                tensor.mul_(1.5).add_(0.25)
            elif tensor.dtype != torch.bool:
                tensor.add_(3)


def _finding(bench: Bench, seen: str) -> Finding:
    return Finding(
        seen=seen,
        expected="The constructor keeps the model itself, names and shapes at most.",
        fix="Take weights in before_training (or in resume_from_checkpoint), when the model is initialised, moved and "
        "loaded; in the constructor create what holds them empty.",
        location=place_of_constructor(type(bench.built)),
    )


CHECKS = (copies_no_weights_at_construction,)
