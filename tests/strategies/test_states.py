"""Promises of drawn states."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from tests.strategies.drawing import STEADY, drawn, smallest

from noether_testkit.contract.compare import differences
from noether_testkit.strategies import state_dicts

State = dict[str, Any]

DTYPES = [
    *(torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.bool),
    *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
]


def parts(state: Any) -> Iterator[Any]:
    """Yields a state and all that is in it."""
    yield state
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    for each in inner:
        yield from parts(each)


def tensors(state: State) -> list[torch.Tensor]:
    return [part for part in parts(state) if isinstance(part, torch.Tensor)]


def has(kind: type | tuple[type, ...], condition: Callable[[Any], bool] = lambda _: True) -> Callable[[State], bool]:
    """Returns the question whether something of that type, below the top, meets the condition."""
    return lambda state: any(type(part) is kind and condition(part) for part in list(parts(state))[1:])


@settings(STEADY, max_examples=100)
@given(state=state_dicts())
def test_drawn_states_survive_a_checkpoint(state: State) -> None:
    """Saved by torch, and loaded at its defaults, values, types, shapes and dtypes are the same."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    assert differences(state, torch.load(file)) == []


@settings(STEADY)
@given(state=state_dicts())
def test_drawn_states_are_plain(state: State) -> None:
    """Dictionaries, lists and tuples, with strings as keys, and nothing else around the values."""
    leaves = (type(None), bool, int, float, complex, str, bytes, torch.Tensor)
    assert type(state) is dict
    assert {type(part) for part in parts(state)} <= {dict, list, tuple, *leaves}
    assert all(type(key) is str for part in parts(state) if isinstance(part, dict) for key in part)


def test_states_shrink_to_the_empty_one() -> None:
    """Nothing is in it."""
    assert smallest(state_dicts()) == {}


@pytest.fixture(scope="module")
def states() -> list[State]:
    """Many drawn states."""
    return drawn(state_dicts(), 1000)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_of_tensor_is_drawn(dtype: torch.dtype, states: list[State]) -> None:
    """Those for sure that every supported torch has."""
    assert any(tensor.dtype == dtype for state in states for tensor in tensors(state))


def test_a_state_with_a_tensor_shrinks_to_a_zero() -> None:
    """Under the shortest key."""
    state = smallest(state_dicts(), lambda state: bool(tensors(state)))
    assert differences(state, {"": torch.tensor(0.0)}) == []


REACHABLE: dict[str, Callable[[State], bool]] = {
    "NaN": has(float, math.isnan),
    "infinity": has(float, lambda value: value == math.inf),
    "minus infinity": has(float, lambda value: value == -math.inf),
    "complex": has(complex),
    "a big integer": has(int, lambda value: value > 2**64),
    "a big negative integer": has(int, lambda value: value < -(2**64)),
    "true": has(bool, bool),
    "none": has(type(None)),
    "bytes": has(bytes, bool),
    "text": has(str, bool),
    "an empty dict": has(dict, lambda value: not value),
    "an empty list": has(list, lambda value: not value),
    "an empty tuple": has(tuple, lambda value: not value),
    "a dict in a list": has(list, lambda value: any(isinstance(each, dict) and each for each in value)),
    "a list in a tuple": has(tuple, lambda value: any(isinstance(each, list) and each for each in value)),
    "a tensor in a dict in a dict": lambda state: any(
        isinstance(inner, dict) and any(isinstance(each, torch.Tensor) for each in inner.values())
        for inner in state.values()
    ),
    "an empty tensor": lambda state: any(tensor.numel() == 0 for tensor in tensors(state)),
    "a zero-dimensional tensor": lambda state: any(tensor.ndim == 0 for tensor in tensors(state)),
    "a matrix": lambda state: any(tensor.ndim == 2 and tensor.numel() > 1 for tensor in tensors(state)),
    "a tensor with NaN": lambda state: any(bool(tensor.isnan().any()) for tensor in wide_floats(state)),
    "a tensor with infinity": lambda state: any(bool(tensor.isinf().any()) for tensor in wide_floats(state)),
    "an empty key": lambda state: "" in state,
    "several entries": lambda state: len(state) > 2,
}


def wide_floats(state: State) -> list[torch.Tensor]:
    return [tensor for tensor in tensors(state) if tensor.is_floating_point() and tensor.element_size() > 1]


@pytest.mark.parametrize("case", REACHABLE)
def test_odd_states_are_drawn(case: str, states: list[State]) -> None:
    """Whatever a callback may keep is within reach."""
    assert any(REACHABLE[case](state) for state in states)
