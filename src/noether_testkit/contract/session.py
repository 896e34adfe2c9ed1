"""One run of a subject, on whatever rig: wires watch, faults and the kit's own callbacks around it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch

from noether_testkit.contract.companions import Companions
from noether_testkit.contract.compare import snapshot
from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.construction import build
from noether_testkit.contract.harness import HookError, Moment, Outcome, Stage, Watcher
from noether_testkit.contract.probes.autograd import restored_modes
from noether_testkit.contract.series import LOSS_KEY, Series, series_for
from noether_testkit.contract.subject import Subject
from noether_testkit.contract.time_limit import OutOfTime
from noether_testkit.errors import TestkitError, UsageError
from noether_testkit.fakes import HookCall, Watch
from noether_testkit.fakes.run import seed_everything
from noether_testkit.plan import Checkpoint, TrainingPlan

HookFaults = Mapping[tuple[str, str, int], Callable[[], BaseException]]
Factory = Callable[..., Any]
OnUse = Callable[[str, Mapping[str, Any]], None]
"""Called with each method of a collaborator that is called, such as `log_writer.add_scalar`, and its arguments."""


class Rig(Protocol):
    """A trainer with its collaborators, ready for one run.

    Attributes:
        companions: The kit's callbacks on the base class of the rig.
    """

    companions: Companions

    @property
    def model(self) -> torch.nn.Module:
        """The model."""
        ...

    @property
    def update_counter(self) -> Any:
        """The counter of epochs, updates and samples."""
        ...

    @property
    def log_entries(self) -> Sequence[Mapping[str, Any]]:
        """The flushed log entries."""
        ...

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary values that the tracker was given."""
        ...

    @property
    def run_folder(self) -> Path:
        """The folder of the run."""
        ...

    def run(self, factories: Sequence[Factory]) -> None:
        """Trains or evaluates, as the plan says, with callbacks that these factories make."""
        ...

    def save_checkpoint(self, tag: str) -> Checkpoint:
        """Writes weights, optimiser and all states."""
        ...

    def request_stop(self) -> None:
        """Ends the run after the current update."""
        ...


_SEED_STEP = 7919
_NOTHING = nullcontext()


class SimulatedCrash(TestkitError):  # noqa: N818 - it is part of a plan
    """The run died here because its plan says so."""


