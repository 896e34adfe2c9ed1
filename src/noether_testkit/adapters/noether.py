"""The framework's own trainer as a harness. The only file that imports the framework, inside functions."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from noether_testkit.contract.companions import companions_on
from noether_testkit.contract.harness import Outcome, Watcher
from noether_testkit.contract.hooks import STATE_METHODS, TRAINING_HOOKS
from noether_testkit.contract.session import Factory, HookFaults, OnUse, Session
from noether_testkit.contract.subject import Subject
from noether_testkit.errors import SubjectError, UsageError
from noether_testkit.fakes import DefaultNetwork, HookCall, Watch, default_datasets
from noether_testkit.fakes.lineage import PREFIXES
from noether_testkit.fakes.run import seed_everything
from noether_testkit.plan import Checkpoint, TrainingPlan

DISTRIBUTION = "emmiai-noether"
"""Name of the framework's package."""

_LEARNING_RATE = 0.05
_WATCHED = (TRAINING_HOOKS | STATE_METHODS) - {"periodic_callback"}
"""What the trainer calls; `periodic_callback` is called by the base class."""


def is_installed() -> bool:
    """Returns whether the framework can be imported."""
    return importlib.util.find_spec("noether") is not None


def is_framework_class(callback: Any) -> bool:
    """Returns whether a class derives from the framework's base class rather than from the kit's."""
    return isinstance(callback, type) and any(base.__module__.startswith(PREFIXES[1]) for base in callback.__mro__)


class FrameworkHarness:
    """Trains a callback with the framework's own trainer, on the CPU, with data in memory.

    Attributes:
        name: Name of the harness.
        version: Version of the framework.

    Raises:
        UsageError: The framework is not installed.
    """

    name = DISTRIBUTION

    def __init__(self) -> None:
        if not is_installed():
            raise UsageError(
                f"The framework ({DISTRIBUTION}) is not installed here. Install noether-testkit[noether] under "
                "Python 3.12 or later, or judge on the fakes: --framework fakes."
            )
        self.version = importlib.metadata.version(DISTRIBUTION)

    def train(
        self,
        subject: Subject,
        plan: TrainingPlan,
        *,
        folder: Path,
        watch: Watcher | None = None,
        hook_faults: HookFaults | None = None,
        silent_keys: frozenset[str] = frozenset(),
    ) -> Outcome:
        """Runs a plan with a fresh callback and the framework's own objects; see `Harness.train`.

        Raises:
            SubjectError: The callback is built on the kit's base class, which the framework does not know.
        """
        if isinstance(subject.callback, type) and not is_framework_class(subject.callback):
            raise SubjectError(
                f"{subject.label} is built on noether_testkit.core, which the framework's trainer does not know. "
                "Judge it on the fakes, or import its base class from noether.core."
            )

        def make_rig(around: Watch, on_use: OnUse) -> FrameworkRig:
            return FrameworkRig(subject, plan, folder=folder, around=around, on_use=on_use)

        return Session(subject, plan, make_rig, watch=watch, hook_faults=hook_faults, silent_keys=silent_keys).run()


