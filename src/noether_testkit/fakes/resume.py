"""Reads a run's checkpoint back, as the framework's resume does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from noether_testkit.core.utils.training import TrainingIteration
from noether_testkit.fakes.files import read
from noether_testkit.fakes.model import FakeModel
from noether_testkit.fakes.providers import FakePathProvider
from noether_testkit.fakes.strict import Strict
from noether_testkit.plan import Checkpoint


class ResumePoint(Strict):
    """The checkpoint that a run goes on from; it is the trainer's `initializer`.

    Args:
        checkpoint: Where the checkpoint is.
        model_name: First part of its file names.
        iteration: The class of points in training.

    Attributes:
        init_run_path_provider: The paths of the earlier run; callbacks get it as `resumption_paths`.
        run_id: Name of the earlier run.
        checkpoint_tag: Tag of the checkpoint.

    Raises:
        FileNotFoundError: The checkpoint has no trainer file.
    """

    _stands_for = "ResumeInitializer"
    _kit_only = frozenset({"trainer_state"})
    _not_faked = frozenset({"init_callbacks", "init_trainer", "path_provider", "pop_ckpt_kwargs_keys"})

    def __init__(self, checkpoint: Checkpoint, model_name: str, iteration: Any = TrainingIteration) -> None:
        self._iteration = iteration
        self.logger = logging.getLogger("ResumePoint")
        self.init_run_path_provider = FakePathProvider(checkpoint.output_root, checkpoint.run_id)
        self.run_id = checkpoint.run_id
        self.stage_name = None
        self.checkpoint_tag = checkpoint.tag
        self.model_name = model_name
        self.model_info = None
        self.load_optim = True

    def start_checkpoint(self) -> TrainingIteration:
        """Returns the progress at which the checkpoint was written."""
        start: TrainingIteration = self._iteration.from_dict(self.trainer_state()["training_iteration"])
        return start

    def trainer_state(self) -> dict[str, Any]:
        """Returns the trainer's part, newly read at torch's default settings; only the kit has it."""
        state: dict[str, Any] = torch.load(self._file("trainer"))
        return state

    def init_weights(self, model: FakeModel) -> None:
        """Puts the weights back.

        Raises:
            RuntimeError: The norm of the weights is what it was: nothing seems to have been loaded.
        """
        before = _norm(model)
        model.load_state_dict(read(self._file("model"))["state_dict"])
        if before == _norm(model):
            raise RuntimeError(
                f"Loading {self._file('model').name} has not changed the weights. The framework refuses such a "
                "resume: resume from a checkpoint that was written after the first update."
            )

    def init_optimizer(self, model: FakeModel) -> None:
        """Puts the state of the optimiser back."""
        if model.optimizer is not None:
            model.optimizer.load_state_dict(read(self._file("optim")))

    def _file(self, part: str) -> Path:
        path = self.init_run_path_provider.checkpoint_path / f"{self.model_name}_cp={self.checkpoint_tag}_{part}.th"
        if not path.exists():
            found = ", ".join(sorted(file.name for file in path.parent.iterdir())) or "nothing"
            raise FileNotFoundError(f"There is no {path.name} to resume from; {path.parent} holds {found}.")
        return path


def _norm(model: FakeModel) -> float:
    return sum(float(parameter.detach().double().norm()) for parameter in model.parameters())
