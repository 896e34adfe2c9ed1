"""Verified behaviours of the one iterator of a run: when its batches are settled, and what happens where one fails."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest
import torch
from tests.verified.worlds import World
from torch.utils.data import DistributedSampler, RandomSampler

from noether_testkit import TrainingPlan

ITERATOR = "PeriodicDataIteratorCallback"


def tracking(world: World, seen: list[Any], key: str = "index", **members: Any) -> Any:
    """Returns a factory of a callback that notes an entry of each training batch."""
    return world.callback(
        class_name="Tracks",
        track_after_accumulation_step=lambda self, *, batch, **_: seen.append(batch[key].tolist()),
        **members,
    )


def iterating(world: World, seen: list[Any], class_name: str = "Iterates", **members: Any) -> Any:
    """Returns a factory of a callback that notes the samples of its data set every second update."""
    return world.callback(
        ITERATOR,
        class_name=class_name,
        config={"every_n_updates": 2},
        process_results=lambda self, results, **_: seen.append(results.tolist()),
        **members,
    )


def emptying(pipeline: Any) -> Any:
    """Returns a pipeline of the same kind whose batches hold nothing."""
    if isinstance(pipeline, FunctionType):
        return lambda samples: {}
    return type("Emptying", (type(pipeline),), {"__call__": lambda self, samples: {}})()


def breaking(run: Any, index: int) -> None:
    """Makes a sample of the test set fail."""
    dataset = run.data_container.datasets["test"]

    def fail(asked: int) -> None:
        if asked == index:
            raise OSError

    if hasattr(type(dataset), "getitem_x"):
        original = type(dataset).getitem_x
        type(dataset).getitem_x = lambda self, idx: (fail(idx), original(self, idx))[1]
    else:
        dataset.fault = fail


@pytest.mark.parametrize("is_tolerant", [False, True], ids=["raised", "caught"])
def test_after_a_batch_that_cannot_be_made_comes_the_next(world: World, is_tolerant: bool) -> None:
    """For whoever asks next: the iterator is not over."""
    seen: list[Any] = []

    def turn(self: Any, *, data_iter: Any, **_: Any) -> None:
        for _number in range(3):
            try:
                seen.append((self.tag, next(data_iter)["index"].tolist()))
            except OSError:
                seen.append((self.tag, "broken"))
                if not is_tolerant:
                    raise

    run = world.run()
    breaking(run, 1)
    turns = [
        world.callback(ITERATOR, class_name=tag, tag=tag, config={"every_n_epochs": 1}, periodic_callback=turn)
        for tag in ("A", "B")
    ]
    if is_tolerant:
        run.train(*turns)
        assert seen == [(tag, data) for tag in "ABAB" for data in ("broken", [2, 3], [4])]
        return
    with pytest.raises(OSError):  # noqa: PT011 - its type is all that it has
        run.train(*turns)
    assert seen == [("A", "broken"), ("B", [2, 3]), ("B", [4]), ("B", "broken")]


def test_what_a_callback_asks_for_is_settled_before_training(world: World) -> None:
    """Whoever takes fewer batches after that shifts the data of all."""
    asked, trained = [], []

    def replace(self: Any, **_: Any) -> None:
        self.sampler_config = self._sampler_config_from_key("test", max_size=2)

    world.run().train(iterating(world, asked, before_training=replace), tracking(world, trained))
    assert asked == [[0, 1], [4, 5], [2, 3], [2, 3]]
    assert trained == [[0, 1], [2, 3], [2, 3], [4], [6, 7], [0, 1], [4], [0, 1]]


@pytest.mark.parametrize("hook", ["before_training", "track_after_update_step"])
def test_the_training_set_is_settled_before_training(world: World, hook: str) -> None:
    """Another one in its place is not read; the constructor and the resume can still put it there."""
    as_it_was: list[Any] = []
    world.run().train(tracking(world, as_it_was, "x"))

    def replace(self: Any, **_: Any) -> None:
        self.data_container.datasets["train"] = self.data_container.datasets["test"]

    seen: list[Any] = []
    world.run().train(tracking(world, seen, "x", **{hook: replace}))
    assert seen == as_it_was


@pytest.mark.parametrize("hook", ["before_training", "track_after_update_step"])
def test_the_pipeline_of_training_is_settled_before_training(world: World, hook: str) -> None:
    """Another one in its place is not called."""

    def replace(self: Any, **_: Any) -> None:
        dataset = self.data_container.datasets["train"]
        dataset.pipeline = emptying(dataset.pipeline)

    seen: list[Any] = []
    world.run(TrainingPlan(epochs=1)).train(tracking(world, seen, **{hook: replace}))
    assert seen == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("hook", ["before_training", "track_after_update_step"])
def test_a_child_that_comes_late_takes_the_data_of_others(world: World, hook: str) -> None:
    """It is handed the iterator, but nothing was asked for it."""
    asked, trained = [], []

    def make(self: Any, **_: Any) -> None:
        self.children = [iterating(world, asked)(**self.given)]

    def build(self: Any, config: Any, *, name: str | None, **collaborators: Any) -> None:
        world.callbacks.PeriodicCallback.__init__(self, config, **collaborators, name=name)
        self.given, self.children = collaborators, []

    parent = tracking(
        world,
        trained,
        __init__=build,
        get_children=lambda self: self.children,
        periodic_callback=lambda self, *, update_counter, **turn: (
            update_counter.update == 2
            and [child.periodic_callback(update_counter=update_counter, **turn) for child in self.children]
        ),
        **{hook: make},
    )
    with pytest.raises(StopIteration):
        world.run().train(parent)
    assert asked == [[4, 5, 6, 7, 0, 1]]
    assert trained == [[0, 1], [2, 3], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("make", "order"),
    [
        (lambda dataset: DistributedSampler(dataset, num_replicas=1, rank=0, shuffle=False), [0, 1, 2, 3, 4]),
        (lambda dataset: RandomSampler(dataset, generator=torch.Generator().manual_seed(1)), [0, 4, 2, 3, 1]),
    ],
    ids=["distributed", "random"],
)
def test_a_callback_can_bring_its_own_sampler(world: World, make: Callable[[Any], Any], order: list[int]) -> None:
    """Samples come in its order."""
    seen: list[Any] = []

    def build(self: Any, config: Any, *, name: str | None, **collaborators: Any) -> None:
        getattr(world.callbacks, ITERATOR).__init__(self, config, **collaborators, name=name)
        ready = self.sampler_config
        self.sampler_config = type(ready)(
            sampler=make(self.data_container.get_dataset("test")), pipeline=ready.pipeline, every_n_updates=2
        )

    world.run(TrainingPlan(updates=2)).train(iterating(world, seen, __init__=build))
    assert seen == [order]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (lambda samples: None, "NoneType"),
        (lambda samples: [samples[0]["x"]], "Tensor"),
        (lambda samples: [None], "NoneType"),
        (lambda samples: [sample["x"] for sample in samples] * 2, AssertionError),
        (lambda samples: ["a", "b"], AssertionError),
        (lambda samples: [], AssertionError),
        (lambda samples: "text", AttributeError),
        (lambda samples: 3, AttributeError),
        (lambda samples: {"x": samples[0]["x"]}, AttributeError),
    ],
    ids=["none", "one tensor", "one none", "tensors", "texts", "no entry", "text", "number", "mapping"],
)
def test_an_entry_of_a_batch_is_moved_to_the_device(world: World, entry: Callable[[Any], Any], expected: Any) -> None:
    """A tensor, nothing, or a list of one of these; whatever else is refused."""
    seen: list[str] = []

    def build(self: Any, config: Any, *, name: str | None, **collaborators: Any) -> None:
        getattr(world.callbacks, ITERATOR).__init__(self, config, **collaborators, name=name)
        dataset = self.data_container.get_dataset("test")
        self.sampler_config = self._create_sampler_config(dataset, pipeline=lambda samples: {"own": entry(samples)})

    iterator = world.callback(
        ITERATOR,
        config={"every_n_updates": 1},
        __init__=build,
        process_data=lambda self, batch, *, trainer_model: seen.append(type(batch["own"]).__name__),
    )
    run = world.run(TrainingPlan(updates=1))
    if isinstance(expected, str):
        run.train(iterator)
        assert set(seen) == {expected}
        return
    with pytest.raises(expected):
        run.train(iterator)
