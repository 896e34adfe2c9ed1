"""Verified behaviours of frozen models, and of parameters that are frozen later."""

from __future__ import annotations

from typing import Any

import pytest
from tests.verified.worlds import World


def files_of(run: Any) -> set[str]:
    return {file.name for file in run.path_provider.checkpoint_path.iterdir()}


def freeze(model: Any, *, is_trained: bool = False) -> None:
    for parameter in model.parameters():
        parameter.requires_grad = is_trained


def test_a_frozen_model_has_neither_gradients_nor_optimiser(world: World) -> None:
    """And stays in eval mode."""
    model = world.frozen_run().model.initialize()
    assert (model.is_frozen, model.optimizer, model.trainable_param_count) == (True, None, 0)
    assert not model.train().training
    assert not model.net.training


def test_a_frozen_model_cannot_be_trained(world: World) -> None:
    """But evaluated."""
    with pytest.raises(ValueError, match=r"."):
        world.frozen_run().train()
    seen: list[str] = []
    world.frozen_run().evaluate(world.callback(at_eval=lambda self, update_counter, **_: seen.append("turn")))
    assert seen == ["turn"]


@pytest.mark.parametrize(("options", "files"), [({}, {"model_cp=t_model.th"}), ({"save_frozen_weights": False}, set())])
def test_the_weights_of_a_frozen_model_can_be_left_out(world: World, options: dict[str, Any], files: set[str]) -> None:
    """It has no optimiser to save, either."""
    run = world.frozen_run()
    run.model.initialize()
    run.checkpoint_writer.save(run.model, "t", **options)
    assert files_of(run) == files


def test_parameters_that_are_frozen_later_make_no_frozen_model(world: World) -> None:
    """It keeps its optimiser, and its weights are saved."""
    run = world.run()
    run.model.initialize()
    freeze(run.model)
    assert not run.model.is_frozen
    run.checkpoint_writer.save(run.model, "t", save_frozen_weights=False)
    assert files_of(run) == {"model_cp=t_model.th", "model_cp=t_optim.th"}


def test_parameters_can_be_frozen_until_training(world: World) -> None:
    """The optimiser knows them all the same."""

    def build(self: Any, config: Any, *, name: str | None, **collaborators: Any) -> None:
        world.callbacks.PeriodicCallback.__init__(self, config, **collaborators, name=name)
        freeze(self.model)

    thaws = world.callback(__init__=build, before_training=lambda self, **_: freeze(self.model, is_trained=True))
    assert world.run().train(thaws).update_counter.update == 8


def test_a_run_whose_parameters_are_all_frozen_fails(world: World) -> None:
    """In the backward pass."""
    freezes = world.callback(before_training=lambda self, **_: freeze(self.model))
    with pytest.raises(RuntimeError):
        world.run().train(freezes)
