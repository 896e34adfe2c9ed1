"""Probes of automatic differentiation: its switches, and what it records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

from noether_testkit.contract.locate import place_of_caller
from noether_testkit.contract.probes.probe import Change

_DEVICES = ("cpu", "cuda")


class AutogradProbe:
    """Looks at gradient recording, inference mode and autocast of this thread."""

    def look(self) -> dict[str, str]:
        """Returns each switch with its setting in words."""
        return {name: read() for name, read in _SWITCHES.items()}

    def changes(self, before: dict[str, str], after: dict[str, str]) -> list[Change]:
        """Returns the switches that differ."""
        return [
            Change(what=name, before=before[name], after=after[name]) for name in before if before[name] != after[name]
        ]


@dataclass(frozen=True, kw_only=True)
class RecordedOperation:
    """An operation that was recorded on an autograd graph.

    Attributes:
        name: Name of the torch function.
        location: The place in the user's code that called it, where there is one.
    """

    name: str
    location: str | None


class recorded_operations(TorchFunctionMode):  # noqa: N801 - used as a function: `with recorded_operations() as seen`
    """Watches a block for operations that are recorded on an autograd graph.

    Entering it gives the list of the operations seen so far, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[RecordedOperation] = []

    def __enter__(self) -> list[RecordedOperation]:
        super().__enter__()  # type: ignore[no-untyped-call]
        return self._seen

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls the torch function, and notes it if its result carries a graph that is new."""
        kwargs = kwargs or {}
        if not torch.is_grad_enabled():
            return func(*args, **kwargs)
        given = [(tensor, tensor.grad_fn) for tensor in _tensors((args, kwargs))]
        result = func(*args, **kwargs)
        if _is_recorded(given, result):
            self._seen.append(RecordedOperation(name=_name(func), location=place_of_caller()))
        return result


def _is_recorded(given: list[tuple[torch.Tensor, Any]], result: Any) -> bool:
    """Returns whether a call gave a tensor a new place on a graph: one of its results, or an argument changed in place.

    The nodes that the arguments had are kept in `given`, so that each node is one and the same Python object.
    """
    if any(tensor.grad_fn is not node for tensor, node in given):
        return True
    nodes = [node for _, node in given]
    made = (tensor.grad_fn for tensor in _tensors(result) if tensor.grad_fn is not None)
    return any(all(node is not known for known in nodes) for node in made)


@contextmanager
def restored_modes() -> Iterator[None]:
    """Runs a block with recording on, inference mode and autocast off, and puts all back, whatever it did."""
    grad = torch.is_grad_enabled()
    autocast = [(device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in _DEVICES]
    cache = torch.is_autocast_cache_enabled()
    try:
        with torch.inference_mode(mode=False):
            torch.set_grad_enabled(True)
            for device in _DEVICES:
                torch.set_autocast_enabled(device, False)
            yield
    finally:
        torch.set_grad_enabled(grad)
        for device, enabled, dtype in autocast:
            torch.set_autocast_enabled(device, enabled)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(cache)


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _autocast(device: str) -> str:
    if not torch.is_autocast_enabled(device):
        return "off"
    return f"on ({str(torch.get_autocast_dtype(device)).removeprefix('torch.')})"


_SWITCHES: dict[str, Callable[[], str]] = {
    "gradient recording": lambda: _on(torch.is_grad_enabled()),
    "inference mode": lambda: _on(torch.is_inference_mode_enabled()),
    "autocast on the CPU": lambda: _autocast("cpu"),
    "autocast on the GPU": lambda: _autocast("cuda"),
}


def _tensors(value: Any) -> Iterable[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _name(func: Callable[..., Any]) -> str:
    return str(resolve_name(func) or getattr(func, "__qualname__", func))
