"""Runs that provoke a callback: losses that vanish, explode or are no numbers, and metrics that only rise or fall."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from noether_testkit.contract.series import LOSS_KEY, keys_of_the_kit, plausible
from noether_testkit.contract.spelling import codes_in
from noether_testkit.contract.subject import Subject
from noether_testkit.fakes.lineage import is_base_class

_FACTORS = (1.0, 1.0, 0.0, 0.0, 1e6, 1e6, math.nan)
_METRICS: tuple[Callable[[int], float], ...] = (
    lambda update: 0.01 * update,
    lambda update: 100.0 / update,
    lambda update: math.nan if update % 2 else 1.0,
)


def provoking(subject: Subject) -> Iterator[Subject]:
    """Yields the subject with metrics that rise, fall and are no numbers, and with losses that go wrong."""
    keys = {*keys_of_the_kit(subject), *(subject.metrics or {})} - {LOSS_KEY}
    for series in _METRICS:
        metrics = {**dict.fromkeys(keys, series), LOSS_KEY: series}
        yield replace(subject, metrics=metrics, loss=_scaled(subject.loss or _default_loss))


def can_stop(callback: Any) -> bool:
    """Returns whether the code of a callback, or of a module that it is from, knows the exception that ends a run."""
    modules = {sys.modules.get(cls.__module__) for cls in type(callback).__mro__ if not is_base_class(cls)}
    known = (value for module in modules if module is not None for value in vars(module).values())
    if any(isinstance(value, type) and has_early_stop(value) for value in known):
        return True
    codes = [code for cls in type(callback).__mro__ if not is_base_class(cls) for code in codes_in(cls)]
    return any("EarlyStop" in name for code in codes for name in (*code.co_names, *code.co_freevars, *code.co_varnames))


def has_early_stop(cls: type) -> bool:
    """Returns whether a class is the exception that ends a run, or derives from it."""
    return any(base.__name__ == "EarlyStopIteration" for base in cls.__mro__)


def with_outputs(subject: Subject, on_output: Callable[[torch.Tensor], None]) -> Subject:
    """Returns the subject with a loss that hands out the outputs of the model, graph included.

    Args:
        subject: What is trained.
        on_output: Called with each tensor that is handed out.
    """
    loss = subject.loss or _default_loss

    def handing_out(outputs: Any, targets: Any) -> Any:
        answer = loss(outputs, targets)
        losses, given = answer if isinstance(answer, tuple) else (answer, dict(outputs))
        for tensor in given.values() if isinstance(given, Mapping) else ():
            if isinstance(tensor, torch.Tensor) and tensor.grad_fn is not None:
                on_output(tensor)
        return losses, given

    own = subject.metrics or {}
    metrics = dict(own) if subject.loss or LOSS_KEY in own else {**own, LOSS_KEY: plausible}
    return replace(subject, loss=handing_out, metrics=metrics)


def _scaled(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a loss whose values vanish, explode and then are no numbers, one factor an update."""
    calls = iter(range(10**9))

    def scaled(outputs: Any, targets: Any) -> Any:
        answer = loss(outputs, targets)
        factor = _FACTORS[min(next(calls), len(_FACTORS) - 1)]
        losses, *more = answer if isinstance(answer, tuple) else (answer,)
        if isinstance(losses, torch.Tensor):
            changed: Any = losses * factor
        elif isinstance(losses, Mapping):
            changed = {name: value * factor for name, value in losses.items()}
        else:
            changed = [value * factor for value in losses]
        return (changed, *more) if more else changed

    return scaled


def _default_loss(outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {LOSS_KEY: sum(torch.nn.functional.mse_loss(outputs[key], targets[key]) for key in targets)}