class FrameworkRig:
    """The framework's trainer and collaborators, ready for one run; see `Rig`."""

    def __init__(self, subject: Subject, plan: TrainingPlan, *, folder: Path, around: Watch, on_use: OnUse) -> None:
        classes = _classes()
        seed_everything(plan.seed)
        self._plan = plan
        self._around = around
        self._run_id = f"run-{len(list(folder.iterdir()))}"
        self._folder = folder
        self.companions = classes.companions
        paths = classes.PathProvider(folder, self._run_id)
        network = (subject.model or DefaultNetwork)()
        data = classes.DataContainer(_datasets(subject, plan, on_use), num_workers=0, pin_memory=False, seed=plan.seed)
        properties = classes.MetricPropertyProvider()
        tracker = classes.NoopTracker(metric_property_provider=properties, path_provider=paths)
        self._trainer = classes.Trainer(
            self._config(),
            data_container=data,
            device="cpu",
            tracker=tracker,
            path_provider=paths,
            main_sampler_kwargs={"shuffle": False},
            metric_property_provider=properties,
        )
        self._trainer.loss_function = subject.loss
        self._trainer.wrap = self._build
        self._model = classes.Model(
            classes.ModelConfig(
                kind="noether_testkit.Model",
                name="model",
                optimizer_config=classes.OptimizerConfig(kind="torch.optim.SGD", lr=_LEARNING_RATE),
            ),
            update_counter=self._trainer.update_counter,
            path_provider=paths,
            data_container=data,
        )
        self._model.net = network
        self._model.on_forward = lambda inputs: on_use("model.forward", inputs)
        _listen(self._trainer, on_use)

    @property
    def model(self) -> torch.nn.Module:
        """The model."""
        model: torch.nn.Module = self._model
        return model

    @property
    def update_counter(self) -> Any:
        """The counter of epochs, updates and samples."""
        return self._trainer.update_counter

    @property
    def log_entries(self) -> Sequence[Mapping[str, Any]]:
        """The flushed log entries."""
        entries: Sequence[Mapping[str, Any]] = self._trainer.log_writer.log_entries
        return entries

    def run(self, factories: Sequence[Factory]) -> None:
        """Trains or evaluates, as the plan says."""
        self._trainer.factories = factories
        seed_everything(self._plan.seed)
        if self._plan.evaluate:
            self._trainer.eval(self._model)
        elif self._plan.total_updates == 0:
            self._run_without_updates()
        else:
            self._trainer.train(self._model)

    def save_checkpoint(self, tag: str) -> Checkpoint:
        """Writes weights, optimiser and all states."""
        with torch.no_grad():
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

    def _build(self, factory: Factory, collaborators: Mapping[str, Any]) -> Any:
        with self._around(HookCall(factory, "__init__", collaborators)):
            callback = factory(**collaborators)
        return _Watched(callback, self._around)

    def _config(self) -> Any:
        classes, plan = _classes(), self._plan
        resume = plan.resume_from
        initializer = None
        if resume is not None:
            initializer = classes.ResumeConfig(run_id=resume.run_id, checkpoint_tag=resume.tag, model_name="model")
        epochs, updates = plan.epochs, plan.updates
        if (plan.epochs, plan.updates, plan.samples) == (None, None, None):
            epochs = 2
        if updates == 0:
            updates = 1
        accumulating = plan.accumulation_steps > 1
        return classes.TrainerConfig(
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


class _Watched:
    """A stand-in that looks like the callback and watches the trainer's calls; the callback itself stays as it is."""

    def __init__(self, callback: Any, around: Watch) -> None:
        object.__setattr__(self, "_callback", callback)
        object.__setattr__(self, "_around", around)

    def __getattribute__(self, name: str) -> Any:
        callback = object.__getattribute__(self, "_callback")
        if name == "__class__":
            return type(callback)
        value = getattr(callback, name)
        if name not in _WATCHED:
            return value
        around: Watch = object.__getattribute__(self, "_around")

        def call(*args: Any, **kwargs: Any) -> Any:
            with around(HookCall(callback, name, kwargs)):
                return value(*args, **kwargs)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_callback"), name, value)

    def __str__(self) -> str:
        return str(object.__getattribute__(self, "_callback"))

    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_callback"))


def _datasets(subject: Subject, plan: TrainingPlan, on_use: OnUse) -> dict[str, Any]:
    defaults = default_datasets(plan.dataset_size, plan.test_size, plan.seed)
    given = defaults if subject.datasets is None else {"train": defaults["train"], **subject.datasets()}
    return {key: _dataset(tensors, on_use) for key, tensors in given.items()}


def _dataset(tensors: Mapping[str, torch.Tensor], on_use: OnUse) -> Any:
    classes = _classes()

    def getter(name: str) -> Callable[[Any, int], torch.Tensor]:
        def get(_: Any, idx: int) -> torch.Tensor:
            on_use("dataset.__getitem__", {"index": idx})
            return tensors[name][idx]

        return get

    methods: dict[str, Any] = {f"getitem_{name}": getter(name) for name in tensors}
    methods["__len__"] = lambda _: len(next(iter(tensors.values())))
    dataset = type("MemoryDataset", (classes.Dataset,), methods)(classes.DatasetConfig(kind="noether_testkit.Dataset"))
    dataset.pipeline = classes.Pipeline()
    return dataset


def _listen(trainer: Any, on_use: OnUse) -> None:
    """Puts an ear on the public methods of the collaborators."""
    names = ("tracker", "log_writer", "checkpoint_writer", "metric_property_provider", "data_container")
    for name in names:
        collaborator = getattr(trainer, name)
        for method in dir(type(collaborator)):
            if not method.startswith("_") and callable(getattr(collaborator, method)):
                setattr(collaborator, method, _heard(f"{name}.{method}", getattr(collaborator, method), on_use))


def _heard(name: str, method: Callable[..., Any], on_use: OnUse) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        on_use(name, {**({"key": args[0]} if args else {}), **kwargs})
        return method(*args, **kwargs)

    return call


@cache
def _classes() -> SimpleNamespace:
    """Returns the framework's classes, and the kit's small ones built on them."""
    from noether.core.callbacks import PeriodicCallback
    from noether.core.models import Model
    from noether.core.providers import MetricPropertyProvider, PathProvider
    from noether.core.schemas.callbacks import CallBackBaseConfig
    from noether.core.schemas.dataset import DatasetBaseConfig
    from noether.core.schemas.initializers import ResumeInitializerConfig
    from noether.core.schemas.models import ModelBaseConfig
    from noether.core.schemas.optimizers import SGDOptimizerConfig
    from noether.core.schemas.trainers import BaseTrainerConfig
    from noether.core.trackers import NoopTracker
    from noether.data import Dataset, MultiStagePipeline
    from noether.data.container import DataContainer
    from noether.training.trainers import BaseTrainer

    class WrappingModel(Model):  # type: ignore[misc]
        on_forward: Any = None

        def forward(self, **inputs: torch.Tensor) -> Any:
            if self.on_forward is not None:
                self.on_forward(inputs)
            return self.net(**inputs)

    class FactoryTrainer(BaseTrainer):  # type: ignore[misc]
        factories: Sequence[Factory] = ()
        wrap: Any = None
        loss_function: Any = None

        def get_user_callbacks(self, model: Any, evaluation: bool = False) -> list[Any]:
            collaborators = self._get_default_callback_kwargs(model)
            return [self.wrap(factory, collaborators) for factory in self.factories]

        def loss_compute(self, forward_output: Any, targets: Any) -> Any:
            if self.loss_function is not None:
                return self.loss_function(forward_output, targets)
            return {"mse": torch.nn.functional.mse_loss(forward_output["y"], targets["y"])}

    return SimpleNamespace(
        companions=companions_on(PeriodicCallback, CallBackBaseConfig),
        DataContainer=DataContainer,
        Dataset=Dataset,
        DatasetConfig=DatasetBaseConfig,
        MetricPropertyProvider=MetricPropertyProvider,
        Model=WrappingModel,
        ModelConfig=ModelBaseConfig,
        NoopTracker=NoopTracker,
        OptimizerConfig=SGDOptimizerConfig,
        PathProvider=PathProvider,
        Pipeline=MultiStagePipeline,
        ResumeConfig=ResumeInitializerConfig,
        Trainer=FactoryTrainer,
        TrainerConfig=BaseTrainerConfig,
    )
