"""Fake of the trainer: runs callbacks in the framework's order, around real training steps."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from noether_testkit.core.callbacks import CallbackBase, EarlyStopIteration
from noether_testkit.core.callbacks.sampling import SamplerIntervalConfig
from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter
from noether_testkit.fakes.checkpoint_writer import FakeCheckpointWriter
from noether_testkit.fakes.data import Batch, FakeDataContainer, interleaved_batches, whole_dataset
from noether_testkit.fakes.lineage import data_iterators, is_periodic
from noether_testkit.fakes.log_writer import FakeLogWriter
from noether_testkit.fakes.model import FakeModel
from noether_testkit.fakes.providers import FakeMetricPropertyProvider, FakePathProvider
from noether_testkit.fakes.resume import ResumePoint
from noether_testkit.fakes.strict import StrictFake
from noether_testkit.fakes.tracker import FakeTracker
from noether_testkit.fakes.watch import HookCall, Watch

Loss = Callable[[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]


class TrainerResult(NamedTuple):
    """What one training step gives: the total loss, all losses, and outputs for callbacks."""

    total_loss: torch.Tensor
    losses_to_log: dict[str, torch.Tensor]
    additional_outputs: dict[str, torch.Tensor] | None = None


def mean_squared_error(
    outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Returns the mean squared error over all targets, as `mse`."""
    return {"mse": sum((functional.mse_loss(outputs[key], targets[key]) for key in targets), torch.zeros(()))}


@dataclass(frozen=True, kw_only=True)
class FakeTrainerConfig:
    """The trainer's config, as far as callbacks read it."""

    effective_batch_size: int
    max_epochs: int | None = None
    max_updates: int | None = None
    max_samples: int | None = None
    precision: str = "float32"
    skip_nan_loss: bool = False
    forward_properties: list[str] = field(default_factory=lambda: ["x"])
    target_properties: list[str] = field(default_factory=lambda: ["y"])
    callbacks: list[Any] = field(default_factory=list)
    add_default_callbacks: bool = False
    add_trainer_callbacks: bool = False


