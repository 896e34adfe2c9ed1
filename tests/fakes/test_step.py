"""Promises about the losses of a training step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from noether_testkit.fakes.step import mean_squared_error, result_of

ONE, TWO = torch.tensor(1.0), torch.tensor(2.0)


@pytest.mark.parametrize(
    ("answer", "names", "total"),
    [
        (ONE, ["loss"], 1.0),
        ([ONE, TWO], ["loss_0", "loss_1"], 3.0),
        ({"a": ONE, "b": TWO}, ["a", "b"], 3.0),
    ],
    ids=["tensor", "list", "mapping"],
)
def test_losses_are_named_and_summed(answer: Any, names: list[str], total: float) -> None:
    """A tensor, a list and a mapping are taken, and named as the framework names them."""
    result = result_of(answer)
    assert list(result.losses_to_log) == names
    assert result.total_loss.item() == total
    assert result.additional_outputs is None


def test_a_pair_hands_out_outputs_too() -> None:
    """The second part is passed on as it is."""
    outputs = {"pred": ONE}
    assert result_of(({"a": ONE}, outputs)).additional_outputs is outputs


def test_the_default_loss_sums_over_all_targets() -> None:
    """Each target counts with its own mean."""
    outputs = {"y": torch.zeros(2, 1), "z": torch.zeros(2, 3)}
    targets = {"y": torch.ones(2, 1), "z": torch.full((2, 3), 2.0)}
    assert mean_squared_error(outputs, targets)["mse"].item() == 5.0


def test_without_targets_there_is_no_mean_squared_error() -> None:
    """The trainer hands on the targets that a batch holds, perhaps none."""
    with pytest.raises(KeyError, match="holds no target"):
        mean_squared_error({"y": torch.zeros(1)}, {})
