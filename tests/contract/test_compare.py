"""States are compared leaf by leaf, and copied so that nothing reaches the copy."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from noether_testkit.contract.compare import ABSENT, differences, in_words, snapshot
from noether_testkit.contract.locate import steady


def name_of(value: Any) -> str:
    """Names a test after its value, the same in every process."""
    return steady(repr(value))


DTYPES = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
SHAPES = ((), (0,), (3,), (2, 0), (2, 3))
NAN = float("nan")


@dataclass
class Holder:
    value: Any


class NoAnswer:
    """Has an equality that raises, as tensors in a condition do."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("Boolean value of a tensor is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class NotShown:
    def __repr__(self) -> str:
        raise RuntimeError("no words for this")


tensors = st.builds(
    lambda shape, dtype, seed: torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed)).to(dtype),
    st.sampled_from(SHAPES),
    st.sampled_from(DTYPES),
    st.integers(0, 5),
)
arrays = st.builds(
    lambda shape, dtype, seed: np.random.default_rng(seed).integers(0, 2, shape).astype(dtype),
    st.sampled_from(SHAPES),
    st.sampled_from(["bool", "int32", "float32", "float64", "complex128"]),
    st.integers(0, 5),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.complex_numbers(allow_nan=True),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.frozensets(st.integers(), max_size=3),
    tensors,
    arrays,
    st.builds(Holder, st.integers() | tensors),
)
states = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@given(states)
def test_a_snapshot_equals_its_state(state: dict[str, Any]) -> None:
    """Whatever a state holds, its copy does not differ from it, and it does not differ from itself."""
    assert differences(state, snapshot(state)) == []
    assert differences(state, state) == []


@given(states, leaves)
def test_an_entry_that_comes_or_goes_is_named(state: dict[str, Any], value: Any) -> None:
    """A key on one side only is one difference, at its place, from either side."""
    larger = {**state, "a new key": value}
    (gone,) = differences(larger, state)
    (come,) = differences(state, larger)
    assert gone.path == come.path == "state['a new key']"
    assert gone.right == come.left == "nothing"


@given(states, states)
def test_the_order_of_the_sides_does_not_matter(left: dict[str, Any], right: dict[str, Any]) -> None:
    """What differs from left to right differs from right to left, at the same places."""
    there = {difference.path for difference in differences(left, right)}
    assert there == {difference.path for difference in differences(right, left)}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_are_compared_in_each_dtype(dtype: torch.dtype) -> None:
    """Equal tensors are equal, and one changed number is found, in words that can be read."""
    zeros, ones = torch.zeros(2).to(dtype), torch.ones(2).to(dtype)
    assert differences(zeros, zeros.clone()) == []
    (difference,) = differences(zeros, ones)
    assert str(dtype).removeprefix("torch.") in difference.left


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (torch.ones(2), torch.ones(2, dtype=torch.float64)),
        (torch.ones(2), torch.ones(2, 1)),
        (torch.ones(()), torch.ones(1)),
        (torch.ones(()), 1.0),
        (torch.zeros(2), -torch.zeros(2)),
        (np.ones(2, "float32"), np.ones(2, "float64")),
        (np.ones(2), np.ones((2, 1))),
        (np.float32(1), np.float64(1)),
        (1, 1.0),
        (1, True),
        ([1], (1,)),
        ([1, 2], [1]),
        ({1}, frozenset({1})),
        (NAN, 0.0),
        (None, 0),
        ("1", 1),
        (deque([1]), deque([2])),
        (Holder(1), Holder(2)),
        (Holder(torch.zeros(2)), Holder(torch.ones(2))),
        (NoAnswer(1), NoAnswer(2)),
        (torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse()),
    ],
    ids=name_of,
)
def test_finds_what_differs(left: Any, right: Any) -> None:
    """Value, type, shape, dtype, length and sign each make a difference."""
    assert len(differences({"value": left}, {"value": right})) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (NAN, math.nan * -1),
        (complex(NAN, 1), complex(NAN, 1)),
        (torch.tensor([NAN, 1.0]), torch.tensor([NAN, 1.0])),
        (torch.tensor([NAN], dtype=torch.bfloat16), torch.tensor([NAN], dtype=torch.bfloat16)),
        (np.array([NAN, 1.0]), np.array([NAN, 1.0])),
        (np.float64(NAN), np.float64(NAN)),
        (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
        (torch.ones(2, 2).t(), torch.ones(2, 2)),
        ({"a": 1}, OrderedDict(a=1)),
        ({"a": 1}, MappingProxyType({"a": 1})),
        (Holder(torch.ones(2)), Holder(torch.ones(2))),
        (NoAnswer([1]), NoAnswer([1])),
        (object(), object()),
        (torch.eye(2).to_sparse(), torch.eye(2).to_sparse()),
    ],
    ids=name_of,
)
def test_lets_pass_what_is_equal(left: Any, right: Any) -> None:
    """NaN equals NaN, a mapping is a mapping, and objects are compared by what they hold."""
    assert differences({"value": left}, {"value": right}) == []


