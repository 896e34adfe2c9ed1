"""The two worlds in which the same behaviour must be seen: the fakes, and the framework itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from noether_testkit import Subject, TrainingPlan
from noether_testkit.adapters.framework_classes import model_classes
from noether_testkit.adapters.framework_rig import FrameworkRig
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.fakes import DefaultNetwork, FakeModel, FakeRun
from noether_testkit.fakes.run import seed_everything
from noether_testkit.plan import Checkpoint

Factory = Callable[..., Any]
"""Makes a callback out of the seven collaborators."""

_CONFIGS = {
    "PeriodicCallback": "CallBackBaseConfig",
    "PeriodicDataIteratorCallback": "PeriodicDataIteratorCallbackConfig",
}


class FrameworkRun:
    """A run of the framework's trainer under the names of `FakeRun`, callbacks and collaborators as they are."""

    def __init__(
        self,
        plan: TrainingPlan | None = None,
        *,
        output_root: Path,
        network: Callable[[], Any] | None = None,
        datasets: Callable[[], Any] | None = None,
        loss: Callable[..., Any] | None = None,
    ) -> None:
        self.plan = plan or TrainingPlan()
        subject = Subject(CallbackBase, model=network, datasets=datasets, loss=loss)
        self._rig = FrameworkRig(
            subject, self.plan, folder=output_root, around=lambda _: nullcontext(), on_use=lambda *_: None
        )
        self.trainer = self._rig.trainer
        self.trainer.build = lambda factory, collaborators: factory(**collaborators)
        self.model: Any = self._rig.model
        self.update_counter = self.trainer.update_counter
        self.path_provider = self.trainer.path_provider
        self.data_container = self.trainer.data_container
        self.tracker = self.trainer.tracker
        self.log_writer = self.trainer.log_writer
        self.checkpoint_writer = self.trainer.checkpoint_writer
        self.metric_property_provider = self.trainer.metric_property_provider
        self.callback_kwargs = self._rig.collaborators

    def train(self, *factories: Factory) -> FrameworkRun:
        """Trains with callbacks that factories make."""
        self._prepare(factories)
        self.trainer.train(self.model)
        return self

    def evaluate(self, *factories: Factory) -> FrameworkRun:
        """Does an evaluation run."""
        self._prepare(factories)
        self.trainer.eval(self.model)
        return self

    def save_checkpoint(self, tag: str = "latest") -> Checkpoint:
        """Writes weights, optimiser and all states."""
        return self._rig.save_checkpoint(tag)

    def request_stop(self) -> None:
        """Ends the run after the current update."""
        self._rig.request_stop()

    def _prepare(self, factories: tuple[Factory, ...]) -> None:
        seed_everything(self.plan.seed)
        self.trainer.factories = factories


@dataclass(frozen=True, kw_only=True)
class World:
    """Where a behaviour is looked at.

    Attributes:
        name: `fakes` or `noether`.
        root: Folder of all runs of a test.
        callbacks: The module with the base classes.
        configs: The module with their config classes.
        training: The module with `UpdateCounter` and `TrainingIteration`.
        PathProvider: The class of path providers.
        Ordinality: The directions of metrics.
        make_run: Makes a run out of a plan; see `run`.
        make_frozen: Makes a frozen model, with the arguments of `FakeModel`.
    """

    name: str
    root: Path
    callbacks: Any
    configs: Any
    training: Any
    PathProvider: Any
    Ordinality: Any
    make_run: Callable[..., Any]
    make_frozen: Callable[..., Any]

    def run(self, plan: TrainingPlan | None = None, **parts: Any) -> Any:
        """Returns a run with all its collaborators: a `FakeRun`, or the framework's under the same names.

        Args:
            plan: The run; two epochs of four updates by default.
            **parts: Factories of `network`, `datasets` and `loss`, where the default problem does not do.
        """
        return self.make_run(plan, output_root=self.root, **parts)

    def frozen_run(self) -> Any:
        """Returns a run whose model was made frozen."""
        run = self.run()
        run.model = self.make_frozen(
            DefaultNetwork(),
            run.model.name,
            update_counter=run.update_counter,
            path_provider=run.path_provider,
            data_container=run.data_container,
        )
        return run

    def callback(
        self,
        base: str = "PeriodicCallback",
        *,
        class_name: str = "Own",
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        **members: Any,
    ) -> Factory:
        """Returns a factory of a callback with these members.

        Args:
            base: Name of the base class.
            class_name: Name of the class.
            config: The config; every update, over `test`, where it is missing.
            name: The callback's name.
            **members: Methods and attributes of the class.
        """
        if base == "PeriodicDataIteratorCallback":
            members.setdefault("process_data", lambda self, batch, *, trainer_model: batch["index"])
        cls = type(class_name, (getattr(self.callbacks, base),), members)
        if base == "CallbackBase":
            return lambda **collaborators: cls(**collaborators, name=name)
        given = dict(config or {"every_n_updates": 1})
        if base == "PeriodicDataIteratorCallback":
            given.setdefault("dataset_key", "test")
        made = getattr(self.configs, _CONFIGS[base])(**given)
        return lambda **collaborators: cls(made, **collaborators, name=name)

    def iteration(self, *numbers: int | None, **named: int) -> Any:
        """Returns a training iteration."""
        return self.training.TrainingIteration(*numbers, **named)

    def counter(self, start: Any, end: Any, updates_per_epoch: int = 4, effective_batch_size: int = 2) -> Any:
        """Returns an update counter."""
        return self.training.UpdateCounter(start, end, updates_per_epoch, effective_batch_size)


def world_of_fakes(root: Path) -> World:
    """Returns the fakes, and the kit's base classes."""
    providers = importlib.import_module("noether_testkit.fakes.providers")
    return World(
        name="fakes",
        root=root,
        **_modules("noether_testkit"),
        PathProvider=providers.FakePathProvider,
        Ordinality=providers.Ordinality,
        make_run=lambda plan, output_root, **parts: _FakeRun(
            plan, output_root=output_root, run_id=f"run-{len(list(output_root.iterdir()))}", **parts
        ),
        make_frozen=partial(FakeModel, is_frozen=True),
    )


def world_of_the_framework(root: Path) -> World:
    """Returns the framework."""
    return World(
        name="noether",
        root=root,
        **_modules("noether"),
        PathProvider=importlib.import_module("noether.core.providers").PathProvider,
        Ordinality=importlib.import_module("noether.core.providers.metric_property").Ordinality,
        make_run=FrameworkRun,
        make_frozen=_frozen_model_of_the_framework,
    )


def _frozen_model_of_the_framework(network: Any, name: str, **parts: Any) -> Any:
    framework = model_classes()
    config = framework.ModelBaseConfig(kind="noether_testkit.Model", name=name, is_frozen=True)
    model = framework.WrappingModel(config, is_frozen=True, **parts)
    model.net = network
    return model


class _FakeRun(FakeRun):
    def request_stop(self) -> None:
        """Ends the run after the current update."""
        self.trainer.request_stop()


def _modules(package: str) -> dict[str, Any]:
    return {
        "callbacks": importlib.import_module(f"{package}.core.callbacks"),
        "configs": importlib.import_module(f"{package}.core.schemas.callbacks"),
        "training": importlib.import_module(f"{package}.core.utils.training"),
    }
