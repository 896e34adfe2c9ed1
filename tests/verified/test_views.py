"""Verified behaviours of the views of data sets that the container hands out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.verified.worlds import World
from torch.utils.data import DataLoader

from noether_testkit.errors import UsageError


def datasets() -> dict[str, dict[str, torch.Tensor]]:
    return {"a": {"x": torch.arange(24.0).reshape(6, 4), "y": torch.arange(6.0).reshape(6, 1)}}


def view(world: World, **choice: Any) -> Any:
    return world.run(datasets=datasets).data_container.get_dataset("a", **choice)


def test_a_seed_gives_the_order_of_numpys_generator(world: World) -> None:
    """So that it can be computed beforehand."""
    order = np.arange(6)
    np.random.default_rng(1).shuffle(order)
    dataset = view(world, shuffle_seed=1)
    assert [int(dataset[position]["index"]) for position in range(6)] == order.tolist()
    assert [dataset[position]["y"].item() for position in range(6)] == order.tolist()


def test_the_readers_of_a_view_go_by_its_order(world: World) -> None:
    """They read the same samples as the view itself."""
    dataset = view(world, shuffle_seed=1)
    assert [dataset.getitem_y(position).item() for position in range(6)] == [
        dataset[position]["y"].item() for position in range(6)
    ]
    assert dataset.getitem_y(0).item() != 0


@pytest.mark.parametrize("properties", [None, {"x"}], ids=["all", "x"])
def test_a_view_ends_at_its_size(world: World, properties: set[str] | None) -> None:
    """Readers do not reach beyond it either."""
    dataset = view(world, max_size=2, properties=properties)
    assert len(dataset) == 2
    with pytest.raises(IndexError):
        dataset[2]
    with pytest.raises(IndexError):
        dataset.getitem_y(4)


def test_a_size_of_0_is_no_limit(world: World) -> None:
    """As if there were none."""
    assert len(view(world, max_size=0)) == 6


def test_a_negative_size_is_refused(world: World) -> None:
    """It does not count from the end."""
    with pytest.raises(ValueError, match=r"."):
        view(world, max_size=-1)


@pytest.mark.parametrize(
    ("properties", "error"),
    [(["x"], TypeError), (frozenset({"x"}), TypeError), (set(), ValueError), ({"nope"}, AttributeError)],
    ids=["list", "frozenset", "empty", "unknown"],
)
def test_properties_are_a_set_of_what_there_is(world: World, properties: Any, error: type[Exception]) -> None:
    """Whatever else is refused at once."""
    with pytest.raises(error):
        view(world, properties=properties)


def test_an_index_among_the_properties_is_that_in_the_view(world: World) -> None:
    """Where the whole sample carries that of the data set."""
    dataset = view(world, properties={"index", "y"}, shuffle_seed=1)
    samples = [dataset[position] for position in range(6)]
    assert [sample["index"] for sample in samples] == [0, 1, 2, 3, 4, 5]
    assert [sample["y"].item() for sample in samples] != [0, 1, 2, 3, 4, 5]


def test_with_properties_there_is_no_counting_from_the_end(world: World) -> None:
    """Without them there is."""
    assert view(world)[-1]["y"].item() == 5
    with pytest.raises(ValueError, match=r"."):
        view(world, properties={"x"})[-1]


@pytest.mark.parametrize("choice", [{}, {"max_size": 4}, {"properties": {"index", "x"}}], ids=["all", "cut", "some"])
def test_torchs_loader_takes_a_view(world: World, choice: dict[str, Any]) -> None:
    """With its pipeline."""
    dataset = view(world, **choice)
    loader = DataLoader(dataset, batch_size=4, collate_fn=dataset.pipeline)
    assert [batch["index"].tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5]][: len(dataset) // 3]


def test_samples_have_their_fields_in_order_of_the_names(world: World) -> None:
    """Behind the index."""
    seen: list[list[str]] = []
    tracks = world.callback(track_after_accumulation_step=lambda self, *, batch, **_: seen.append(list(batch)))
    world.run(datasets=lambda: {"train": {"y": torch.ones(8, 1), "x": torch.ones(8, 4), "a": torch.ones(8)}}).train(
        tracks
    )
    assert seen[0] == ["index", "a", "x", "y"]


def test_data_can_be_arrays(world: World) -> None:
    """Batches are tensors all the same."""
    seen: list[Any] = []
    tracks = world.callback(track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch["x"]))
    arrays = {"x": np.ones((8, 4), dtype=np.float32), "y": np.ones((8, 1), dtype=np.float32)}
    world.run(datasets=lambda: {"train": arrays, "test": arrays}).train(
        tracks, world.callback("PeriodicDataIteratorCallback", class_name="Iterates")
    )
    assert torch.equal(seen[0], torch.ones(2, 4))


def test_data_can_be_lists_of_samples(world: World) -> None:
    """They are collated one by one."""
    seen: list[Any] = []
    tracks = world.callback(track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch["x"].tolist()))
    lists = {"x": [torch.full((4,), float(number)) for number in range(4)], "y": torch.ones(4, 1)}
    world.run(datasets=lambda: {"train": lists}).train(tracks)
    assert seen[1] == [[2.0] * 4, [3.0] * 4]


def test_a_training_set_smaller_than_a_batch_is_refused(world: World) -> None:
    """When the run is made; what the framework raises then, the harness hands on as a wrong use."""
    with pytest.raises((ValueError, UsageError), match="batch"):
        world.run(datasets=lambda: {"train": {"x": torch.ones(1, 4), "y": torch.ones(1, 1)}})
