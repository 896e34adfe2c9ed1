"""Reads a run's checkpoint back, as the framework's resume does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from noether_testkit.core.utils.training import TrainingIteration
from noether_testkit.errors import FakeError
from noether_testkit.fakes.model import FakeModel
from noether_testkit.fakes.providers import FakePathProvider
from noether_testkit.fakes.strict import StrictFake
from noether_testkit.plan import Checkpoint


class ResumePoint(StrictFake):
    """The checkpoint that a run goes on from; it is the trainer's `initializer`.

    Args:
        checkpoint: Where the checkpoint is.
        model_name: First part of its file names.

    Attributes:
        path_provider: The paths of the earlier run; callbacks get it as `resumption_paths`.
        run_id: Name of the earlier run.
        checkpoint_tag: Tag of the checkpoint.

    Raises:
        FakeError: The checkpoint has no trainer file.
    """

    stands_for = "ResumeInitializer"

    def __init__(self, checkpoint: Checkpoint, model_name: str) -> None:
        super().__init__()
        self.path_provider = FakePathProvider(checkpoint.output_root, checkpoint.run_id)
        self.run_id = checkpoint.run_id
        self.checkpoint_tag = checkpoint.tag
        self.model_name = model_name

    @property
    def iteration(self) -> TrainingIteration:
        """The progress at which the checkpoint was written."""
        return TrainingIteration.from_dict(self.trainer_state()["training_iteration"])

    def trainer_state(self) -> dict[str, Any]:
        """Returns the trainer's part, newly read at torch's default settings."""
        state: dict[str, Any] = torch.load(self._file("trainer"))
        return state

    def load_weights(self, model: FakeModel) -> None:
        """Puts weights and optimiser state back."""
        model.load_state_dict(torch.load(self._file("model"))["state_dict"])
        if model.optimizer is not None:
            model.optimizer.load_state_dict(torch.load(self._file("optim")))

    def _file(self, part: str) -> Path:
        path = self.path_provider.checkpoint_path / f"{self.model_name}_cp={self.checkpoint_tag}_{part}.th"
        if not path.exists():
            found = sorted(file.name for file in self.path_provider.checkpoint_path.iterdir())
            raise FakeError(f"There is no {path.name} to resume from; the folder holds {found or 'nothing'}.")
        return path
