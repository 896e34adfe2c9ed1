"""One run with all seven collaborators."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import numpy as np
import torch
from torch import nn

from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.checkpoint_writer import FakeCheckpointWriter
from noether_testkit.fakes.data import FakeDataContainer, FakeDataset, default_datasets
from noether_testkit.fakes.faults import install
from noether_testkit.fakes.log_writer import FakeLogWriter
from noether_testkit.fakes.model import DefaultNetwork, FakeModel
from noether_testkit.fakes.natives import KIT, Natives
from noether_testkit.fakes.providers import FakeMetricPropertyProvider, FakePathProvider
from noether_testkit.fakes.resume import ResumePoint
from noether_testkit.fakes.step import Loss
from noether_testkit.fakes.tracker import FakeTracker
from noether_testkit.fakes.trainer import FakeTrainer, collaborators_of
from noether_testkit.fakes.trainer_config import FakeTrainerConfig
from noether_testkit.fakes.watch import Watch
from noether_testkit.plan import Checkpoint, TrainingPlan

RUN_ID = "run"
MODEL_NAME = "model"


class FakeRun:
    """A run of the fake trainer, with the seven collaborators that share it.

    Use it as a context manager, or call `close`, to remove the temporary folder; a forgotten one goes
    with the run. A folder that is given stays.

    Args:
        plan: Length, batch size, seed, checkpoint to resume from and faults; two epochs of four updates by
            default. What the plan says of checkpoints, stops and evaluation is for harnesses: here, call
            `save_checkpoint`, `trainer.request_stop` and `evaluate`.
        output_root: Folder that holds the run folders; a temporary one by default.
        run_id: Name of the run folder.
        network: Makes the network; that of the default problem where it is missing.
        datasets: Makes the tensors of the data sets; those of the default problem where missing.
        loss: Computes the losses; mean squared error where it is missing.
        watch: Called around each call of the trainer into a callback.
        natives: The classes of model, counter, iterations and directions; the kit's own by default.
    """

    def __init__(
        self,
        plan: TrainingPlan | None = None,
        *,
        output_root: Path | None = None,
        run_id: str = RUN_ID,
        network: Callable[[], nn.Module] | None = None,
        datasets: Callable[[], Mapping[str, Mapping[str, torch.Tensor]]] | None = None,
        loss: Loss | None = None,
        watch: Watch | None = None,
        natives: Natives = KIT,
    ) -> None:
        self.plan = plan or TrainingPlan()
        self._remove_folder: Callable[[], Any] | None = None
        if output_root is None:
            output_root = Path(tempfile.mkdtemp(prefix="noether-testkit-"))
            self._remove_folder = finalize(self, shutil.rmtree, output_root, ignore_errors=True)
        self.path_provider = FakePathProvider(output_root, run_id)
        seed_everything(self.plan.seed)
        self.data_container = self._data(datasets)
        self.metric_property_provider = FakeMetricPropertyProvider(natives.Ordinality)
        self.tracker = FakeTracker(self.metric_property_provider, self.path_provider)
        self.trainer = FakeTrainer(
            self._config(),
            self.data_container,
            self.path_provider,
            self.tracker,
            self.metric_property_provider,
            accumulation_steps=self.plan.accumulation_steps,
            resume_point=self._resume_point(natives),
            loss=loss,
            watch=watch,
            natives=natives,
        )
        self.model: FakeModel = natives.make_model(
            (network or DefaultNetwork)(),
            MODEL_NAME,
            update_counter=self.trainer.update_counter,
            path_provider=self.path_provider,
            data_container=self.data_container,
        )
        install(self.plan.faults, self.callback_kwargs)

    @property
    def log_writer(self) -> FakeLogWriter:
        """The log writer."""
        return self.trainer.log_writer

    @property
    def checkpoint_writer(self) -> FakeCheckpointWriter:
        """The checkpoint writer."""
        return self.trainer.checkpoint_writer

    @property
    def update_counter(self) -> UpdateCounter:
        """The counter of epochs, updates and samples."""
        return self.trainer.update_counter

    @property
    def callback_kwargs(self) -> dict[str, Any]:
        """The seven collaborators, ready for `**`."""
        return collaborators_of(self.trainer, self.model)

    def train(self, *callbacks: Any) -> Self:
        """Trains with callbacks, or with factories that take the seven collaborators.

        Raises:
            Exception: Whatever a callback raised.
        """
        seed_everything(self.plan.seed)
        self.trainer.train(self.model, callbacks)
        return self

    def evaluate(self, *callbacks: Any) -> Self:
        """Does an evaluation run with callbacks or factories."""
        seed_everything(self.plan.seed)
        self.trainer.eval(self.model, callbacks)
        return self

    def checkpoint(self, tag: str = "latest") -> Checkpoint:
        """Returns the reference to a checkpoint of this run, to resume another run from."""
        return Checkpoint(output_root=self.path_provider.output_root, run_id=self.path_provider.run_id, tag=tag)

    def save_checkpoint(self, tag: str = "latest") -> Checkpoint:
        """Writes weights, optimiser and all states, and returns the reference to resume from."""
        with torch.no_grad():
            self.checkpoint_writer.save(self.model, tag, trainer=self.trainer)
        return self.checkpoint(tag)

    def close(self) -> None:
        """Removes the temporary folder."""
        if self._remove_folder is not None:
            self._remove_folder()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _config(self) -> FakeTrainerConfig:
        plan = self.plan
        epochs = 2 if (plan.epochs, plan.updates, plan.samples) == (None, None, None) else plan.epochs
        is_accumulating = plan.accumulation_steps > 1
        return FakeTrainerConfig(
            effective_batch_size=plan.batch_size,
            max_batch_size=plan.batch_size // plan.accumulation_steps if is_accumulating else None,
            disable_gradient_accumulation=not is_accumulating,
            max_epochs=epochs,
            max_updates=plan.updates,
            max_samples=plan.samples,
        )

    def _data(self, datasets: Callable[[], Mapping[str, Mapping[str, torch.Tensor]]] | None) -> FakeDataContainer:
        defaults = default_datasets(self.plan.dataset_size, self.plan.test_size, self.plan.seed)
        given = defaults if datasets is None else {"train": defaults["train"], **datasets()}
        return FakeDataContainer({key: FakeDataset(tensors) for key, tensors in given.items()}, seed=self.plan.seed)

    def _resume_point(self, natives: Natives) -> ResumePoint | None:
        checkpoint = self.plan.resume_from
        return None if checkpoint is None else ResumePoint(checkpoint, MODEL_NAME, natives.TrainingIteration)


def seed_everything(seed: int) -> None:
    """Seeds the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@cache
def _has_accelerator() -> bool:
    """Returns whether there is more to seed than the CPU; where not, `torch.manual_seed` costs more than an update."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()
