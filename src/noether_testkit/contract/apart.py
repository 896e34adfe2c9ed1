"""Plays several devices on one: tells which tensors would lie on the model's device, and which elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import chain
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

ELSEWHERE = torch.device("cuda", 0)
"""What a tensor that lies elsewhere answers when it is asked for its device."""

_COPYING = {"copy_", "__setitem__", "index_put_"}


class Place(Enum):
    """Where a tensor would lie on a machine with several devices."""

    MODEL = "the model's device"
    HOST = "the CPU"
    ELSEWHERE = "another device"


class OtherDeviceError(RuntimeError):
    """Tensors of two devices met in one operation."""


class Devices(TorchFunctionMode):
    """While it is entered, operations on tensors of different places raise, as they do on real devices.

    All tensors lie on the CPU. The model's, and what is computed from them, count as on the model's device, and so
    does what is moved to a device that the callback has asked somebody for. `.cpu()` and `.to("cpu")` lead to the
    CPU. What the callback makes of its own lies nowhere, and fits to everything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[int, Place] = {}
        self._kept: list[torch.Tensor] = []  # so that no address is used again

    def place(self, thing: Any, place: Place | None) -> None:
        """Says where all tensors in a thing lie, unless that is known."""
        for tensor in _tensors_in(thing):
            address = _address(tensor)
            if place is not None and address and address not in self._places:
                self._places[address] = place
                self._kept.append(tensor)

    def place_of(self, tensor: torch.Tensor) -> Place | None:
        """Returns where a tensor lies, or `None` where it fits to everything."""
        return self._places.get(_address(tensor))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Calls an operation of torch, and keeps account of where its result lies."""
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        tensors = list(_tensors_in((args, kwargs)))
        if name == "__get__":
            return self._property(func, args, kwargs)
        if name in ("to", "cpu", "cuda") and tensors:
            return self._move(func, name, args, kwargs)
        if name not in _COPYING:
            self._require_one_device(name, tensors)
        made_there = kwargs.get("device")
        if made_there == ELSEWHERE:
            kwargs["device"] = "cpu"
        result = func(*args, **kwargs)
        self.place(self._new_in(result, tensors), self._place_of_result(tensors, made_there))
        return result

    def _property(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        owner = getattr(func, "__self__", None)
        elsewhere = self.place_of(args[0]) is Place.ELSEWHERE
        if elsewhere and owner is torch.Tensor.device:
            return ELSEWHERE
        return func(*args, **kwargs)

    def _move(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensor, *rest = args
        target = next((each for each in [*rest, *kwargs.values()] if isinstance(each, torch.Tensor)), None)
        device = next((each for each in [*rest, kwargs.get("device")] if isinstance(each, str | torch.device)), None)
        if target is not None:
            goal = self.place_of(target)
        elif name == "cuda" or device == ELSEWHERE:
            goal = Place.ELSEWHERE
        elif name == "cpu" or isinstance(device, str):
            goal = Place.HOST
        else:
            goal = self.place_of(tensor) if device is None else Place.MODEL
        rest = ["cpu" if each == ELSEWHERE else each for each in rest]
        kwargs |= {"device": "cpu"} if kwargs.get("device") == ELSEWHERE else {}
        result = tensor if name == "cuda" else func(tensor, *rest, **kwargs)
        if goal is not None and goal is not self.place_of(result):
            result = result.clone() if _address(result) == _address(tensor) else result
            self.place(result, goal)
        return result

    def _require_one_device(self, name: str, tensors: list[torch.Tensor]) -> None:
        places = {self.place_of(tensor) for tensor in tensors if not self._is_number_of_host(tensor)} - {None}
        if len(places) > 1:
            found = " and one on ".join(sorted(place.value for place in places if place is not None))
            raise OtherDeviceError(f"{name} was given one tensor on {found}: all must be on the same device")

    def _is_number_of_host(self, tensor: torch.Tensor) -> bool:
        return tensor.ndim == 0 and self.place_of(tensor) is Place.HOST

    def _place_of_result(self, tensors: list[torch.Tensor], made_there: Any) -> Place | None:
        if made_there is not None:
            known = {ELSEWHERE: Place.ELSEWHERE}
            return known.get(made_there, Place.HOST if isinstance(made_there, str) else Place.MODEL)
        places = {self.place_of(tensor) for tensor in tensors}
        return next((place for place in (Place.ELSEWHERE, Place.MODEL, Place.HOST) if place in places), None)

    def _new_in(self, result: Any, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Returns the tensors of a result that are no operands changed in place."""
        old = {_address(tensor) for tensor in tensors}
        return [tensor for tensor in _tensors_in(result) if _address(tensor) not in old]


def _address(tensor: torch.Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # a tensor without storage: sparse, or on the meta device
        return 0


def _tensors_in(thing: Any, depth: int = 4) -> Iterator[torch.Tensor]:
    if isinstance(thing, torch.Tensor):
        yield thing
    elif depth and isinstance(thing, Mapping):
        yield from _tensors_in_all(thing.values(), depth)
    elif depth and isinstance(thing, list | tuple):
        yield from _tensors_in_all(thing, depth)


def _tensors_in_all(things: Iterable[Any], depth: int) -> Iterator[torch.Tensor]:
    return chain.from_iterable(_tensors_in(each, depth - 1) for each in things)
