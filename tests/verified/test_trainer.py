"""Verified behaviours of the trainer: its attributes, its steps, its state and its order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from tests.verified.worlds import World

from noether_testkit import TrainingPlan

HOOKS = (
    "state_dict",
    "before_training",
    "track_after_accumulation_step",
    "track_after_update_step",
    "after_update",
    "after_epoch",
    "periodic_callback",
    "after_training",
)


def batch_of(samples: int = 2) -> dict[str, torch.Tensor]:
    return {"x": torch.ones(samples, 4), "y": torch.zeros(samples, 1)}


def noting(world: World, note: Any, base: str = "PeriodicCallback", **config: Any) -> Any:
    """Returns a factory of a callback whose hooks call `note(callback, hook, arguments)` before the base's."""
    cls = getattr(world.callbacks, base)

    def hook(name: str) -> Any:
        def method(self: Any, *positional: Any, **arguments: Any) -> Any:
            note(self, name, arguments)
            return getattr(cls, name)(self, *positional, **arguments)

        return method

    members = {name: hook(name) for name in HOOKS if hasattr(cls, name)}
    return world.callback(base, config=config or None, **members)


def test_the_parts_of_a_run_are_attributes_of_the_trainer(world: World) -> None:
    """One object each, those that callbacks are built with."""
    run = world.run()
    given = run.callback_kwargs
    assert set(given) == {
        "trainer",
        "model",
        "data_container",
        "tracker",
        "log_writer",
        "checkpoint_writer",
        "metric_property_provider",
    }
    assert given["trainer"] is run.trainer
    assert given["model"] is run.model
    for name in set(given) - {"trainer", "model"}:
        assert getattr(run.trainer, name) is given[name]
    assert run.trainer.update_counter is run.log_writer.update_counter is run.checkpoint_writer.update_counter


def test_a_trainer_has_no_attribute_model(world: World) -> None:
    """Callbacks have it of their own."""
    with pytest.raises(AttributeError):
        world.run().trainer.model  # noqa: B018


def test_what_a_trainer_tells_of_its_run(world: World) -> None:
    """Before the first update."""
    trainer = world.run().trainer
    assert (trainer.updates_per_epoch, trainer.total_training_updates, trainer.skip_nan_loss_counter) == (4, 8, 0)
    assert trainer.start_checkpoint == world.iteration(0, 0, 0)
    assert trainer.end_checkpoint == world.iteration(epoch=2)
    assert (trainer.device, trainer.precision) == (torch.device("cpu"), torch.float32)
    assert (list(trainer.forward_properties), list(trainer.target_properties)) == (["x"], ["y"])
    assert trainer.batch_keys == {"x", "y"}
    assert (trainer.initializer, trainer.callbacks) == (None, [])
    assert not trainer.grad_scaler.is_enabled()


@pytest.mark.parametrize(
    ("plan", "updates"),
    [
        (TrainingPlan(epochs=3), 12),
        (TrainingPlan(updates=5), 5),
        (TrainingPlan(samples=7), 3),
        (TrainingPlan(epochs=2, dataset_size=9, batch_size=4), 4),
    ],
    ids=str,
)
def test_a_trainer_knows_the_updates_of_the_whole_run(world: World, plan: TrainingPlan, updates: int) -> None:
    """Parts of a batch are cut off, and it trains so many."""
    run = world.run(plan)
    assert run.trainer.total_training_updates == updates
    run.train()
    assert run.update_counter.update == updates


def test_less_than_a_batch_of_samples_is_one_update(world: World) -> None:
    """Though the trainer counts none."""
    run = world.run(TrainingPlan(samples=1)).train()
    assert (run.trainer.total_training_updates, run.update_counter.update) == (0, 1)