class Session:
    """One run of a subject.

    Args:
        subject: What to train with.
        plan: What to run.
        make_rig: Makes the rig; called with what to call around hooks, and on each use of a collaborator.
        watch: Called around each call into the callback.
        hook_faults: Makes the nth call of a collaborator's method in a hook fail, by hook, method and n.
        silent_keys: Metrics that the kit does not log of its own accord.
    """

    def __init__(
        self,
        subject: Subject,
        plan: TrainingPlan,
        make_rig: Callable[[Watch, OnUse], Rig],
        *,
        watch: Watcher | None = None,
        hook_faults: HookFaults | None = None,
        silent_keys: frozenset[str] = frozenset(),
    ) -> None:
        self._subject = subject
        self._plan = plan
        self._watch = watch
        self._stage = Stage()
        self._hook: str | None = None
        self._crashing = False
        self._pending_faults = dict(hook_faults or {})
        self._calls: Counter[str] = Counter()
        self._uses: dict[tuple[str, str], int] = {}
        self._in_this_call: Counter[str] = Counter()
        self._hook_errors: list[HookError] = []
        self._logged_keys: set[str] = set()
        self._nonscalars: list[dict[str, Any]] = []
        self._tracked: list[dict[str, Any]] = []
        self._summarised: Counter[tuple[str, str]] = Counter()
        self._checkpoints: dict[int, Checkpoint] = {}
        self._saved: dict[int, Any] = {}
        self._series: dict[str, Series] = series_for(subject, silent_keys)
        self._loss_keys = [] if subject.loss or LOSS_KEY in {*silent_keys, *self._series} else [LOSS_KEY]
        self._own_factory: Factory = self._build
        self._make_rig = make_rig
        self._rig: Rig

    def run(self) -> Outcome:
        """Runs the plan and says what came of it.

        Raises:
            UsageError: The rig cannot be made from what the subject brings.
        """
        try:
            self._rig = self._make_rig(self._around, self._on_use)
        except UsageError:
            raise
        except Exception as unreadable:  # noqa: BLE001 - a checkpoint that cannot be read, for one
            return Outcome(error=unreadable)
        with restored_modes():
            error = self._error_of_run()
            self._end_leaked_inference_mode()
        return Outcome(
            error=error,
            hook_errors=tuple(self._hook_errors),
            uses=tuple((*use, count) for use, count in self._uses.items()),
            logged_keys=frozenset(self._logged_keys),
            log=tuple(self._rig.log_entries),
            nonscalars=tuple(self._nonscalars),
            tracked=tuple(self._tracked),
            checkpoints=self._checkpoints,
            saved=self._saved,
            weights={name: tensor.detach().clone() for name, tensor in self._rig.model.state_dict().items()},
            updates=self._rig.update_counter.update,
            state=self._final_state() if error is None else None,
            optimizer=_state_of_optimizer(self._rig.model),
            summary=dict(self._rig.summary),
            summarised=dict(self._summarised),
            run_folder=self._rig.run_folder,
        )

    def _final_state(self) -> Any:
        """Returns a copy of the callback's state after the end hooks; a callback that cannot tell it has none."""
        try:
            return snapshot(self._stage.callback.state_dict())
        except Exception:  # noqa: BLE001 - a callback may raise anything
            return None

    def _error_of_run(self) -> BaseException | None:
        try:
            self._rig.run(self._factories())
        except SimulatedCrash:
            return None
        except (KeyboardInterrupt, OutOfTime):
            raise
        except UsageError as error:
            if all(each.error is not error for each in self._hook_errors):
                raise
            return error
        except BaseException as error:  # noqa: BLE001 - a callback may raise anything
            return error
        return None

    def _end_leaked_inference_mode(self) -> None:
        """Drops a guard of inference mode that the callback left open: freed later, it would flip the modes then."""
        if torch.is_inference_mode_enabled() and self._stage.callback is not None:
            vars(self._stage.callback).clear()

    def _factories(self) -> list[Factory]:
        others = [_factory(companion) for companion in self._subject.companions]
        return [self._feed, *others, self._own_factory, self._conductor]

    def _feed(self, **collaborators: Any) -> Any:
        return self._rig.companions.feed(self._series, self._loss_keys, **collaborators)

    def _conductor(self, **collaborators: Any) -> Any:
        return self._rig.companions.conductor(self._take_turn, **collaborators)

    def _build(self, **collaborators: Any) -> Any:
        self._stage.config = resolve_config(self._subject)
        self._stage.callback = build(self._subject, collaborators, config=self._stage.config)
        return self._stage.callback

    def _take_turn(self, kind: str) -> None:
        """Saves or stops where the plan says so, after all other callbacks of the round.

        At the end of an epoch that is the round of the epoch, unless a signal ends the run before it.
        """
        counter, stop = self._rig.update_counter, self._plan.stop
        if self._plan.reseed:
            seed_everything(self._plan.seed + _SEED_STEP * (counter.update + 1))
        if kind == "start":
            return
        stops = stop is not None and counter.update == stop.after_update
        signalled = stop is not None and stops and stop.kind == "signal"
        if kind == "update" and counter.is_full_epoch and not signalled:
            return
        if counter.update in self._plan.checkpoint_after:
            self._checkpoints[counter.update] = self._rig.save_checkpoint(str(counter.cur_iteration))
            self._saved[counter.update] = snapshot(self._stage.callback.state_dict())
        if not stops or stop is None:
            return
        if stop.kind == "signal":
            self._rig.request_stop()
        if stop.kind == "early-stop":
            raise self._rig.companions.early_stop
        self._crashing = stop.kind == "crash"

    def _around(self, call: HookCall) -> AbstractContextManager[None]:
        is_of_others = call.callback is not self._own_factory and call.callback is not self._stage.callback
        return _NOTHING if is_of_others else self._around_own(call)

    @contextmanager
    def _around_own(self, call: HookCall) -> Iterator[None]:
        moment = Moment(
            hook=call.hook,
            arguments=call.arguments,
            positional=call.positional,
            update=self._rig.update_counter.update,
            model=self._rig.model,
            owner=self._subject.callback,
            stage=self._stage,
        )
        with _NOTHING if self._watch is None else self._watch(moment):
            self._hook = call.hook
            self._in_this_call.clear()
            try:
                yield
            except BaseException as error:
                self._hook_errors.append(HookError(moment=moment, error=error))
                raise
            finally:
                self._hook = None

    def _on_use(self, method: str, arguments: Mapping[str, Any]) -> None:
        """Learns what the callback calls on its collaborators, and makes calls fail on demand."""
        if self._plan.faults:
            self._fail_as_planned(method)
        if self._hook is None:
            if self._crashing and method == "model.forward":
                raise SimulatedCrash("The plan kills the run here.")
            return
        if method in ("log_writer.add_scalar", "log_writer.add_nonscalar"):
            self._logged_keys.add(arguments["key"])
        self._keep(method, arguments)
        self._summarised.update((self._hook, key) for key in _summary_keys(method, arguments))
        use = (self._hook, method)
        if method.endswith(".flush"):
            return
        self._in_this_call[method] += 1
        nth = self._in_this_call[method]
        self._uses[use] = max(nth, self._uses.get(use, 0))
        make_error = self._pending_faults.pop((*use, nth), None)
        if make_error is not None:
            raise make_error()

    def _keep(self, method: str, arguments: Mapping[str, Any]) -> None:
        """Keeps copies of what goes to the tracker, and into no log entry."""
        update = self._rig.update_counter.update
        if method == "log_writer.add_nonscalar":
            self._nonscalars.append({arguments["key"]: snapshot(arguments["value"]), "update": update})
        data = arguments.get("data") if method == "tracker.log" else None
        if isinstance(data, Mapping):
            self._tracked.append({**snapshot(dict(data)), "update": update})

    def _fail_as_planned(self, method: str) -> None:
        self._calls[method] += 1
        for fault in self._plan.faults:
            if (fault.call, fault.at) == (method, self._calls[method]):
                raise fault.error()


def run_id_for(plan: TrainingPlan, folder: Path) -> str:
    """Returns the name of a run's folder: one of its own, or that of the run that it goes on with in place."""
    if plan.in_place and plan.resume_from is not None:
        return plan.resume_from.run_id
    return f"run-{len(os.listdir(folder))}"  # noqa: PTH208 - a path for each would cost more than an update


def _summary_keys(method: str, arguments: Mapping[str, Any]) -> list[str]:
    """Returns the keys that a call sets in the tracker's summary."""
    if method == "tracker.set_summary":
        return [str(arguments["key"])]
    return [str(key) for key in arguments.get("data", ())] if method == "tracker.update_summary" else []


def _state_of_optimizer(model: Any) -> Any:
    optimizer = getattr(model.optimizer, "torch_optim", None)
    return None if optimizer is None else snapshot(optimizer.state_dict())


def _factory(companion: Subject) -> Factory:
    return lambda **collaborators: build(companion, collaborators)
