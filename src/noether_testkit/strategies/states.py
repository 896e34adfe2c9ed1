"""Draws states of callbacks."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

_NAMES = (
    *("float32", "float64", "float16", "bfloat16"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
    *("complex64", "complex128", "bool"),
    *("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"),
)
DTYPES: tuple[torch.dtype, ...] = tuple(getattr(torch, name) for name in _NAMES if hasattr(torch, name))
"""The types of tensors that are drawn: those that torch saves and loads. Left out are complex32, of which torch warns,
and those that know no arithmetic: quantised, packed and bit types."""


def state_dicts(*, max_leaves: int = 12) -> SearchStrategy[dict[str, Any]]:
    """Draws states of callbacks that survive `torch.save`, and `torch.load` at its defaults.

    They are dictionaries with strings as keys, and nested dictionaries, lists and tuples in them. Values are numbers,
    NaN, infinities and integers of any size among them, texts, bytes, `None`, and tensors of any type and of zero to
    three dimensions, empty ones among them. States shrink to the empty one. Empty bytes are not drawn: `torch.load`
    refuses them.

    Args:
        max_leaves: How many values a nested entry of the state has at most, more or less.
    """
    keys = st.text(max_size=6)
    values = st.recursive(
        _plain_values() | _tensors(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=max_leaves,
    )
    return st.dictionaries(keys, values, max_size=5)


@st.composite
def _tensors(draw: DrawFn) -> torch.Tensor:
    """Draws tensors of all `DTYPES`, with zero to three dimensions of zero to three entries."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = prod(shape)
    numbers = draw(st.lists(_numbers(dtype), min_size=count, max_size=count))
    # A float of eight bits is no type to make a tensor of from numbers, but a wide one converts to it.
    given = torch.tensor(numbers, dtype=torch.float64 if dtype.is_floating_point else dtype)
    return given.reshape(shape).to(dtype)


def _plain_values() -> SearchStrategy[Any]:
    huge = st.integers(0, 2**200).map(lambda excess: 2**64 + excess)
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        huge,
        huge.map(lambda number: -number),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=10),
        st.binary(min_size=1, max_size=10),
    )


def _numbers(dtype: torch.dtype) -> SearchStrategy[Any]:
    if dtype == torch.bool:
        return st.booleans()
    if dtype.is_complex:
        return st.complex_numbers()
    if dtype.is_floating_point:
        return st.floats()
    limits = torch.iinfo(dtype)
    return st.integers(int(limits.min), int(limits.max))