class FakeTrainer(StrictFake):
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

    Attributes:
        callbacks: The callbacks, once they are built.
    """

    stands_for = "BaseTrainer"

    def __init__(
        self,
        config: FakeTrainerConfig,
        data_container: FakeDataContainer,
        path_provider: FakePathProvider,
        tracker: FakeTracker,
        metric_property_provider: FakeMetricPropertyProvider,
        accumulation_steps: int = 1,
        resume_point: ResumePoint | None = None,
        loss: Loss | None = None,
        watch: Watch | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.data_container = data_container
        self.path_provider = path_provider
        self.tracker = tracker
        self.metric_property_provider = metric_property_provider
        self.logger = logging.getLogger("FakeTrainer")
        self.device = torch.device("cpu")
        self.precision = torch.float32
        self.autocast_context = nullcontext()
        self.grad_scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.forward_properties = config.forward_properties
        self.target_properties = config.target_properties
        self.skip_nan_loss_counter = 0
        self.initializer = resume_point
        self.updates_per_epoch = len(data_container.datasets["train"]) // config.effective_batch_size
        self.start_checkpoint = TrainingIteration(0, 0, 0) if resume_point is None else resume_point.iteration
        self.end_checkpoint = TrainingIteration(config.max_epochs, config.max_updates, config.max_samples)
        self.update_counter = UpdateCounter(
            self.start_checkpoint, self.end_checkpoint, self.updates_per_epoch, config.effective_batch_size
        )
        self.log_writer = FakeLogWriter(path_provider, self.update_counter, tracker)
        self.checkpoint_writer = FakeCheckpointWriter(path_provider, self.update_counter)
        self.callbacks: list[Any] = []
        self._accumulation_steps = accumulation_steps
        self._loss = loss or mean_squared_error
        self._watch = watch
        self._signal_received = False
        self._times: defaultdict[str, float] = defaultdict(float)

    # -- what the framework's trainer offers to callbacks

    @property
    def total_training_updates(self) -> int:
        """Updates in the whole run."""
        return self.update_counter.end_iteration.update or 0

    @staticmethod
    def drop_metadata(data: Batch) -> Batch:
        """Returns a batch without the entries whose names start with `__meta`."""
        return {key: value for key, value in data.items() if not key.startswith("__meta")}

    def train_step(self, batch: Batch, model: torch.nn.Module) -> TrainerResult:
        """Computes the losses of one batch.

        Args:
            batch: Named tensors `(samples, ...)`.
            model: Called with the forward properties.

        Returns:
            The total loss with its graph, and all losses with `total` first, detached.
        """
        outputs = model(**{key: batch[key] for key in self.forward_properties})
        losses = self._loss(outputs, {key: batch[key] for key in self.target_properties})
        total = torch.stack(list(losses.values())).sum()
        return TrainerResult(total, {"total": total.detach(), **{key: loss.detach() for key, loss in losses.items()}})

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint holds of the trainer: all callback states, and the progress."""
        return {
            "callback_state_dicts": CallbackBase.build_callback_state_dict(self._watched()),
            "training_iteration": dict(self.update_counter.cur_iteration),
            "grad_scaler": {},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Hands the callbacks their states out of a checkpoint."""
        CallbackBase.load_callback_state_dicts(self._watched(), state_dict["callback_state_dicts"], self.logger)

    # -- the run

    def train(self, model: FakeModel, callbacks: Iterable[Any] = ()) -> None:
        """Trains a model.

        Args:
            model: The model, not initialised yet.
            callbacks: Callbacks, or factories that are called with the seven collaborators.

        Raises:
            Exception: Whatever a callback raised, as the framework does; `EarlyStopIteration` from
                the periodic path ends the run in order.
        """
        self._build(model, callbacks)
        CallbackBase.validate_checkpoint_keys(self._watched())
        self._prepare(model)
        with self.log_writer:
            self._in_eval_mode(model)
            with torch.no_grad():
                self._call_all(self.callbacks, "before_training", update_counter=self.update_counter)
            self._run(model)
            self._in_eval_mode(model)
            with torch.no_grad():
                self._call_all(self.callbacks, "after_training", update_counter=self.update_counter)

    def eval(self, model: FakeModel, callbacks: Iterable[Any] = ()) -> None:
        """Evaluates a model: only `at_eval` of the periodic callbacks.

        Args:
            model: The model.
            callbacks: As in `train`.
        """
        self._build(model, callbacks)
        self._prepare(model)
        with self.log_writer:
            self._in_eval_mode(model)
            for callback in filter(is_periodic, self.callbacks):
                iterators = data_iterators(callback)
                batches = (batch for each in iterators for batch in whole_dataset(each.sampler_config, self._batch_size))
                extra = self._iterator_arguments(callback, model, batches)
                self._call(callback, "at_eval", self.update_counter, **extra)

    def request_stop(self) -> None:
        """Ends the run after the current update, as SIGTERM does in the framework."""
        self._signal_received = True

    def _build(self, model: FakeModel, callbacks: Iterable[Any]) -> None:
        collaborators = self.collaborators(model)
        self.callbacks = []
        for callback in callbacks:
            if hasattr(type(callback), "checkpoint_key"):
                self.callbacks.append(callback)
            elif self._watch is None:
                self.callbacks.append(callback(**collaborators))
            else:
                with self._watch(HookCall(callback, "__init__", collaborators)):
                    self.callbacks.append(callback(**collaborators))

    def collaborators(self, model: FakeModel) -> dict[str, Any]:
        """Returns the seven keyword arguments that every callback is built with."""
        return {
            "trainer": self,
            "model": model,
            "data_container": self.data_container,
            "tracker": self.tracker,
            "log_writer": self.log_writer,
            "checkpoint_writer": self.checkpoint_writer,
            "metric_property_provider": self.metric_property_provider,
        }

    def _prepare(self, model: FakeModel) -> None:
        model.initialize()
        if self.initializer is None:
            return
        self.load_state_dict(self.initializer.trainer_state())
        self.initializer.load_weights(model)
        self.load_state_dict(self.initializer.trainer_state())
        for callback in self.callbacks:
            self._call(
                callback, "resume_from_checkpoint", resumption_paths=self.initializer.path_provider, model=model
            )

    def _run(self, model: FakeModel) -> None:
        if self.update_counter.is_finished:
            return
        periodic = [callback for callback in self.callbacks if is_periodic(callback)]
        batches = interleaved_batches(
            self.data_container.datasets["train"], self.update_counter, self._accumulation_steps, self._requests()
        )
        epoch_step = 0
        while True:
            epoch_step = 0 if self.update_counter.is_full_epoch else epoch_step
            for _ in range(self._accumulation_steps):
                last = (epoch_step + 1) % self._accumulation_steps == 0
                self._accumulation_step(model, periodic, next(batches), epoch_step, last)
                epoch_step += 1
            self._count_update()
            self._in_eval_mode(model)
            with torch.no_grad():
                self._call_all(
                    periodic, "track_after_update_step", update_counter=self.update_counter, times=self._times
                )
            if self._rounds(model, periodic, batches):
                return

    def _rounds(self, model: FakeModel, periodic: list[Any], batches: Iterator[Batch]) -> bool:
        """Runs the rounds after an update; returns whether the run is over."""
        full_epoch = self.update_counter.is_full_epoch
        if self._round("after_update", model, periodic, batches, flush=not full_epoch) or self._signal_received:
            return True
        if full_epoch and self._round("after_epoch", model, periodic, batches, flush=True):
            return True
        return self.update_counter.is_finished

    def _accumulation_step(
        self, model: FakeModel, periodic: list[Any], batch: Batch, epoch_step: int, last: bool
    ) -> None:
        model.train()
        batch = self.drop_metadata(batch)
        started = perf_counter()
        result = self.train_step(batch, model)
        forward_done = perf_counter()
        (result.total_loss / self._accumulation_steps).backward()  # type: ignore[no-untyped-call]
        if last:
            model.optimizer_step(self.grad_scaler)
            model.optimizer_schedule_step()
            model.optimizer_zero_grad()
        self._time(forward_done - started, perf_counter() - forward_done)
        with torch.no_grad():
            self._call_all(
                periodic,
                "track_after_accumulation_step",
                update_counter=self.update_counter,
                batch=batch,
                losses=result.losses_to_log,
                update_outputs=result.additional_outputs,
                accumulation_steps=self._accumulation_steps,
                accumulation_step=epoch_step,
            )

    def _round(
        self, hook: str, model: FakeModel, periodic: list[Any], batches: Iterator[Batch], flush: bool
    ) -> bool:
        """Calls one periodic hook on all; returns whether a callback asked to stop."""
        errors: list[Exception] = []
        stop = False
        with torch.no_grad():
            for callback in periodic:
                extra = self._iterator_arguments(callback, model, batches)
                try:
                    self._call(callback, hook, update_counter=self.update_counter, **extra)
                except Exception as error:  # noqa: BLE001 - the others of the round still run
                    if isinstance(error, EarlyStopIteration) or type(error).__name__ == "EarlyStopIteration":
                        stop = True
                    else:
                        errors.append(error)
                        self.logger.error("%s failed in %s: %r", callback, hook, error)  # noqa: TRY400 - raised later
            if flush:
                self.log_writer.flush()
            if errors:
                self._save_after_error(model)
                raise errors[0]
            if stop:
                self.checkpoint_writer.save(model, f"{self.update_counter.cur_iteration}.early_exit", trainer=self)
        return stop

    def _save_after_error(self, model: FakeModel) -> None:
        try:
            self.checkpoint_writer.save(model, f"{self.update_counter.cur_iteration}.error", trainer=self)
        except Exception as error:  # noqa: BLE001 - the first error is the one to raise
            self.logger.error("The checkpoint after an error could not be saved: %r", error)  # noqa: TRY400

    # -- small parts

    @property
    def _batch_size(self) -> int:
        return self.config.effective_batch_size // self._accumulation_steps

    def _requests(self) -> list[SamplerIntervalConfig]:
        return [each.sampler_config for callback in self.callbacks for each in data_iterators(callback)]

    def _iterator_arguments(self, callback: Any, model: FakeModel, batches: Iterator[Batch]) -> dict[str, Any]:
        if not data_iterators(callback):
            return {}
        data_iter = map(self.drop_metadata, batches)
        return {"trainer_model": model, "data_iter": data_iter, "batch_size": self._batch_size}

    def _count_update(self) -> None:
        self.update_counter.add_samples(self.config.effective_batch_size)
        self.update_counter.next_update()
        if self.update_counter.is_full_epoch:
            self.update_counter.next_epoch()

    def _time(self, forward_s: float, backward_s: float) -> None:
        self._times.clear()
        for name in ("data_wait", "collate", "getitem"):
            self._times[name] = 0.0
        self._times.update(forward=forward_s, update=forward_s + backward_s, backward=backward_s)

    @staticmethod
    def _in_eval_mode(model: FakeModel) -> None:
        model.eval()

    def _call_all(self, callbacks: list[Any], hook: str, **arguments: Any) -> None:
        for callback in callbacks:
            self._call(callback, hook, **arguments)

    def _call(self, callback: Any, hook: str, *args: Any, **arguments: Any) -> Any:
        if self._watch is None:
            return getattr(callback, hook)(*args, **arguments)
        with self._watch(HookCall(callback, hook, arguments)):
            return getattr(callback, hook)(*args, **arguments)

    def _watched(self) -> list[Any]:
        return self.callbacks if self._watch is None else [_Watched(callback, self) for callback in self.callbacks]


class _Watched:
    """A callback whose state is asked for, and loaded, under the trainer's watch."""

    def __init__(self, callback: Any, trainer: FakeTrainer) -> None:
        self._callback = callback
        self._trainer = trainer

    @property
    def checkpoint_key(self) -> str:
        key: str = self._callback.checkpoint_key
        return key

    def state_dict(self) -> Any:
        return self._trainer._call(self._callback, "state_dict")  # noqa: SLF001 - one unit with the trainer

    def load_state_dict(self, state_dict: Any) -> None:
        self._trainer._call(self._callback, "load_state_dict", state_dict)  # noqa: SLF001

    def __str__(self) -> str:
        return str(self._callback)
