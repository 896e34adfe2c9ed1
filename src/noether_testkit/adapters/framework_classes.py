"""The framework's classes, and the kit's small ones built on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from noether_testkit.adapters.framework import Need, calls_into_the_framework, import_framework, require_attribute
from noether_testkit.adapters.watched import WatchedCallbacks
from noether_testkit.contract.companions import companions_on
from noether_testkit.contract.hooks import STATE_METHODS, TRAINING_HOOKS
from noether_testkit.fakes.natives import Natives
from noether_testkit.fakes.optimizer import LEARNING_RATE, MOMENTUM
from noether_testkit.fakes.step import mean_squared_error

_TRAINERS = "noether.training.trainers"
FOR_THE_MODEL = (
    Need(module="noether.core.models", name="Model", method="initialize", positional=0),
    Need(module="noether.core.schemas.models", name="ModelBaseConfig"),
    Need(module="noether.core.schemas.optimizers", name="SGDOptimizerConfig"),
)
FOR_COMPARISONS = (
    Need(module="noether.core.providers.metric_property", name="Ordinality"),
    Need(module="noether.core.utils.training", name="TrainingIteration", method="from_dict"),
    Need(module="noether.core.utils.training", name="UpdateCounter", method="add_samples", positional=1),
)
FOR_A_RUN = (
    Need(module="noether.core.callbacks", name="EarlyStopIteration"),
    *(
        Need(module="noether.core.callbacks", name="PeriodicCallback", method=method)
        for method in sorted(TRAINING_HOOKS | STATE_METHODS)
    ),
    Need(module="noether.core.callbacks", name="CallbackBase", method="checkpoint_key"),
    Need(module="noether.core.callbacks", name="CallbackBase", method="get_children"),
    Need(module="noether.core.providers", name="MetricPropertyProvider"),
    Need(module="noether.core.providers", name="PathProvider"),
    Need(module="noether.core.schemas.callbacks", name="CallBackBaseConfig"),
    Need(module="noether.core.schemas.dataset", name="DatasetBaseConfig"),
    Need(module="noether.core.schemas.initializers", name="ResumeInitializerConfig"),
    Need(module="noether.core.schemas.trainers", name="BaseTrainerConfig"),
    Need(module="noether.core.trackers", name="NoopTracker"),
    Need(module="noether.core.writers", name="CheckpointWriter", method="save", positional=2, keywords=("trainer",)),
    Need(module="noether.core.writers", name="LogWriter", method="__enter__"),
    Need(module="noether.core.writers", name="LogWriter", method="__exit__"),
    Need(module="noether.core.writers", name="LogWriter", method="add_scalar", positional=2),
    Need(module="noether.data", name="Dataset"),
    Need(module="noether.data", name="MultiStagePipeline"),
    Need(module="noether.data.container", name="DataContainer"),
    Need(module=_TRAINERS, name="BaseTrainer", method="train", positional=1),
    Need(module=_TRAINERS, name="BaseTrainer", method="eval", positional=1),
    Need(module=_TRAINERS, name="BaseTrainer", method="get_all_callbacks", positional=1),
    Need(module=_TRAINERS, name="BaseTrainer", method="get_user_callbacks", positional=1, keywords=("evaluation",)),
    Need(module=_TRAINERS, name="BaseTrainer", method="_get_default_callback_kwargs", positional=1),
    Need(module=_TRAINERS, name="BaseTrainer", method="loss_compute", positional=2),
    Need(module=_TRAINERS, name="BaseTrainer", method="call_before_training", positional=1),
    Need(module=_TRAINERS, name="BaseTrainer", method="call_after_training", positional=1),
)

PARTS_OF_THE_TRAINER = (
    *("callbacks", "checkpoint_writer", "data_container", "log_writer", "metric_property_provider", "path_provider"),
    *("tracker", "update_counter", "_signal_received"),
    *("update_counter.cur_iteration", "update_counter.update", "update_counter.is_full_epoch"),
    *("log_writer.log_entries", "tracker.summary"),
)
PARTS_OF_THE_MODEL = ("optimizer",)
PARTS_OF_THE_TRAINED_MODEL = ("optimizer.torch_optim",)
PARTS_OF_A_CALLBACK = (
    *("trainer", "model", "data_container", "tracker", "writer", "checkpoint_writer", "metric_property_provider"),
    *("name", "every_n_epochs", "every_n_updates", "every_n_samples", "batch_size"),
)
"""What the kit reads of objects, and sets on them: attributes that constructors make, so that no class has them."""


def require_parts(thing: Any, paths: Iterable[str]) -> None:
    """Makes sure that an object of the framework has what the kit reads of it; see `PARTS_OF_THE_TRAINER`.

    Raises:
        UsageError: It lacks something.
    """
    for path in paths:
        *way, name = path.split(".")
        owner = thing
        for step in way:
            owner = getattr(owner, step)
        require_attribute(owner, name)


def make_model(network: nn.Module, name: str, *, update_counter: Any, path_provider: Any, data_container: Any) -> Any:
    """Wraps a network in the framework's model, with the optimiser of the default problem; see `FakeModel`."""
    framework = model_classes()
    with calls_into_the_framework():
        optimizer = framework.SGDOptimizerConfig(kind="torch.optim.SGD", lr=LEARNING_RATE, momentum=MOMENTUM)
        model = framework.WrappingModel(
            framework.ModelBaseConfig(kind="noether_testkit.Model", name=name, optimizer_config=optimizer),
            update_counter=update_counter,
            path_provider=path_provider,
            data_container=data_container,
        )
    model.net = network
    return model


