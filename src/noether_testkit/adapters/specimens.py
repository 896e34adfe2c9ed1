"""One object of each kind that callbacks meet, of the kit and of the framework, out of one small run each."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from noether_testkit.adapters.framework_rig import FrameworkRig
from noether_testkit.contract.subject import Subject
from noether_testkit.core import callbacks as kit_callbacks
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.schemas import callbacks as kit_configs
from noether_testkit.fakes import FakeRun
from noether_testkit.plan import TrainingPlan

Specimens = dict[str, Any]
"""Objects by the name of the framework's class."""

_FIRST, _SECOND = TrainingPlan(updates=1), TrainingPlan(updates=2)


def kit_specimens() -> Specimens:
    """Returns the kit's objects."""
    with FakeRun(_FIRST) as first:
        checkpoint = first.train().save_checkpoint()
        with FakeRun(_SECOND.resumed(checkpoint)) as run:
            run.train()
            return _of_run(run.trainer, run.model) | _callbacks(kit_callbacks, kit_configs, run.callback_kwargs)


def framework_specimens() -> Specimens:
    """Returns the framework's objects; what cannot be had is left out.

    Raises:
        Exception: The framework cannot do the small run.
    """
    with tempfile.TemporaryDirectory() as folder:
        first = _rig(_FIRST, folder)
        first.run([])
        rig = _rig(_SECOND.resumed(first.save_checkpoint("latest")), folder)
        rig.run([])
        return _of_run(rig.trainer, rig.model) | _framework_callbacks(rig)


def _rig(plan: TrainingPlan, folder: str) -> FrameworkRig:
    return FrameworkRig(
        Subject(CallbackBase), plan, folder=Path(folder), around=lambda _: nullcontext(), on_use=lambda *_: None
    )


def _of_run(trainer: Any, model: Any) -> Specimens:
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
    return _obtained(ways)


def _framework_callbacks(rig: FrameworkRig) -> Specimens:
    with suppress(Exception):
        from noether.core import callbacks
        from noether.core.schemas import callbacks as configs

        return _callbacks(callbacks, configs, rig.collaborators)
    return {}


def _callbacks(callbacks: Any, configs: Any, collaborators: Mapping[str, Any]) -> Specimens:
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
    return _obtained(ways)


def _obtained(ways: Mapping[str, Callable[[], Any]]) -> Specimens:
    found: Specimens = {}
    for name, way in ways.items():
        with suppress(Exception):
            found[name] = way()
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
