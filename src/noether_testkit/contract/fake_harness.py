"""The harness on the fakes: a run takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from noether_testkit import __version__
from noether_testkit.contract.companions import Conductor, MetricFeed, Series, SimulatedCrash
from noether_testkit.contract.compare import snapshot
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import HookError, Moment, Outcome, Stage, Watcher
from noether_testkit.contract.metrics import series_for
from noether_testkit.contract.probes.autograd import restored_modes
from noether_testkit.contract.subject import Subject
from noether_testkit.fakes import Call, FakeRun, HookCall
from noether_testkit.plan import Checkpoint, Stop, TrainingPlan

LOSS_KEY = "mse"
"""The loss of the default problem, which the kit logs at each update."""

HookFaults = Mapping[tuple[str, str], Callable[[], BaseException]]


class FakeHarness:
    """Trains a callback on the fakes.

    Attributes:
        name: Name of the harness.
        version: Version of the kit.
    """

    name = "fakes"
    version = __version__

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
        session = _Session(
            subject, plan, folder=folder, watch=watch, hook_faults=hook_faults or {}, silent_keys=silent_keys
        )
        with restored_modes():
            return session.run()


class _Session:
    """One run: wires watch, faults and the kit's own callbacks around the fake run."""

    def __init__(
        self,
        subject: Subject,
        plan: TrainingPlan,
        *,
        folder: Path,
        watch: Watcher | None,
        hook_faults: HookFaults,
        silent_keys: frozenset[str],
    ) -> None:
        self.subject = subject
        self.plan = plan
        self.watch = watch
        self.stage = Stage()
        self.hook: str | None = None
        self.uses: dict[tuple[str, str], None] = {}
        self.hook_errors: list[HookError] = []
        self.checkpoints: dict[int, Checkpoint] = {}
        self.saved: dict[int, Any] = {}
        self.pending_faults = dict(hook_faults)
        self.logged_keys: set[str] = set()
        self.series: dict[str, Series] = series_for(subject, silent_keys)
        self.loss_keys = [] if subject.loss or LOSS_KEY in {*silent_keys, *self.series} else [LOSS_KEY]
        self.fake = FakeRun(
            plan,
            output_root=folder,
            run_id=f"run-{len(list(folder.iterdir()))}",
            network=subject.model,
            datasets=subject.datasets,
            loss=subject.loss,
            watch=self._around,
        )
        self._listen()

    def run(self) -> Outcome:
        """Runs the plan and says what came of it."""
        error = self._error_of_run()
        self._end_leaked_inference_mode()
        return Outcome(
            error=error,
            hook_errors=tuple(self.hook_errors),
            uses=tuple(self.uses),
            logged_keys=frozenset(self.logged_keys),
            log=tuple(self.fake.log_writer.log_entries),
            checkpoints=self.checkpoints,
            saved=self.saved,
            weights={name: tensor.detach().clone() for name, tensor in self.fake.model.state_dict().items()},
            updates=self.fake.update_counter.update,
        )

    def _error_of_run(self) -> BaseException | None:
        go = self.fake.evaluate if self.plan.evaluate else self.fake.train
        try:
            go(*self._callbacks())
        except SimulatedCrash:
            return None
        except KeyboardInterrupt as error:
            if not self.hook_errors:
                raise
            return error
        except BaseException as error:  # noqa: BLE001 - a callback may raise anything
            return error
        return None

    def _end_leaked_inference_mode(self) -> None:
        """Drops a guard of inference mode that the callback left open: freed later, it would flip the modes then."""
        if torch.is_inference_mode_enabled() and self.stage.callback is not None:
            vars(self.stage.callback).clear()

    def _callbacks(self) -> list[Any]:
        companions = [_factory(companion) for companion in self.subject.companions]
        return [self._feed, *companions, self._build, self._conductor]

    def _feed(self, **collaborators: Any) -> MetricFeed:
        return MetricFeed(self.series, self.loss_keys, **collaborators)

    def _conductor(self, **collaborators: Any) -> Conductor:
        return Conductor(self.plan.checkpoint_after, self.plan.stop, self._act, **collaborators)

    def _build(self, **collaborators: Any) -> Any:
        self.stage.callback = build(self.subject, collaborators)
        return self.stage.callback

    def _act(self, tag: str, stop: Stop | None) -> None:
        if stop is None:
            update = self.fake.update_counter.update
            self.checkpoints[update] = self.fake.save_checkpoint(tag)
            self.saved[update] = snapshot(self.stage.callback.state_dict())
        elif stop.kind == "signal":
            self.fake.trainer.request_stop()
        else:
            self.fake.model.fault = _crash

    @contextmanager
    def _around(self, call: HookCall) -> Iterator[None]:
        if call.callback != self._build and call.callback is not self.stage.callback:
            yield
            return
        moment = Moment(
            hook=call.hook,
            arguments=call.arguments,
            update=self.fake.update_counter.update,
            model=self.fake.model,
            owner=self.subject.callback,
            stage=self.stage,
        )
        with nullcontext() if self.watch is None else self.watch(moment):
            self.hook = call.hook
            try:
                yield
            except BaseException as error:
                self.hook_errors.append(HookError(moment=moment, error=error))
                raise
            finally:
                self.hook = None

    def _listen(self) -> None:
        """Learns what the callback calls on its collaborators, and makes calls fail on demand."""
        for name in ("tracker", "log_writer", "checkpoint_writer", "metric_property_provider", "data_container"):
            fake = getattr(self.fake, name)
            fake.fault = self._on_call(name)
        self.fake.model.fault = self._on_forward
        for dataset in self.fake.data_container.datasets.values():
            dataset.fault = self._on_sample

    def _on_call(self, name: str) -> Callable[[Call], None]:
        def listen(call: Call) -> None:
            if self.hook is not None and call.method in ("add_scalar", "add_nonscalar"):
                self.logged_keys.add(call.arguments["key"])
            if call.method != "flush":
                self._used(f"{name}.{call.method}")

        return listen

    def _on_forward(self, _: Mapping[str, Any]) -> None:
        self._used("model.forward")

    def _on_sample(self, _: int) -> None:
        self._used("dataset.__getitem__")

    def _used(self, method: str) -> None:
        if self.hook is None:
            return
        use = (self.hook, method)
        self.uses[use] = None
        make_error = self.pending_faults.pop(use, None)
        if make_error is not None:
            raise make_error()


def _factory(companion: Subject) -> Callable[..., Any]:
    return lambda **collaborators: build(companion, collaborators)


def _crash(_: Mapping[str, Any]) -> None:
    raise SimulatedCrash("The plan kills the run here.")
