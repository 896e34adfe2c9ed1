"""Walking through what a callback holds: paths, copies, closed objects and weights."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from noether_testkit.contract.probes.effects import collectives, outside_effects
from noether_testkit.contract.reach import leaves, walk, weights_held
from noether_testkit.contract.shared import SharedThings
from noether_testkit.contract.spelling import hook_meant_by
from noether_testkit.core.callbacks import CallbackBase


class Holder:
    """Holds things in its attributes."""

    def __init__(self, **things: object) -> None:
        vars(self).update(things)


def test_paths_lead_into_containers_objects_and_closures() -> None:
    """Lists, mappings, queues, objects, partials and functions are looked into."""
    number = 7
    holder = Holder(
        rows=[1], table={"a": (2,)}, queue=deque([3]), inner=Holder(x=4), call=partial(print, 5), later=lambda: number
    )
    assert leaves(holder) == {
        "self.rows[0]": 1,
        "self.table['a'][0]": 2,
        "self.queue[0]": 3,
        "self.inner.x": 4,
        "self.call.args[0]": 5,
        "self.later<number>": 7,
    }


def test_a_circle_comes_to_an_end() -> None:
    """An object that holds itself is looked into once."""
    holder = Holder(x=1)
    holder.me = holder
    assert list(walk(holder)) == [("self.x", 1)]


def test_leaves_are_copies() -> None:
    """What changes in place later does not change a look."""
    tensor, array = torch.zeros(2), np.zeros(2)
    look = leaves(Holder(tensor=tensor, array=array))
    tensor += 1
    array += 1
    assert look["self.tensor"].sum() == look["self.array"].sum() == 0


def test_weights_are_known_by_their_memory() -> None:
    """Parameters, detached tensors and arrays of one memory are found, clones are not."""
    model = torch.nn.Linear(2, 1)
    holder = Holder(own=model.bias, state=model.state_dict(), array=model.weight.detach().numpy(), copy=model.bias + 0)
    held = weights_held(holder, model)
    assert held["self.own"] == "bias"
    assert held["self.array"] == "weight"
    assert "self.copy" not in held


def test_effects_are_told_in_words(tmp_path: Path) -> None:
    """A file, a draw; nothing for what is read or put back."""
    with outside_effects(tmp_path, object) as seen:
        torch.save({}, tmp_path / "a.pt")
        torch.rand(1)
        torch.nn.Linear(2, 1)
    assert seen == [f"wrote the file {tmp_path / 'a.pt'}", "drew from the generator of torch"]


def test_collectives_are_noted_and_not_done() -> None:
    """A block believes that it is rank 0 of two, and the truth is back afterwards."""
    with collectives() as seen:
        assert torch.distributed.get_world_size() == 2
        torch.distributed.barrier()
    assert seen == ["torch.distributed.barrier"]
    assert not torch.distributed.is_initialized()


def test_what_a_class_shares_is_put_back() -> None:
    """Containers are filled as before, plain names bound as before, and other objects left alone."""
    marker = object()

    class Sharing(CallbackBase):
        rows: list[int] = [1]  # noqa: RUF012
        best = 3.0
        sentinel = marker

    shared = SharedThings(Sharing)
    rows = Sharing.rows
    Sharing.rows.append(2)
    Sharing.best = 1.0
    assert [change.left for change in shared.changes()]
    shared.put_back()
    assert Sharing.rows is rows
    assert (rows, Sharing.best, Sharing.sentinel) == ([1], 3.0, marker)
    assert not shared.changes()


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("after_train", "after_training"),
        ("on_epoch_end", "after_epoch"),
        ("on_train_batch_end", "after_update"),
        ("periodicCallback", "periodic_callback"),
        ("after_updates", "after_update"),
        ("on_save_checkpoint", "state_dict"),
    ],
)
def test_a_slip_is_known(name: str, hook: str) -> None:
    """Names of other frameworks and misspelt ones lead to the hook that may be meant."""
    assert hook_meant_by(name) == (True, hook)


@pytest.mark.parametrize("name", ["after_update", "reset", "averaged_state_dict", "log_rates", "update", "state"])
def test_other_names_are_no_slip(name: str) -> None:
    """Hooks themselves and names of helpers are left alone."""
    assert hook_meant_by(name) == (False, None)
