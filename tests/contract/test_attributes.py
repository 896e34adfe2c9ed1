"""Attributes that are data are copied, and a state is added to wherever it can be."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
import torch

from noether_testkit.contract.attributes import is_data, own_values
from noether_testkit.contract.spoil import spoil


class Slotted:
    __slots__ = ("turns", "unset")

    def __init__(self) -> None:
        self.turns = 3


class Keeper(Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.history = [1.0]
        self.function = len


def test_attributes_that_are_data_are_copied() -> None:
    """Slots count, functions do not, and what is changed later does not reach the copy."""
    keeper = Keeper()
    values = own_values(keeper)
    keeper.history.append(2.0)
    assert values == {"turns": 3, "history": [1.0]}


def recursive() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("value", [1, "text", None, torch.ones(2), {"a": (1, {2})}, deque([1]), recursive()])
def test_numbers_texts_and_containers_are_data(value: Any) -> None:
    """Containers count by what is in them, even if that is themselves."""
    assert is_data(value)


@pytest.mark.parametrize("value", [len, object(), {"a": [Slotted()]}, list(range(5000))])
def test_objects_and_huge_values_are_not_looked_at(value: Any) -> None:
    """What cannot be compared in time is left alone."""
    assert not is_data(value)


def test_every_container_of_a_state_is_added_to() -> None:
    """Lists, sets and dicts at any depth, also within themselves; a tensor stays."""
    state: dict[str, Any] = {"list": [1], "set": set(), "deep": ({"x": torch.ones(1)},), "again": recursive()}
    spoil(state)
    assert state["list"] == [1, 0]
    assert len(state["set"]) == 1
    assert len(state["deep"][0]) == 2
    assert state["deep"][0]["x"].item() == 1
    assert len(state) == 5
