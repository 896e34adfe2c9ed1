"""Promises about joining the results of a data set's batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from noether_testkit.core.callbacks.sampling import collate_results

BATCHES = (torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0]), torch.tensor([4.0]))
WHOLE = torch.arange(5.0)


def join(result: Any) -> Any:
    return collate_results([result(batch) for batch in BATCHES])


@pytest.mark.parametrize(
    ("result", "joined"),
    [
        (lambda batch: batch, WHOLE),
        (lambda batch: batch.sum(), torch.tensor([1.0, 5.0, 4.0])),
        (lambda batch: float(len(batch)), torch.tensor([2.0, 2.0, 1.0])),
        (len, torch.tensor([2, 2, 1])),
        (lambda batch: len(batch) > 1, torch.tensor([True, True, False])),
        (lambda batch: {"a": batch, "b": batch.sum()}, {"a": WHOLE, "b": torch.tensor([1.0, 5.0, 4.0])}),
        (lambda _: {}, {}),
        (lambda _: None, None),
        (lambda batch: (batch, None, 1.0), [WHOLE, None, torch.ones(3)]),
        (lambda batch: ({"a": batch}, [batch, batch]), [{"a": WHOLE}, [WHOLE, WHOLE]]),
        (lambda _: (), []),
        (lambda batch: [batch, batch], [WHOLE, WHOLE]),
        (lambda batch: torch.cat([batch, batch]), torch.tensor([0.0, 1, 0, 1, 2, 3, 2, 3, 4, 4])),
    ],
)
def test_results_are_joined_along_their_first_dimension(result: Any, joined: Any) -> None:
    """Tuples become lists, and what has no dimension one entry a batch."""
    torch.testing.assert_close(join(result), joined)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (lambda _: {"a": 1.0}, AttributeError),
        (lambda batch: {"a": {"b": batch}}, AttributeError),
        (lambda batch: {"a": batch} if len(batch) > 1 else {}, KeyError),
        (lambda batch: [batch.sum()], RuntimeError),
        (lambda batch: torch.ones(1, len(batch)), RuntimeError),
        (lambda batch: (batch,) * len(batch), ValueError),
        (lambda _: "text", ValueError),
        (lambda batch: batch.numpy(), ValueError),
        (lambda batch: ((batch,),), ValueError),
        (lambda _: [1.0], TypeError),
    ],
)
def test_other_results_fail_as_in_the_framework(result: Any, error: type[Exception]) -> None:
    """With an exception of the same type, whatever it says."""
    with pytest.raises(error):
        join(result)


def test_types_are_kept() -> None:
    """Joining does not change what a number is."""
    assert join(lambda batch: batch.to(torch.int32)).dtype == torch.int32
    assert join(lambda _: 1).dtype == torch.int64
    assert isinstance(join(lambda batch: np.float32(len(batch))), torch.Tensor)