def test_the_config_tells_what_callbacks_ask_for(world: World) -> None:
    """Batch size, length, properties and what to do with a loss that is no number."""
    config = world.run(TrainingPlan(updates=3, batch_size=4)).trainer.config
    assert (config.effective_batch_size, config.max_updates, config.max_epochs, config.max_samples) == (
        4,
        3,
        None,
        None,
    )
    assert (config.skip_nan_loss, config.forward_properties, config.target_properties) == (False, ["x"], ["y"])
    assert (config.max_batch_size, config.disable_gradient_accumulation, config.callbacks) == (None, True, None)
    accumulating = world.run(TrainingPlan(epochs=1, batch_size=4, accumulation_steps=2)).trainer.config
    assert (accumulating.effective_batch_size, accumulating.max_batch_size) == (4, 2)
    assert not accumulating.disable_gradient_accumulation


def test_a_training_step_answers_total_loss_and_losses_by_name(world: World) -> None:
    """The total is not among the names, and there are no further outputs."""
    run = world.run()
    result = run.trainer.train_step(batch_of(), run.model)
    assert list(result.losses_to_log) == ["mse"]
    assert result.additional_outputs is None
    assert torch.equal(result.total_loss, result.losses_to_log["mse"])
    assert result.total_loss.requires_grad


def test_a_training_step_is_no_pair(world: World) -> None:
    """Its parts have names only."""
    run = world.run()
    with pytest.raises(TypeError):
        _, _ = run.trainer.train_step(batch_of(), run.model)


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (lambda outputs, targets: outputs["y"].mean(), ["loss"]),
        (lambda outputs, targets: [outputs["y"].mean(), outputs["y"].sum()], ["loss_0", "loss_1"]),
        (lambda outputs, targets: {"b": outputs["y"].mean(), "a": outputs["y"].sum()}, ["b", "a"]),
    ],
)
def test_losses_get_names(world: World, loss: Any, names: list[str]) -> None:
    """A single one is `loss`, those of a list are numbered, and the total is their sum."""
    run = world.run(loss=loss)
    result = run.trainer.train_step(batch_of(), run.model)
    assert list(result.losses_to_log) == names
    assert torch.allclose(result.total_loss, sum(result.losses_to_log.values()))


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        (lambda outputs, targets: {}, ValueError),
        (lambda outputs, targets: [], ValueError),
        (lambda outputs, targets: (), ValueError),
        (lambda outputs, targets: ({}, {"z": outputs["y"]}), ValueError),
        (lambda outputs, targets: (outputs["y"].mean(),), AttributeError),
        (lambda outputs, targets: (outputs["y"].mean(),) * 3, AttributeError),
        (lambda outputs, targets: "text", AttributeError),
        (lambda outputs, targets: {"a": 0.5, "b": outputs["y"].mean()}, TypeError),
        (lambda outputs, targets: None, TypeError),
        (lambda outputs, targets: 0.5, TypeError),
    ],
)
def test_an_odd_answer_of_a_loss_is_refused(world: World, loss: Any, error: type[Exception]) -> None:
    """There must be a loss, and the first must be a tensor."""
    run = world.run(loss=loss)
    with pytest.raises(error):
        run.trainer.train_step(batch_of(), run.model)


def test_the_steps_of_a_trainer_can_be_replaced(world: World) -> None:
    """They are called by keyword but for the batch; the context and the scaler are those of the trainer."""
    calls: list[str] = []

    def entering() -> Any:
        calls.append("context")
        yield

    def replace(self: Any, **_: Any) -> None:
        trainer = self.trainer
        step, loss, update = trainer.train_step, trainer.loss_compute, trainer.grad_scaler.step
        trainer.train_step = lambda batch, *, model: (calls.append("step"), step(batch, model=model))[1]
        trainer.loss_compute = lambda *, forward_output, targets: (
            calls.append("loss"),
            loss(forward_output=forward_output, targets=targets),
        )[1]
        trainer.grad_scaler.step = lambda optimiser: (calls.append("scaler"), update(optimiser))[1]
        trainer.autocast_context = contextmanager(entering)()

    world.run(TrainingPlan(updates=1)).train(world.callback(before_training=replace))
    assert calls == ["context", "step", "loss", "scaler"]


