"""Verified behaviours of the data container, and of the batches that callbacks iterate over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.verified.worlds import World

from noether_testkit import TrainingPlan


def datasets() -> dict[str, dict[str, torch.Tensor]]:
    return {
        "first": {"x": torch.arange(24.0).reshape(6, 4), "y": torch.arange(6.0).reshape(6, 1)},
        "second": {"x": torch.zeros(3, 4), "y": torch.ones(3, 1)},
    }


def indices(dataset: Any) -> list[int]:
    return [dataset[position]["index"] for position in range(len(dataset))]


def results_of(world: World, result: Callable[[Any], Any], **config: Any) -> Any:
    """Returns what `process_results` is given, for what `process_data` makes of each batch."""
    seen = []
    iterator = world.callback(
        "PeriodicDataIteratorCallback",
        config={"every_n_epochs": 2, **config},
        process_data=lambda self, batch, *, trainer_model: result(batch),
        process_results=lambda self, results, **_: seen.append(results),
    )
    world.run().train(iterator)
    return seen[0]


def shape_of(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return tuple(result.shape)
    if isinstance(result, dict):
        return {key: shape_of(value) for key, value in result.items()}
    return [shape_of(value) for value in result] if isinstance(result, list | tuple) else result


def test_a_data_set_is_found_by_its_key(world: World) -> None:
    """All keys are in `datasets`."""
    container = world.run(datasets=datasets).data_container
    assert {"first", "second", "train"} <= set(container.datasets)
    assert len(container.get_dataset("second")) == 3
    assert len(container.get_dataset(key="first")) == 6


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_first_data_set_is_given(world: World, key: str | None) -> None:
    """An empty key is none."""
    container = world.run().data_container
    first = next(iter(container.datasets.values()))
    assert len(container.get_dataset(key)) == len(first)


def test_an_unknown_data_set_is_refused(world: World) -> None:
    """There is no default for it."""
    with pytest.raises(KeyError):
        world.run().data_container.get_dataset("nope")


def test_the_first_data_set_is_also_train_where_there_is_none(world: World) -> None:
    """Whatever its key."""
    container = world.run().data_container
    given = {"a": container.datasets["test"], "b": container.datasets["train"]}
    made = type(container)(given)
    assert made.datasets["train"] is given["a"]
    assert set(made.datasets) == {"a", "b", "train"}


def test_a_container_without_data_sets_is_refused(world: World) -> None:
    """There must be one."""
    with pytest.raises(ValueError, match=r"."):
        type(world.run().data_container)({})


def test_samples_carry_their_index_and_a_meta_entry(world: World) -> None:
    """Besides their tensors; the entry tells how long the reading took."""
    sample = world.run(datasets=datasets).data_container.get_dataset("first")[2]
    assert set(sample) == {"index", "x", "y", "__meta_time_getitem"}
    assert sample["index"] == 2
    assert sample["x"].tolist() == [8, 9, 10, 11]


def test_only_the_properties_asked_for_are_in_a_sample(world: World) -> None:
    """Not even the index."""
    sample = world.run().data_container.get_dataset("test", properties={"x"})[0]
    assert {name for name in sample if not name.startswith("__meta")} == {"x"}


@pytest.mark.parametrize(("size", "length"), [(2, 2), (6, 6), (99, 6)])
def test_a_data_set_is_cut_to_a_size(world: World, size: int, length: int) -> None:
    """From its start, and never made larger."""
    dataset = world.run(datasets=datasets).data_container.get_dataset("first", max_size=size)
    assert indices(dataset) == list(range(length))


def test_a_seed_shuffles_a_data_set(world: World) -> None:
    """The same seed in the same way, and before it is cut."""
    container = world.run(datasets=datasets).data_container
    order = indices(container.get_dataset("first", shuffle_seed=1))
    assert sorted(order) == list(range(6))
    assert order != list(range(6))
    assert indices(container.get_dataset("first", shuffle_seed=1)) == order
    assert indices(container.get_dataset("first", shuffle_seed=2)) != order
    assert indices(container.get_dataset("first", shuffle_seed=1, max_size=2)) == order[:2]


def test_what_is_handed_out_is_not_the_data_set_itself(world: World) -> None:
    """But passes its attributes on, and lacks what it lacks."""
    run = world.run()
    dataset = run.data_container.get_dataset("test")
    raw = run.data_container.datasets["test"]
    assert dataset is not raw
    assert type(dataset) is not type(raw)
    assert dataset.dataset is raw
    assert run.data_container.get_dataset("test") is not dataset
    assert "__meta_time_getitem" not in raw[1]
    assert dataset.pipeline is raw.pipeline
    assert dataset.getitem_x(1).tolist() == dataset[1]["x"].tolist()
    with pytest.raises(AttributeError):
        dataset.getitem_nope  # noqa: B018


def test_the_pipeline_of_a_data_set_makes_batches_of_samples(world: World) -> None:
    """Tensors with a first dimension more."""
    dataset = world.run().data_container.get_dataset("test")
    batch = dataset.pipeline([dataset[0], dataset[1], dataset[2]])
    assert {"index", "x", "y"} <= set(batch)
    assert (tuple(batch["x"].shape), batch["index"].tolist()) == ((3, 4), [0, 1, 2])


def test_metadata_is_dropped_by_name(world: World) -> None:
    """Whatever starts with `__meta`, out of the batch itself; what is no mapping stays as it is."""
    batch = {"x": 1, "__meta_time": 2, "__metadata": 3, "_meta": 4}
    trainer = world.run().trainer
    assert trainer.drop_metadata(batch) is batch
    assert batch == {"x": 1, "_meta": 4}
    assert trainer.drop_metadata([1]) == [1]


def test_training_batches_carry_the_index_of_their_samples(world: World) -> None:
    """In the order of the data set, and without metadata."""
    seen = []
    tracks = world.callback(track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch))
    world.run().train(tracks)
    assert {tuple(sorted(batch)) for batch in seen} == {("index", "x", "y")}
    assert [batch["index"].tolist() for batch in seen[:5]] == [[0, 1], [2, 3], [4, 5], [6, 7], [0, 1]]


def test_a_ragged_last_batch_is_dropped_in_training(world: World) -> None:
    """In each epoch anew."""
    seen = []
    tracks = world.callback(track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch))
    world.run(TrainingPlan(dataset_size=5, batch_size=2)).train(tracks)
    assert [batch["index"].tolist() for batch in seen] == [[0, 1], [2, 3]] * 2


def test_an_iterator_callback_sees_each_sample_once_and_in_order(world: World) -> None:
    """The last batch is smaller, and batches hold no metadata."""
    batches = []
    results = results_of(world, lambda batch: (batches.append(batch), batch["index"])[1])
    assert [batch["index"].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert {tuple(sorted(batch)) for batch in batches} == {("index", "x", "y")}
    assert results.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 2]), (10, [5]), (1, [1] * 5)])
def test_the_batch_size_of_a_callback_wins_over_the_trainers(world: World, batch_size: int, sizes: list[int]) -> None:
    """For its own data only."""
    seen: list[int] = []
    results_of(world, lambda batch: seen.append(len(batch["x"])), batch_size=batch_size)
    assert seen == sizes


def test_iterator_callbacks_are_handed_the_micro_batch_size(world: World) -> None:
    """With accumulation it is a part of the effective batch size, and their batches are of that size."""
    sizes, samples = [], []

    def turn(self: Any, *, batch_size: int, **arguments: Any) -> None:
        sizes.append(batch_size)
        world.callbacks.PeriodicDataIteratorCallback.periodic_callback(self, batch_size=batch_size, **arguments)

    iterator = world.callback(
        "PeriodicDataIteratorCallback",
        config={"every_n_epochs": 1},
        periodic_callback=turn,
        process_data=lambda self, batch, *, trainer_model: samples.append(len(batch["x"])),
    )
    world.run(TrainingPlan(epochs=1, batch_size=4, accumulation_steps=2, test_size=3)).train(iterator)
    assert (sizes, samples) == ([2], [2, 1])


def test_an_empty_data_set_is_refused_by_an_iterator_callback(world: World) -> None:
    """While it is built."""
    with pytest.raises(AssertionError):
        world.run(TrainingPlan(test_size=0)).train(world.callback("PeriodicDataIteratorCallback"))


def test_an_unknown_data_set_is_refused_by_an_iterator_callback(world: World) -> None:
    """While it is built."""
    iterator = world.callback("PeriodicDataIteratorCallback", config={"every_n_updates": 1, "dataset_key": "nope"})
    with pytest.raises(KeyError):
        world.run().train(iterator)


@pytest.mark.parametrize(
    ("result", "shape"),
    [
        (lambda batch: batch["x"], (5, 4)),
        (lambda batch: batch["x"].mean(), (3,)),
        (lambda batch: 1.5, (3,)),
        (lambda batch: 2, (3,)),
        (lambda batch: True, (3,)),
        (lambda batch: None, None),
        (lambda batch: {"p": batch["x"][:, :1], "m": batch["x"].mean()}, {"p": (5, 1), "m": (3,)}),
        (lambda batch: {}, {}),
        (lambda batch: (batch["x"], batch["y"]), [(5, 4), (5, 1)]),
        (lambda batch: (batch["x"].mean(), 2.0), [(3,), (3,)]),
        (lambda batch: (batch["x"], None), [(5, 4), None]),
        (lambda batch: ({"a": batch["x"]}, {"b": batch["y"]}), [{"a": (5, 4)}, {"b": (5, 1)}]),
        (lambda batch: (), []),
        (lambda batch: [batch["x"], batch["y"]], [(5, 4), (5, 1)]),
        (lambda batch: [], []),
        (lambda batch: torch.cat([batch["x"], batch["x"]]), (10, 4)),
    ],
)
def test_results_of_ragged_batches_are_joined(world: World, result: Callable[[Any], Any], shape: Any) -> None:
    """Tensors along the first dimension, numbers as one entry a batch; tuples become lists."""
    joined = results_of(world, result)
    assert shape_of(joined) == shape
    assert not isinstance(joined, tuple)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (lambda batch: {"a": 1.0}, AttributeError),
        (lambda batch: {"a": {"b": batch["x"]}}, AttributeError),
        (lambda batch: {"a": batch["x"]} if len(batch["x"]) == 2 else {"b": batch["x"]}, KeyError),
        (lambda batch: "text", ValueError),
        (lambda batch: batch["x"].numpy(), ValueError),
        (lambda batch: [batch["x"].mean()], RuntimeError),
        (lambda batch: batch["x"][:, : len(batch["x"])], RuntimeError),
        (lambda batch: (batch["x"],) * len(batch["x"]), ValueError),
        (lambda batch: [1.0, 2.0], TypeError),
    ],
)
def test_results_that_do_not_fit_together_are_refused(
    world: World, result: Callable[[Any], Any], error: type[Exception]
) -> None:
    """The run ends with that error."""
    with pytest.raises(error):
        results_of(world, result)


def test_an_iterator_callback_that_takes_no_batch_shifts_the_data_of_all_after(world: World) -> None:
    """Nobody notices while there is data left."""
    seen = []
    lazy = world.callback(
        "PeriodicDataIteratorCallback", config={"every_n_updates": 1}, periodic_callback=lambda self, **_: None
    )
    tracks = world.callback(
        track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch["index"].tolist())
    )
    world.run(TrainingPlan(updates=5)).train(lazy, tracks)
    assert seen == [[0, 1], [0, 1], [2, 3], [4], [2, 3]]


def test_a_parent_is_handed_the_data_of_its_children(world: World) -> None:
    """Wherever it passes a turn on."""
    seen = []

    def build(self: Any, config: Any, *, name: str | None, **collaborators: Any) -> None:
        world.callbacks.PeriodicCallback.__init__(self, config, **collaborators, name=name)
        self.child = world.callback(
            "PeriodicDataIteratorCallback",
            config={"every_n_epochs": 1},
            process_results=lambda self, results, **_: seen.append(results.tolist()),
        )(**collaborators)

    parent = world.callback(
        config={"every_n_epochs": 1},
        __init__=build,
        get_children=lambda self: [self.child],
        periodic_callback=lambda self, **turn: self.child.periodic_callback(**turn),
    )
    world.run().train(parent)
    assert seen == [[0, 1, 2, 3, 4]] * 2
