"""The harness on the fakes: a run takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from noether_testkit import __version__
from noether_testkit.contract.companions import companions_on
from noether_testkit.contract.harness import Outcome, Watcher
from noether_testkit.contract.session import Factory, HookFaults, OnUse, Session, run_id_for
from noether_testkit.contract.subject import Subject
from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter
from noether_testkit.fakes import Call, FakeRun, Watch
from noether_testkit.fakes.natives import KIT, Natives
from noether_testkit.plan import Checkpoint, TrainingPlan


class FakeHarness:
    """Trains a callback on the fakes.

    Args:
        natives: The classes of what a run hands out; see `FakeRun`.
        notes: What reports have to say of the harness.

    Attributes:
        name: Name of the harness.
        version: Version of the kit.
        shifts_no_data: A resumed run goes on with the right batch.
    """

    name = "fakes"
    version = __version__
    shifts_no_data = True

    def __init__(self, natives: Natives = KIT, notes: tuple[str, ...] = ()) -> None:
        self._natives = natives
        self.notes = notes

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
        """Runs a plan with a fresh callback and fresh fakes; see `Harness.train`."""

        def make_rig(around: Watch, on_use: OnUse) -> FakeRig:
            return FakeRig(subject, plan, folder=folder, around=around, on_use=on_use, natives=self._natives)

        return Session(subject, plan, make_rig, watch=watch, hook_faults=hook_faults, silent_keys=silent_keys).run()


class FakeRig:
    """The fakes, ready for one run; see `Rig`."""

    companions = companions_on(PeriodicCallback, CallBackBaseConfig, EarlyStopIteration)

    def __init__(
        self,
        subject: Subject,
        plan: TrainingPlan,
        *,
        folder: Path,
        around: Watch,
        on_use: OnUse,
        natives: Natives = KIT,
    ) -> None:
        self._fake = FakeRun(
            plan,
            output_root=folder,
            run_id=run_id_for(plan, folder),
            network=subject.model,
            datasets=subject.datasets,
            loss=subject.loss,
            watch=around,
            natives=natives,
        )
        self._listen(on_use)

    @property
    def model(self) -> torch.nn.Module:
        """The model."""
        model: torch.nn.Module = self._fake.model
        return model

    @property
    def update_counter(self) -> UpdateCounter:
        """The counter of epochs, updates and samples."""
        return self._fake.update_counter

    @property
    def log_entries(self) -> Sequence[Mapping[str, Any]]:
        """The flushed log entries."""
        return self._fake.log_writer.log_entries

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary values that the tracker was given."""
        return self._fake.tracker.summary

    @property
    def run_folder(self) -> Path:
        """The folder of the run."""
        return self._fake.path_provider.output_root / self._fake.path_provider.run_id

    def run(self, factories: Sequence[Factory]) -> None:
        """Trains or evaluates, as the plan says."""
        go = self._fake.evaluate if self._fake.plan.evaluate else self._fake.train
        go(*factories)

    def save_checkpoint(self, tag: str) -> Checkpoint:
        """Writes weights, optimiser and all states."""
        return self._fake.save_checkpoint(tag)

    def request_stop(self) -> None:
        """Ends the run after the current update."""
        self._fake.trainer.request_stop()

    def _listen(self, on_use: OnUse) -> None:
        for name in ("tracker", "log_writer", "checkpoint_writer", "metric_property_provider", "data_container"):
            getattr(self._fake, name).fault = _listener(name, on_use)
        self._fake.model.fault = lambda inputs: on_use("model.forward", inputs)
        for dataset in self._fake.data_container.datasets.values():
            dataset.fault = lambda index: on_use("dataset.__getitem__", {"index": index})


def _listener(name: str, on_use: OnUse) -> Callable[[Call], None]:
    def listen(call: Call) -> None:
        on_use(f"{name}.{call.method}", call.arguments)

    return listen