def test_a_structure_that_holds_itself_is_copied_and_compared() -> None:
    """A circle comes to an end."""
    state: dict[str, Any] = {"numbers": [1]}
    state["numbers"].append(state)
    copied = snapshot(state)
    assert differences(state, copied) == []
    state["numbers"][0] = 2
    assert differences(state, copied)[0].path == "state['numbers'][0]"


def test_changes_do_not_reach_a_snapshot() -> None:
    """Tensors, lists and objects are copies, down to the leaves."""
    state = {"tensor": torch.zeros(2), "list": [{"n": 1}], "object": Holder([1]), "array": np.zeros(2)}
    copied = snapshot(state)
    state["tensor"].add_(1)
    state["list"][0]["n"] = 2
    state["object"].value.append(2)
    state["array"][0] = 1
    assert {each.path for each in differences(state, copied)} == {
        "state['tensor']",
        "state['list'][0]['n']",
        "state['object']",
        "state['array']",
    }


def test_a_snapshot_carries_no_graph() -> None:
    """A copy of a tensor keeps nothing of the computation alive."""
    assert not snapshot({"loss": torch.ones(1, requires_grad=True) * 2})["loss"].requires_grad


def test_what_cannot_be_copied_stays_as_it_is() -> None:
    """A generator has no copy; it is kept, and the rest is copied."""
    state = {"generator": (number for number in ()), "list": []}
    copied = snapshot(state)
    assert copied["generator"] is state["generator"]
    assert copied["list"] is not state["list"]


def test_paths_can_be_left_out() -> None:
    """An ignored path covers all that lies below it, and nothing beside it."""
    left, right = {"clock": {"now": 1}, "best": 1}, {"clock": {"now": 2}, "best": 2}
    assert [each.path for each in differences(left, right, ignore=["state['clock']"])] == ["state['best']"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), "float32 tensor of shape (5,): 1, 2, 3, 4, …"),
        (torch.ones(0), "float32 tensor of shape (0,)"),
        (torch.ones(2, device="meta"), "float32 tensor of shape (2,)"),
        (3, "3 (int)"),
        ("text", "'text'"),
        (ABSENT, "nothing"),
        (NotShown(), "<NotShown that cannot be shown>"),
    ],
)
def test_says_a_value_in_few_words(value: Any, words: str) -> None:
    """The words name type and shape, and fit on a line."""
    assert in_words(value) == words


def test_words_are_never_long() -> None:
    """A huge value is cut."""
    assert len(in_words(list(range(1000)))) <= 120


@pytest.mark.filterwarnings("ignore:.*nested")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_are_copied_and_compared_by_their_parts(layout: torch.layout) -> None:
    """A state may hold one, of either layout; torch itself tells neither its sizes nor whether two are equal."""

    def nested(last: float) -> torch.Tensor:
        return torch.nested.nested_tensor([torch.ones(2), torch.tensor([1.0, 2.0, last])], layout=layout)

    state = {"queue": nested(3.0)}
    copy = snapshot(state)
    assert copy["queue"] is not state["queue"]
    assert differences(state, copy) == []
    (found,) = differences(state, {"queue": nested(4.0)})
    assert (found.path, found.left) == ("state['queue']", "nested float32 tensor of 2 parts")
    assert differences(state, {"queue": torch.ones(5)})