@pytest.mark.parametrize(("missing", "error"), [("x", TypeError), ("y", KeyError)])
def test_a_training_step_without_its_properties_is_refused(world: World, missing: str, error: type[Exception]) -> None:
    """The model lacks an argument, or the loss its target."""
    run, batch = world.run(), batch_of()
    del batch[missing]
    with pytest.raises(error):
        run.trainer.train_step(batch, run.model)


def test_a_target_that_a_batch_lacks_is_not_missed_by_the_trainer(world: World) -> None:
    """The loss gets those that are there."""
    seen: list[Any] = []

    def loss(outputs: Any, targets: Any) -> Any:
        seen.append(dict(targets))
        return outputs["y"].mean()

    run = world.run(loss=loss)
    run.trainer.train_step({"x": torch.ones(2, 4)}, run.model)
    assert seen == [{}]


def test_the_state_of_a_trainer_is_callbacks_progress_and_scaler(world: World) -> None:
    """All plain data."""
    run = world.run().train(world.callback(state_dict=lambda self: {"n": 1}))
    assert run.trainer.state_dict() == {
        "callback_state_dicts": {"Own": {"n": 1}},
        "training_iteration": {"epoch": 2, "update": 8, "sample": 16},
        "grad_scaler": {},
    }


def test_loading_the_state_of_a_trainer_loads_its_callbacks(world: World) -> None:
    """The counter stays where it is."""
    loaded: list[Any] = []
    keeper = world.callback(
        state_dict=lambda self: {"n": 1}, load_state_dict=lambda self, state_dict: loaded.append(state_dict)
    )
    run = world.run().train(keeper)
    state = run.trainer.state_dict() | {"training_iteration": {"epoch": 0, "update": 1, "sample": 2}}
    run.trainer.load_state_dict(state)
    assert loaded == [{"n": 1}]
    assert run.update_counter.update == 8


def test_a_state_without_callbacks_is_refused(world: World) -> None:
    """It is no state of a trainer."""
    with pytest.raises(KeyError):
        world.run().trainer.load_state_dict({})


def test_callbacks_are_unknown_to_the_trainer_while_they_are_built(world: World) -> None:
    """And while their keys are compared; then all of them are there, in order."""
    counts: list[tuple[str, int]] = []

    def note(self: Any, hook: str, _: Any) -> None:
        counts.append((hook, len(self.trainer.callbacks)))

    def build(self: Any, *positional: Any, **arguments: Any) -> None:
        world.callbacks.CallbackBase.__init__(self, *positional, **arguments)
        counts.append(("__init__", len(self.trainer.callbacks)))

    world.run().train(world.callback("CallbackBase", __init__=build), noting(world, note, "CallbackBase"))
    assert counts == [("__init__", 0), ("state_dict", 0), ("before_training", 2), ("after_training", 2)]


def test_a_callback_finds_itself_among_the_callbacks_of_the_trainer(world: World) -> None:
    """By identity, by equality and by class, in every hook of a run and of its resume."""
    found: dict[str, list[bool]] = {}

    def note(callback: Any, hook: str, arguments: Mapping[str, Any]) -> None:
        callbacks = callback.trainer.callbacks
        if callbacks:
            seen = any(each is callback for each in callbacks) and callback in callbacks
            found.setdefault(hook, []).append(seen and type(callback) in [type(each) for each in callbacks])

    run = world.run(TrainingPlan(updates=4)).train(noting(world, note), noting(world, note, "CallbackBase"))
    checkpoint = run.save_checkpoint()
    world.run(TrainingPlan(updates=6).resumed(checkpoint)).train(noting(world, note))
    assert all(all(each) for each in found.values()), found
    assert set(HOOKS) == set(found)


def test_the_hooks_of_an_update_come_in_their_order(world: World) -> None:
    """Tracking, then the rounds; the base class fires the turn within its round."""
    hooks: list[str] = []
    world.run(TrainingPlan(epochs=1, dataset_size=2)).train(noting(world, lambda _, hook, __: hooks.append(hook)))
    assert hooks == [
        "state_dict",
        "before_training",
        "track_after_accumulation_step",
        "track_after_update_step",
        "after_update",
        "periodic_callback",
        "after_epoch",
        "after_training",
    ]


