"""Verified behaviours of an evaluation run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.verified.worlds import World

from noether_testkit import TrainingPlan

START = {"epoch": 0, "update": 0, "sample": 0}


def test_only_at_eval_of_periodic_callbacks_is_called(world: World) -> None:
    """No start hook, no end hook, nothing of a plain callback, and no state is asked for."""
    called: list[str] = []
    hooks = ("state_dict", "before_training", "after_update", "after_epoch", "after_training")
    others = {hook: lambda self, *_, _name=hook, **__: called.append(_name) for hook in hooks}
    plain = world.callback("CallbackBase", class_name="Plain", **others)
    periodic = world.callback(at_eval=lambda self, *_, **__: called.append("at_eval"), **others)
    world.run().evaluate(plain, periodic)
    assert called == ["at_eval"]


def test_at_eval_gets_the_counter_by_position(world: World) -> None:
    """The only hook to do so; the base class hands it on by keyword."""
    seen: list[Any] = []

    def at_eval(self: Any, *positional: Any, **named: Any) -> None:
        seen.append((positional, named))
        world.callbacks.PeriodicCallback.at_eval(self, *positional, **named)

    run = world.run()
    run.evaluate(
        world.callback(at_eval=at_eval, periodic_callback=lambda self, **named: seen.append(((), named))),
    )
    assert seen == [
        ((run.update_counter,), {}),
        ((), {"interval_type": "eval", "update_counter": run.update_counter}),
    ]


def test_at_eval_is_entered_with_recording_on(world: World) -> None:
    """The base class switches it off for the turn; the model is in eval mode in both."""
    seen: list[tuple[str, bool, bool]] = []

    def at_eval(self: Any, update_counter: Any, **arguments: Any) -> None:
        seen.append(("at_eval", torch.is_grad_enabled(), self.model.training))
        world.callbacks.PeriodicCallback.at_eval(self, update_counter, **arguments)

    turn = lambda self, **_: seen.append(("turn", torch.is_grad_enabled(), self.model.training))  # noqa: E731
    world.run().evaluate(world.callback(at_eval=at_eval, periodic_callback=turn))
    assert seen == [("at_eval", True, False), ("turn", False, False)]


@pytest.mark.parametrize("config", [{"every_n_epochs": 3}, {"every_n_updates": 7}])
def test_the_interval_does_not_matter(world: World, config: dict[str, int]) -> None:
    """Each callback has one turn."""
    seen: list[str] = []
    world.run().evaluate(
        world.callback(config=config, periodic_callback=lambda self, *, interval_type, **_: seen.append(interval_type))
    )
    assert seen == ["eval"]


def test_iterator_callbacks_get_data_model_and_batch_size(world: World) -> None:
    """Further keywords, in each own order of the data set."""
    seen: list[Any] = []
    results: list[list[int]] = []

    def at_eval(self: Any, update_counter: Any, **arguments: Any) -> None:
        seen.append(arguments)
        world.callbacks.PeriodicDataIteratorCallback.at_eval(self, update_counter, **arguments)

    members = {"process_results": lambda self, given, **_: results.append(given.tolist()), "at_eval": at_eval}
    run = world.run()
    run.evaluate(
        world.callback("PeriodicDataIteratorCallback", **members),
        world.callback("PeriodicDataIteratorCallback", config={"every_n_epochs": 1, "dataset_key": "train"}, **members),
    )
    assert [set(arguments) for arguments in seen] == [{"trainer_model", "data_iter", "batch_size"}] * 2
    assert {arguments["batch_size"] for arguments in seen} == {2}
    assert all(arguments["trainer_model"] is run.model for arguments in seen)
    assert results == [[0, 1, 2, 3, 4], list(range(8))]


def test_one_iterator_serves_all_callbacks(world: World) -> None:
    """A batch too many is taken from the next one."""
    results: list[list[int]] = []

    def greedy(self: Any, *, data_iter: Any, **_: Any) -> None:
        results.extend(next(data_iter)["index"].tolist() for _ in range(4))

    world.run().evaluate(
        world.callback("PeriodicDataIteratorCallback", periodic_callback=greedy),
        world.callback(
            "PeriodicDataIteratorCallback",
            class_name="Next",
            config={"every_n_updates": 1, "batch_size": 2},
            periodic_callback=lambda self, *, data_iter, **_: results.append(next(data_iter)["index"].tolist()),
        ),
    )
    assert results == [[0, 1], [2, 3], [4], [0, 1], [2, 3]]


def test_values_of_all_callbacks_are_one_entry_of_the_start(world: World) -> None:
    """Flushed at the end."""

    def logs(key: str) -> Any:
        return world.callback(class_name=key, periodic_callback=lambda self, **_: self.writer.add_scalar(key, 1))

    run = world.run()
    run.evaluate(logs("a"), logs("b"))
    assert run.log_writer.log_entries == [{**START, "a": 1, "b": 1}]
    assert set(torch.load(run.path_provider.basetracker_entries_uri)) == {"epoch", "sample", "a", "b"}


@pytest.mark.parametrize("kind", ["error", "stop", "interrupt"])
def test_an_error_or_stop_ends_an_evaluation_at_once(world: World, kind: str) -> None:
    """The others have no turn, no checkpoint is written, and what was logged is kept."""
    errors = {"error": ZeroDivisionError, "stop": world.callbacks.EarlyStopIteration, "interrupt": KeyboardInterrupt}
    called: list[int] = []

    def fails(self: Any, **_: Any) -> None:
        self.writer.add_scalar("a", 1)
        raise errors[kind]

    run = world.run()
    with pytest.raises(errors[kind]):
        run.evaluate(
            world.callback(periodic_callback=fails),
            world.callback(periodic_callback=lambda self, **_: called.append(1)),
        )
    assert called == []
    assert list(run.path_provider.checkpoint_path.iterdir()) == []
    assert run.log_writer.log_entries == [{**START, "a": 1}]


def test_an_evaluation_changes_neither_weights_nor_counter(world: World) -> None:
    """The model is left in eval mode."""
    run = world.run()
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.evaluate(
        world.callback(
            "PeriodicDataIteratorCallback",
            process_data=lambda self, batch, *, trainer_model: trainer_model(x=batch["x"])["y"],
        )
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in run.model.state_dict().items())
    assert str(run.update_counter.cur_iteration) == "E0_U0_S0"
    assert not run.model.training


def test_an_evaluation_with_accumulation_has_micro_batches(world: World) -> None:
    """As training has."""
    sizes: list[int] = []
    world.run(TrainingPlan(batch_size=4, accumulation_steps=2)).evaluate(
        world.callback(
            "PeriodicDataIteratorCallback",
            process_data=lambda self, batch, *, trainer_model: sizes.append(len(batch["x"])),
        )
    )
    assert sizes == [2, 2, 1]
