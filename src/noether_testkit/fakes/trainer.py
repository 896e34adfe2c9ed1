"""Fake of the trainer: what callbacks see of it, and its two kinds of run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes.batches import Batches, drop_metadata, training_batches
from noether_testkit.fakes.calling import Caller
from noether_testkit.fakes.checkpoint_writer import FakeCheckpointWriter
from noether_testkit.fakes.data import Batch, FakeDataContainer
from noether_testkit.fakes.lineage import data_iterators
from noether_testkit.fakes.log_writer import FakeLogWriter
from noether_testkit.fakes.loop import TrainingLoop, evaluate
from noether_testkit.fakes.model import FakeModel
from noether_testkit.fakes.natives import KIT, Natives
from noether_testkit.fakes.providers import FakeMetricPropertyProvider, FakePathProvider
from noether_testkit.fakes.resume import ResumePoint
from noether_testkit.fakes.signals import ending_at_sigterm
from noether_testkit.fakes.step import Loss, Tensors, TrainerResult, mean_squared_error, result_of
from noether_testkit.fakes.strict import Strict
from noether_testkit.fakes.tracker import FakeTracker
from noether_testkit.fakes.trainer_config import FakeTrainerConfig
from noether_testkit.fakes.watch import Watch


class FakeTrainer(Strict):
    """Trains a model and calls the callbacks, in the framework's order.

    Args:
        config: Length of the run, batch size and properties.
        data_container: Holds `train`.
        path_provider: Where files go.
        tracker: Takes the log entries.
        metric_property_provider: Handed to the callbacks.
        accumulation_steps: Forward and backward passes in an update.
        resume_point: The checkpoint that the run goes on from.
        loss: Computes the losses from outputs and targets.
        watch: Called around each call into a callback.
        natives: The classes of the counter and of its points.

    Attributes:
        callbacks: The callbacks; empty until all are built and their keys are found to differ.

    Raises:
        ValueError: The training set is smaller than a batch.
    """

    _stands_for = "BaseTrainer"
    _kit_only = frozenset({"request_stop"})
    _not_faked = frozenset(
        {
            "apply_resume_initializer",
            "call_after_training",
            "call_before_training",
            "get_all_callbacks",
            "get_data_loader",
            "get_default_callback_intervals",
            "get_default_callbacks",
            "get_trainer_callbacks",
            "get_user_callbacks",
            "update",
            "wrap_compile",
            "wrap_ddp",
            "wrap_model",
        }
    )

    def __init__(
        self,
        config: FakeTrainerConfig,
        data_container: FakeDataContainer,
        path_provider: FakePathProvider,
        tracker: FakeTracker,
        metric_property_provider: FakeMetricPropertyProvider,
        *,
        accumulation_steps: int = 1,
        resume_point: ResumePoint | None = None,
        loss: Loss | None = None,
        watch: Watch | None = None,
        natives: Natives = KIT,
    ) -> None:
        iteration = natives.TrainingIteration
        self.config = config
        self.data_container = data_container
        self.path_provider = path_provider
        self.tracker = tracker
        self.metric_property_provider = metric_property_provider
        self.logger = logging.getLogger("FakeTrainer")
        self.main_sampler_kwargs = {"shuffle": False}
        self.device = torch.device("cpu")
        self.precision = torch.float32
        self.autocast_context = nullcontext()
        self.grad_scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.forward_properties = config.forward_properties
        self.target_properties = config.target_properties
        self.batch_keys = {*config.forward_properties, *config.target_properties}
        self.skip_nan_loss_counter = 0
        self.initializer = resume_point
        self.updates_per_epoch = _updates_per_epoch(data_container, config.effective_batch_size)
        self.start_checkpoint = iteration(0, 0, 0) if resume_point is None else resume_point.start_checkpoint()
        self.end_checkpoint = iteration(config.max_epochs, config.max_updates, config.max_samples)
        self.update_counter: UpdateCounter = natives.UpdateCounter(
            self.start_checkpoint,
            iteration(update=self.total_training_updates),
            self.updates_per_epoch,
            config.effective_batch_size,
        )
        self.log_writer = FakeLogWriter(path_provider, self.update_counter, tracker)
        self.checkpoint_writer = FakeCheckpointWriter(path_provider, self.update_counter)
        self.callbacks: list[Any] = []
        self._accumulation_steps = accumulation_steps
        self._loss = loss or mean_squared_error
        self._caller = Caller(watch)
        self._stop_requested = False

    @property
    def total_training_updates(self) -> int:
        """Updates in the whole run, those before a resume included."""
        end = self.end_checkpoint.to_fully_specified(self.updates_per_epoch, self.config.effective_batch_size)
        updates: int = end.update or 0
        return updates

    @staticmethod
    def drop_metadata(data: Batch) -> Batch:
        """Removes the entries whose names start with `__meta` from a batch, and returns it."""
        return drop_metadata(data)

    def loss_compute(self, forward_output: Tensors, targets: Tensors) -> Any:
        """Computes the losses, and perhaps further outputs; see `Loss`."""
        return self._loss(forward_output, targets)

    def train_step(self, batch: Batch, model: torch.nn.Module) -> TrainerResult:
        """Computes the losses of one batch.

        Args:
            batch: Named tensors `(samples, ...)`.
            model: Called with the forward properties.

        Returns:
            The total loss, all losses by name, and the outputs that the loss handed out, if any.
        """
        outputs = model(**{key: batch[key] for key in self.forward_properties if key in batch})
        targets = {key: batch[key] for key in self.target_properties if key in batch}
        return result_of(self.loss_compute(forward_output=outputs, targets=targets))

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint holds of the trainer: all callback states, and the progress."""
        return {
            "callback_state_dicts": CallbackBase.build_callback_state_dict(self._caller.for_states(self.callbacks)),
            "training_iteration": dict(self.update_counter.cur_iteration),
            "grad_scaler": {},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Hands the callbacks their states out of a checkpoint; the counter stays as it is."""
        self._load_states(state_dict, self.logger)

    def train(self, model: FakeModel, callbacks: Iterable[Any] = ()) -> None:
        """Trains a model.

        Args:
            model: The model, not initialised yet.
            callbacks: Callbacks, or factories that are called with the seven collaborators.

        Raises:
            Exception: Whatever a callback raised, as the framework does; `EarlyStopIteration` from
                the periodic path ends the run in order.
        """
        built = self._build(model, callbacks)
        CallbackBase.validate_checkpoint_keys(self._caller.for_states(built))
        iterators = [each for callback in built for each in data_iterators(callback)]
        self._prepare(model, built)
        batches = self._training_batches(iterators)
        with self.log_writer:
            model.eval()
            with torch.no_grad():
                self._caller.call_all(self.callbacks, "before_training", update_counter=self.update_counter)
            if not self._has_no_updates:
                with ending_at_sigterm(self.request_stop):
                    self._loop(model, batches).run()
            model.eval()
            with torch.no_grad():
                self._caller.call_all(self.callbacks, "after_training", update_counter=self.update_counter)

    def eval(self, model: FakeModel, callbacks: Iterable[Any] = ()) -> None:
        """Evaluates a model: only `at_eval` of the periodic callbacks.

        Args:
            model: The model.
            callbacks: As in `train`.
        """
        self._prepare(model, self._build(model, callbacks))
        with self.log_writer:
            model.eval()
            batch_size = self.config.effective_batch_size // self._accumulation_steps
            evaluate(self, model, self._caller, batch_size)

    def request_stop(self) -> None:
        """Ends the run after the current update, as SIGTERM does in the framework; only the kit has it."""
        self._stop_requested = True

    @property
    def _has_no_updates(self) -> bool:
        return not any(dict(self.end_checkpoint).values())

    def _build(self, model: FakeModel, callbacks: Iterable[Any]) -> list[Any]:
        collaborators = collaborators_of(self, model)
        return [self._caller.build(callback, collaborators) for callback in callbacks]

    def _prepare(self, model: FakeModel, callbacks: list[Any]) -> None:
        self.callbacks = callbacks
        model.initialize()
        if self.initializer is None:
            return
        self._load_states(self.initializer.trainer_state(), self.logger)
        self.initializer.init_weights(model)
        self.initializer.init_optimizer(model)
        self._load_states(self.initializer.trainer_state(), self.initializer.logger)
        paths = self.initializer.init_run_path_provider
        for callback in self.callbacks:
            self._caller.call(callback, "resume_from_checkpoint", resumption_paths=paths, model=model)

    def _load_states(self, state_dict: dict[str, Any], logger: logging.Logger) -> None:
        callbacks = self._caller.for_states(self.callbacks)
        CallbackBase.load_callback_state_dicts(callbacks, state_dict["callback_state_dicts"], logger)

    def _training_batches(self, iterators: list[Any]) -> Batches:
        """Returns the batches of the run: what is put in the place of data sets or samplers from now on is not read."""
        return training_batches(
            self.data_container.datasets["train"],
            self.update_counter,
            self._accumulation_steps,
            [each.sampler_config for each in iterators],
        )

    def _loop(self, model: FakeModel, batches: Batches) -> TrainingLoop:
        steps = self._accumulation_steps
        return TrainingLoop(self, model, self._caller, batches, steps, lambda: self._stop_requested)


def _updates_per_epoch(data_container: FakeDataContainer, batch_size: int) -> int:
    samples = len(data_container.datasets["train"])
    if samples < batch_size:
        raise ValueError(
            f"The data set `train` has {samples} samples, fewer than one batch of {batch_size}, so there is not a "
            "single update in an epoch. Give it more samples, or the plan a smaller batch_size."
        )
    return samples // batch_size


def collaborators_of(trainer: FakeTrainer, model: FakeModel) -> dict[str, Any]:
    """Returns the seven keyword arguments that every callback is built with."""
    return {
        "trainer": trainer,
        "model": model,
        "data_container": trainer.data_container,
        "tracker": trainer.tracker,
        "log_writer": trainer.log_writer,
        "checkpoint_writer": trainer.checkpoint_writer,
        "metric_property_provider": trainer.metric_property_provider,
    }