def test_a_plain_callback_has_start_and_end_hooks_only(world: World) -> None:
    """It is asked for its state once."""
    hooks: list[str] = []
    world.run().train(noting(world, lambda _, hook, __: hooks.append(hook), "CallbackBase"))
    assert hooks == ["state_dict", "before_training", "after_training"]


def test_a_round_is_one_callback_after_the_other(world: World) -> None:
    """Each with its turn, in the order of the callbacks."""
    order: list[str] = []

    def noted(name: str) -> Any:
        return noting(world, lambda _, hook, __: order.append(f"{name}.{hook}"))

    world.run(TrainingPlan(updates=1)).train(noted("a"), noted("b"))
    assert order[-8:] == [
        "a.track_after_update_step",
        "b.track_after_update_step",
        "a.after_update",
        "a.periodic_callback",
        "b.after_update",
        "b.periodic_callback",
        "a.after_training",
        "b.after_training",
    ]


def test_hooks_of_a_run_are_entered_without_recording(world: World) -> None:
    """Whether or not an override calls its base."""
    recording: set[tuple[str, bool]] = set()

    def silent(name: str) -> Any:
        return lambda self, *_, **__: recording.add((name, torch.is_grad_enabled()))

    hooks = [hook for hook in HOOKS if hook not in ("state_dict", "periodic_callback")]
    world.run().train(world.callback(**{hook: silent(hook) for hook in hooks}))
    assert recording == {(hook, False) for hook in hooks}


def test_a_constructor_runs_with_recording_on_and_the_model_in_train_mode(world: World) -> None:
    """Nothing is initialised at that time, and states are first asked for in the same mode."""
    seen: list[tuple[bool, bool, bool, bool]] = []

    def note(self: Any) -> None:
        model = self.model
        seen.append((torch.is_grad_enabled(), model.training, model.is_initialized, model.optimizer is None))

    def build(self: Any, *positional: Any, **arguments: Any) -> None:
        world.callbacks.CallbackBase.__init__(self, *positional, **arguments)
        note(self)

    world.run().train(world.callback("CallbackBase", __init__=build, state_dict=note))
    assert seen == [(True, True, False, True)] * 2


def test_the_model_is_in_train_mode_only_at_accumulation_steps(world: World) -> None:
    """In eval mode at all other hooks of a run."""
    modes: set[tuple[str, bool]] = set()
    world.run().train(noting(world, lambda self, hook, _: modes.add((hook, self.model.training))))
    expected = {(hook, hook in ("state_dict", "track_after_accumulation_step")) for hook in HOOKS}
    assert modes == expected - {("after_epoch", True)}


def test_gradients_are_seen_before_the_last_accumulation_step_only(world: World) -> None:
    """The last one comes after the optimiser's step and its clearing."""
    seen: list[tuple[int, int, bool]] = []

    def note(self: Any, hook: str, arguments: Mapping[str, Any]) -> None:
        has_gradients = any(parameter.grad is not None for parameter in self.model.parameters())
        if hook == "track_after_accumulation_step":
            seen.append((arguments["accumulation_step"], arguments["accumulation_steps"], has_gradients))
        else:
            assert not has_gradients

    world.run(TrainingPlan(epochs=2, dataset_size=4, accumulation_steps=2)).train(noting(world, note))
    assert seen == [(0, 2, True), (1, 2, False), (2, 2, True), (3, 2, False)] * 2


def test_the_counter_moves_after_the_accumulation_steps(world: World) -> None:
    """At an epoch's last update the epoch moves with it."""
    points: list[tuple[str, str]] = []

    def note(self: Any, hook: str, arguments: Mapping[str, Any]) -> None:
        if hook.startswith("track") or hook == "after_epoch":
            points.append((hook, str(arguments["update_counter"].cur_iteration)))

    world.run(TrainingPlan(epochs=1, dataset_size=4)).train(noting(world, note))
    assert points == [
        ("track_after_accumulation_step", "E0_U0_S0"),
        ("track_after_update_step", "E0_U1_S2"),
        ("track_after_accumulation_step", "E0_U1_S2"),
        ("track_after_update_step", "E1_U2_S4"),
        ("after_epoch", "E1_U2_S4"),
    ]


