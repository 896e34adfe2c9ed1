"""States that no one would save end in a finding or a limit, never in a fault of the kit."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from noether_testkit import check_callback
from noether_testkit.core.callbacks import CallbackBase


class RefusesComparison:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None


class AnswersATensor:
    def __eq__(self, other: object) -> torch.Tensor:  # type: ignore[override]
        return torch.ones(3)

    __hash__ = None


class RefusesCopies:
    def __reduce__(self) -> Any:
        raise TypeError("not to be copied")


def recursive_dict() -> dict[str, Any]:
    state: dict[str, Any] = {}
    state["me"] = state
    return state


def nested_lists() -> list[Any]:
    state: list[Any] = []
    for _ in range(3000):
        state = [state]
    return state


MAKERS: dict[str, Callable[[], Any]] = {
    "refuses comparison": RefusesComparison,
    "answers a tensor": AnswersATensor,
    "refuses copies": RefusesCopies,
    "recursive": recursive_dict,
    "too deep": nested_lists,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "meta": lambda: torch.empty(3, device="meta"),
    "with gradients": lambda: torch.ones(2, requires_grad=True),
    "expanded": lambda: torch.ones(1).expand(5),
    "float8": lambda: torch.ones(3, dtype=torch.float8_e4m3fn),
    "array": lambda: np.ones(3),
    "read-only": lambda: MappingProxyType({"a": 1}),
    "empty": dict,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_odd_state_is_no_fault_of_the_kit(make: Callable[[], Any]) -> None:
    """Every check comes to a verdict."""

    class KeepsIt(CallbackBase):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.value = make()

        def state_dict(self) -> dict[str, Any]:
            return {"value": self.value}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.value = state_dict["value"]

    report = check_callback(KeepsIt)
    assert "error" not in report.counts, [each.seen for each in report.results if each.outcome == "error"]
