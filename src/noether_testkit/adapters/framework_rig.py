"""The framework's trainer and collaborators, ready for one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from noether_testkit.adapters.framework import calls_into_the_framework, work_of_the_framework
from noether_testkit.adapters.framework_classes import (
    PARTS_OF_THE_MODEL,
    PARTS_OF_THE_TRAINER,
    framework_classes,
    make_model,
    require_parts,
)
from noether_testkit.adapters.framework_data import make_datasets
from noether_testkit.adapters.watched import build_watched, listen
from noether_testkit.contract.session import Factory, OnUse, run_id_for
from noether_testkit.contract.subject import Subject
from noether_testkit.fakes import DefaultNetwork, Watch
from noether_testkit.fakes.run import MODEL_NAME, seed_everything
from noether_testkit.plan import Checkpoint, TrainingPlan


class FrameworkRig:
    """The framework's trainer and collaborators, ready for one run; see `Rig`.

    Raises:
        UsageError: The framework is another release, whose constructors take other arguments.
    """

    def __init__(self, subject: Subject, plan: TrainingPlan, *, folder: Path, around: Watch, on_use: OnUse) -> None:
        self._plan = plan
        self._run_id = run_id_for(plan, folder)
        self._folder = folder
        self.companions = framework_classes().companions
        seed_everything(plan.seed)
        datasets = make_datasets(subject, plan, on_use)
        # A checkpoint that cannot be read is a matter of the callback that wrote it.
        at_work = work_of_the_framework if plan.resume_from is None else nullcontext
        with at_work(), calls_into_the_framework():
            self._trainer = self._make_trainer(datasets)
            require_parts(self._trainer, PARTS_OF_THE_TRAINER)
        self._trainer.loss = subject.loss
        self._trainer.build = lambda factory, collaborators: build_watched(factory, collaborators, around)
        network = (subject.model or DefaultNetwork)()
        with at_work(), calls_into_the_framework():
            self._model = make_model(
                network,
                MODEL_NAME,
                update_counter=self._trainer.update_counter,
                path_provider=self._trainer.path_provider,
                data_container=self._trainer.data_container,
            )
            require_parts(self._model, PARTS_OF_THE_MODEL)
            self._model.fault = lambda inputs: on_use("model.forward", inputs)
            listen(self._trainer, on_use)

    @property
    def trainer(self) -> Any:
        """The trainer."""
        return self._trainer

    @property
    def model(self) -> torch.nn.Module:
        """The model."""
        model: torch.nn.Module = self._model
        return model

    @property
    def collaborators(self) -> dict[str, Any]:
        """The seven keyword arguments that every callback is built with."""
        with calls_into_the_framework():
            given: dict[str, Any] = self._trainer._get_default_callback_kwargs(self._model)  # noqa: SLF001 - it has no other
        return given

    @property
    def update_counter(self) -> Any:
        """The counter of epochs, updates and samples."""
        with calls_into_the_framework():
            return self._trainer.update_counter

    @property
    def log_entries(self) -> Sequence[Mapping[str, Any]]:
        """The flushed log entries."""
        with calls_into_the_framework():
            entries: Sequence[Mapping[str, Any]] = self._trainer.log_writer.log_entries
        return entries

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary values that the tracker was given."""
        with calls_into_the_framework():
            summary: Mapping[str, Any] = self._trainer.tracker.summary
        return summary

    @property
    def run_folder(self) -> Path:
        """The folder of the run."""
        return self._folder / self._run_id

    def run(self, factories: Sequence[Factory]) -> None:
        """Trains or evaluates, as the plan says."""
        self._trainer.factories = factories
        seed_everything(self._plan.seed)
        if self._plan.evaluate:
            self._trainer.eval(self._model)
        elif self._plan.total_updates == 0:
            with calls_into_the_framework():
                self._run_without_updates()
        else:
            self._trainer.train(self._model)

    def save_checkpoint(self, tag: str) -> Checkpoint:
        """Writes weights, optimiser and all states."""
        with torch.no_grad(), calls_into_the_framework():
            self._trainer.checkpoint_writer.save(self._model, tag, trainer=self._trainer)
        return Checkpoint(output_root=self._folder, run_id=self._run_id, tag=tag)

    def request_stop(self) -> None:
        """Ends the run after the current update, by the flag that the signal handler sets."""
        self._trainer._signal_received = True  # noqa: SLF001 - what SIGTERM sets

    def _run_without_updates(self) -> None:
        """This release cannot train for no update; a fixed one would call the end hooks after the start hooks."""
        callbacks = self._trainer.get_all_callbacks(self._model)
        self._trainer.callbacks = callbacks
        self._model.initialize()
        self._model.eval()
        with self._trainer.log_writer:
            self._trainer.call_before_training(callbacks)
            self._trainer.call_after_training(callbacks)

    def _make_trainer(self, datasets: dict[str, Any]) -> Any:
        framework = framework_classes()
        paths = framework.PathProvider(self._folder, self._run_id)
        data = framework.DataContainer(datasets, num_workers=0, pin_memory=False, seed=self._plan.seed)
        properties = framework.MetricPropertyProvider()
        return framework.FactoryTrainer(
            self._config(),
            data_container=data,
            device="cpu",
            tracker=framework.NoopTracker(metric_property_provider=properties, path_provider=paths),
            path_provider=paths,
            main_sampler_kwargs={"shuffle": False},
            metric_property_provider=properties,
        )

    def _config(self) -> Any:
        framework, plan = framework_classes(), self._plan
        resume = plan.resume_from
        initializer = None
        if resume is not None:
            initializer = framework.ResumeInitializerConfig(
                run_id=resume.run_id, checkpoint_tag=resume.tag, model_name=MODEL_NAME
            )
        epochs, updates = plan.epochs, plan.updates
        if (plan.epochs, plan.updates, plan.samples) == (None, None, None):
            epochs = 2
        if updates == 0:
            updates = 1
        accumulating = plan.accumulation_steps > 1
        return framework.BaseTrainerConfig(
            kind="noether_testkit.Trainer",
            max_epochs=epochs,
            max_updates=updates,
            max_samples=plan.samples,
            effective_batch_size=plan.batch_size,
            max_batch_size=plan.batch_size // plan.accumulation_steps if accumulating else None,
            disable_gradient_accumulation=not accumulating,
            callbacks=None,
            initializer=initializer,
            add_default_callbacks=False,
            add_trainer_callbacks=False,
            forward_properties=["x"],
            target_properties=["y"],
        )