def test_losses_are_detached_and_begin_with_the_total(world: World) -> None:
    """Outputs that the loss handed out still have their graph."""
    seen: list[Mapping[str, Any]] = []

    def loss(outputs: Any, targets: Any) -> Any:
        return {"mse": outputs["y"].mean()}, {"y": outputs["y"]}

    world.run(TrainingPlan(updates=1), loss=loss).train(
        world.callback(track_after_accumulation_step=lambda self, **arguments: seen.append(arguments))
    )
    (arguments,) = seen
    assert list(arguments["losses"]) == ["total", "mse"]
    assert not any(value.requires_grad for value in arguments["losses"].values())
    assert arguments["update_outputs"]["y"].requires_grad


def test_without_further_outputs_of_the_loss_there_are_none(world: World) -> None:
    """Not an empty mapping."""
    seen: list[Any] = []
    world.run(TrainingPlan(updates=1)).train(
        world.callback(track_after_accumulation_step=lambda self, *, update_outputs, **_: seen.append(update_outputs))
    )
    assert seen == [None]


def test_times_are_one_mapping_through_an_epoch(world: World) -> None:
    """Used again at each update, with the same kinds of work."""
    seen: list[Any] = []
    world.run().train(world.callback(track_after_update_step=lambda self, *, times, **_: seen.append(times)))
    assert list(seen[0]) == ["data_wait", "collate", "getitem", "forward", "update", "backward"]
    assert len({id(times) for times in seen[:4]}) == 1
    assert seen[4] is not seen[0]


@pytest.mark.parametrize(
    ("config", "points"),
    [
        ({"every_n_updates": 3}, [("update", 3), ("update", 6)]),
        ({"every_n_epochs": 1}, [("epoch", 4), ("epoch", 8)]),
        ({"every_n_epochs": 2}, [("epoch", 8)]),
        ({"every_n_samples": 4, "batch_size": 2}, [("sample", 2), ("sample", 4), ("sample", 6), ("sample", 8)]),
        ({"every_n_samples": 5, "batch_size": 2}, [("sample", 3), ("sample", 5), ("sample", 8)]),
        ({"every_n_samples": 1, "batch_size": 2}, [("sample", update) for update in range(1, 9)]),
    ],
    ids=str,
)
def test_a_turn_comes_when_its_interval_is_due(
    world: World, config: dict[str, int], points: list[tuple[str, int]]
) -> None:
    """Samples when a multiple was reached or passed."""
    seen: list[tuple[str, int]] = []
    turn = world.callback(
        config=config,
        periodic_callback=lambda self, *, interval_type, update_counter, **_: seen.append(
            (interval_type, update_counter.update)
        ),
    )
    world.run().train(turn)
    assert seen == points


def test_a_turn_set_on_the_object_is_not_called_after_an_update(world: World) -> None:
    """The class is looked at; after an epoch it is called."""
    seen: list[str] = []

    def build(self: Any, config: Any, **collaborators: Any) -> None:
        world.callbacks.PeriodicCallback.__init__(self, config, **collaborators)
        self.periodic_callback = lambda *, interval_type, **_: seen.append(interval_type)

    world.run().train(
        world.callback(__init__=build), world.callback(class_name="B", config={"every_n_epochs": 1}, __init__=build)
    )
    assert seen == ["epoch", "epoch"]


def test_the_gradient_mode_and_the_weights_are_those_of_training_at_the_end(world: World) -> None:
    """Recording is on again, the model in eval mode, and the weights have moved."""
    run = world.run()
    before = {name: tensor.clone() for name, tensor in run.model.named_parameters()}
    run.train()
    assert torch.is_grad_enabled()
    assert not run.model.training
    assert any(not torch.equal(before[name], tensor) for name, tensor in run.model.named_parameters())
