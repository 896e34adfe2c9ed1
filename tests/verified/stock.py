"""The framework's own callbacks, each with what it needs to be trained."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from noether.core.schemas import callbacks as schemas

from noether_testkit import Subject

ROOMS = ("noether.core.callbacks", "noether.training.callbacks")
"""Where the framework keeps its callbacks."""

EXCLUDED = {
    "CallbackBase": "a base class: tests/verified/test_traces.py trains callbacks built on it",
    "PeriodicCallback": "a base class: tests/verified/test_traces.py trains callbacks built on it",
    "PeriodicDataIteratorCallback": "an abstract base class: tests/verified/test_traces.py",
    "EarlyStopperBase": "an abstract base class: the stoppers that are built on it are trained",
}
"""Classes that are not trained, and why."""

METRICS = {"loss/val/total": (0.9, 0.7, 0.8, 0.85, 0.6, 0.65, 0.7, 0.5), "accuracy/val": (0.1, 0.4, 0.3, 0.5)}
METRIC = "loss/val/total"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to train a stock callback.

    Attributes:
        name: The class, and what is special.
        config: Fields of its config.
        clocks: Patterns of what it writes that no two runs have in common: times, and names with times in them.
        subject: Further fields of the subject.
        not_resumed: Why a resumed run cannot be compared, if so.
    """

    name: str
    config: Any = None
    clocks: tuple[str, ...] = ()
    subject: Mapping[str, Any] = field(default_factory=dict)
    not_resumed: str | None = None

    @property
    def class_name(self) -> str:
        return self.name.partition("-")[0]

    def build(self) -> Subject:
        return Subject(stock_callbacks()[self.class_name], config=self.config, metrics=METRICS, **self.subject)


def stock_callbacks() -> dict[str, type]:
    """Returns all callback classes that the framework ships, by their names."""
    base = importlib.import_module(ROOMS[0]).CallbackBase
    return {
        cls.__name__: cls
        for module in _modules()
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, base) and cls.__module__.startswith(ROOMS)
    }


def _modules() -> Iterator[Any]:
    for room in ROOMS:
        package = importlib.import_module(room)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            yield importlib.import_module(found.name)


def loss_with_outputs(outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> Any:
    """The loss of the default problem, and outputs for callbacks."""
    loss = torch.nn.functional.mse_loss(outputs["y"], targets["y"])
    return {"mse": loss}, {"surface_loss": loss * 2, "y_mean": outputs["y"].mean()}


def _each_unit(name: str, clocks: tuple[str, ...] = (), **config: Any) -> Iterator[Case]:
    """Yields a case for each unit of the interval."""
    units: Mapping[str, dict[str, int]] = {
        "updates": {"every_n_updates": 2},
        "epochs": {"every_n_epochs": 1},
        "samples": {"every_n_samples": 6, "batch_size": 2},
    }
    for unit, interval in units.items():
        yield Case(name=f"{name}-{unit}", config={**interval, **config}, clocks=clocks)


def _track(reduce: str, **config: Any) -> Case:
    return Case(
        name=f"TrackAdditionalOutputsCallback-{reduce}",
        config={"every_n_updates": 2, "reduce": reduce, "save_output": True, **config},
        subject={"loss": loss_with_outputs},
    )


_OFFLINE_LOSS = "noether.training.callbacks.OfflineLossCallback"
_EXTRA_PASS = "the framework makes a pass too many over the data after a resume, which shifts all later batches"
_TRACE = r"files/profiler/.*\.pt\.trace\.json"
_TIMES = r"(log/\d+|files/tracker/entries.th)/train_time/\w+/(mean|max)/.*"

CASES: tuple[Case, ...] = (
    Case(name="DatasetStatsCallback"),
    Case(name="ParamCountCallback"),
    Case(name="BestCheckpointCallback", config={"every_n_updates": 1, "metric_key": METRIC}),
    Case(name="BestCheckpointCallback-epochs", config={"every_n_epochs": 1, "metric_key": "accuracy/val"}),
    Case(
        name="BestCheckpointCallback-tolerances",
        config={"every_n_updates": 1, "metric_key": METRIC, "tolerances": [1, 2]},
    ),
    *_each_unit("CheckpointCallback"),
    Case(
        name="CheckpointCallback-all",
        config={"every_n_updates": 3, "save_optim": True, "save_latest_weights": True, "save_latest_optim": True},
    ),
    *_each_unit("EmaCallback", target_factors=[0.5, 0.9], save_latest_weights=True),
    Case(name="EmaCallback-last", config={"every_n_updates": 2, "target_factors": [0.5], "save_weights": False}),
    Case(
        name="EmaCallback-part",
        config={"every_n_updates": 2, "target_factors": [0.5], "model_paths": ["net.encoder"]},
    ),
    Case(
        name="EmaCallback-children",
        config={
            "every_n_epochs": 1,
            "target_factors": [0.5, 0.9],
            "eval_callbacks": [{"kind": _OFFLINE_LOSS, "every_n_epochs": 1, "dataset_key": "test"}],
        },
    ),
    *_each_unit("EtaCallback"),
    *_each_unit("LrCallback"),
    *_each_unit("OnlineLossCallback"),
    *_each_unit("PeakMemoryCallback"),
    *_each_unit("ProgressCallback"),
    *_each_unit("TrainTimeCallback", clocks=(_TIMES,)),
    *(
        Case(name=f"FixedEarlyStopper-{field}", config=schemas.FixedEarlyStopperConfig(**{field: at}))
        for field, at in {"stop_at_update": 6, "stop_at_epoch": 1, "stop_at_sample": 11}.items()
    ),
    Case(name="MetricEarlyStopper", config={"every_n_updates": 1, "metric_key": METRIC, "tolerance": 2}),
    Case(name="MetricEarlyStopper-epochs", config={"every_n_epochs": 1, "metric_key": "accuracy/val", "tolerance": 1}),
    Case(
        name="BestMetricCallback",
        config={
            "every_n_updates": 1,
            "source_metric_key": METRIC,
            "target_metric_keys": ["accuracy/val"],
            "optional_target_metric_keys": ["mse", "absent"],
        },
    ),
    _track("mean", keys=["y_mean"], patterns=["loss"], verbose=True),
    _track("last", keys=["y_mean"]),
    *(
        replace(case, not_resumed=_EXTRA_PASS) if case.name.endswith("samples") else case
        for case in _each_unit("OfflineLossCallback", dataset_key="test")
    ),
    Case(
        name="OfflineLossCallback-outputs",
        config={"every_n_epochs": 1, "dataset_key": "train", "output_patterns_to_log": ["loss"]},
        subject={"loss": loss_with_outputs},
    ),
    Case(
        name="OfflineLossCallback-companion",
        config={"every_n_updates": 2, "dataset_key": "test"},
        subject={
            "companions": (
                Subject(stock_callbacks()["OnlineLossCallback"], config={"every_n_updates": 2, "verbose": False}),
            )
        },
    ),
    Case(
        name="PyTorchProfilerCallback",
        config={"every_n_updates": 1, "wait": 0, "active": 1, "repeat": 1, "profile_cuda": False},
        clocks=(_TRACE,),
    ),
)