@cache
def natives() -> Natives:
    """Returns what the fakes hand to callbacks that are built on the framework.

    Raises:
        UsageError: The framework is not there, is broken, or is a release that lacks something.
    """
    framework = import_framework(*FOR_COMPARISONS)
    return Natives(
        make_model=make_model,
        UpdateCounter=framework.UpdateCounter,
        TrainingIteration=framework.TrainingIteration,
        Ordinality=framework.Ordinality,
    )


@cache
def framework_classes() -> SimpleNamespace:
    """Returns the framework's classes by their names, and the kit's `FactoryTrainer` and `companions`.

    Raises:
        UsageError: The framework is not there, is broken, or is a release that lacks something.
    """
    model_classes()
    framework = import_framework(*FOR_A_RUN)
    with calls_into_the_framework():
        framework.CallBackBaseConfig(every_n_updates=1)
    framework.companions = companions_on(
        framework.PeriodicCallback, framework.CallBackBaseConfig, framework.EarlyStopIteration
    )
    framework.FactoryTrainer = _trainer_on(framework.BaseTrainer)
    return framework


@cache
def model_classes() -> SimpleNamespace:
    """Returns the framework's classes around the model, and the kit's `WrappingModel`."""
    framework = import_framework(*FOR_THE_MODEL)
    framework.WrappingModel = _model_on(framework.Model)
    return framework


def _model_on(model: Any) -> type:
    class WrappingModel(model):  # type: ignore[misc]  # the base class is a parameter
        fault: Any = None

        def forward(self, **inputs: torch.Tensor) -> Any:
            if self.fault is not None:
                self.fault(inputs)
            return self.net(**inputs)

    return WrappingModel


def _trainer_on(base_trainer: Any) -> type:
    class FactoryTrainer(base_trainer):  # type: ignore[misc]  # the base class is a parameter
        factories: Sequence[Any] = ()
        build: Any = None
        loss: Any = None
        callbacks = WatchedCallbacks()

        def get_user_callbacks(self, model: Any, evaluation: bool = False) -> list[Any]:
            collaborators: Mapping[str, Any] = self._get_default_callback_kwargs(model)
            return [self.build(factory, collaborators) for factory in self.factories]

        def loss_compute(self, forward_output: Any, targets: Any) -> Any:
            return (self.loss or mean_squared_error)(forward_output, targets)

    # Python and the framework name it in their messages; users know only this name.
    FactoryTrainer.__name__ = FactoryTrainer.__qualname__ = base_trainer.__name__
    return FactoryTrainer
