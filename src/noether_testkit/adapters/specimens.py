"""One object of each kind that callbacks meet, of the kit and of the framework, out of one small run each."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from noether_testkit.adapters.framework import Need, import_framework
from noether_testkit.adapters.framework_rig import FrameworkRig
from noether_testkit.contract.subject import Subject
from noether_testkit.core import callbacks as kit_callbacks
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.schemas import callbacks as kit_configs
from noether_testkit.errors import TestkitError, UsageError
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan

Specimens = dict[str, Any]
"""Objects by the name of the framework's class."""

Problems = dict[str, str]
"""Why there is no object of a class."""

_CONFIGS = "noether.core.schemas.callbacks"
FOR_CALLBACKS = (
    Need(module="noether.core.callbacks", name="CallbackBase"),
    Need(module="noether.core.callbacks", name="PeriodicCallback"),
    Need(module="noether.core.callbacks", name="PeriodicDataIteratorCallback"),
    Need(module=_CONFIGS, name="CallBackBaseConfig"),
    Need(module=_CONFIGS, name="PeriodicDataIteratorCallbackConfig"),
)

_FIRST, _SECOND = TrainingPlan(updates=1), TrainingPlan(updates=2)


def kit_specimens() -> Specimens:
    """Returns the kit's objects.

    Raises:
        TestkitError: One cannot be had.
    """
    problems: Problems = {}
    with FakeRun(_FIRST) as first:
        checkpoint = first.train().save_checkpoint()
        with FakeRun(_SECOND.resumed(checkpoint)) as run:
            run.train()
            found = _of_run(run.trainer, run.model, problems)
            found |= _callbacks(kit_callbacks, kit_configs, run.callback_kwargs, problems)
    if problems:
        raise TestkitError(f"The kit could not make objects of its own: {problems}.")
    return found


def framework_specimens() -> tuple[Specimens, Problems]:
    """Returns the framework's objects, and of those that cannot be had why.

    Raises:
        Exception: The framework cannot do the small run.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = _rig(_FIRST, folder)
        first.run([])
        rig = _rig(_SECOND.resumed(first.save_checkpoint("latest")), folder)
        rig.run([])
        problems: Problems = {}
        found = _of_run(rig.trainer, rig.model, problems) | _framework_callbacks(rig, problems)
        return found, problems


def _rig(plan: TrainingPlan, folder: str) -> FrameworkRig:
    return FrameworkRig(
        Subject(CallbackBase), plan, folder=Path(folder), around=lambda _: nullcontext(), on_use=lambda *_: None
    )


def _of_run(trainer: Any, model: Any, problems: Problems) -> Specimens:
    batch = {"x": torch.zeros(2, 4), "y": torch.zeros(2, 1)}
    ways: Mapping[str, Callable[[], Any]] = {
        "BaseTrainer": lambda: trainer,
        "BaseTrainerConfig": lambda: trainer.config,
        "BaseTracker": lambda: trainer.tracker,
        "CheckpointWriter": lambda: trainer.checkpoint_writer,
        "DataContainer": lambda: trainer.data_container,
        "Dataset": lambda: trainer.data_container.datasets["train"],
        "LogWriter": lambda: trainer.log_writer,
        "MetricPropertyProvider": lambda: trainer.metric_property_provider,
        "Model": lambda: model,
        "OptimizerWrapper": lambda: model.optimizer,
        "PathProvider": lambda: trainer.path_provider,
        "ResumeInitializer": lambda: trainer.initializer,
        "TrainerResult": lambda: trainer.train_step(batch, model),
        "TrainingIteration": lambda: trainer.update_counter.cur_iteration,
        "UpdateCounter": lambda: trainer.update_counter,
    }
    return _obtained(ways, problems)


def _framework_callbacks(rig: FrameworkRig, problems: Problems) -> Specimens:
    try:
        framework = import_framework(*FOR_CALLBACKS)
        collaborators = rig.collaborators
    except UsageError as error:
        problems |= dict.fromkeys((need.name for need in FOR_CALLBACKS[:3]), str(error))
        return {}
    return _callbacks(framework, framework, collaborators, problems)


def _callbacks(callbacks: Any, configs: Any, collaborators: Mapping[str, Any], problems: Problems) -> Specimens:
    def iterator() -> Any:
        base = callbacks.PeriodicDataIteratorCallback
        cls = type(base.__name__, (base,), {"process_data": lambda *_, **__: None})
        config = configs.PeriodicDataIteratorCallbackConfig(every_n_updates=1, dataset_key="test")
        return cls(config, **collaborators)

    config = configs.CallBackBaseConfig
    ways: Mapping[str, Callable[[], Any]] = {
        "CallbackBase": lambda: callbacks.CallbackBase(**collaborators),
        "PeriodicCallback": lambda: callbacks.PeriodicCallback(config(every_n_updates=1), **collaborators),
        "PeriodicDataIteratorCallback": iterator,
    }
    return _obtained(ways, problems)


def _obtained(ways: Mapping[str, Callable[[], Any]], problems: Problems) -> Specimens:
    found: Specimens = {}
    for name, way in ways.items():
        try:
            found[name] = way()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the framework may fail in any way
            problems[name] = f"{type(error).__name__}: {error}"
    return found


@contextmanager
def in_silence() -> Iterator[None]:
    """Keeps the framework's warnings and messages to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
