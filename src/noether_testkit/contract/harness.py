"""The seam of the contract: a place where a callback can be trained, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from noether_testkit.contract.subject import Subject
from noether_testkit.fakes.lineage import is_early_stop
from noether_testkit.plan import Checkpoint, TrainingPlan

_HOOKS_OF_ROUNDS = frozenset({"after_update", "after_epoch"})


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A call of the trainer into the callback under judgement.

    Attributes:
        hook: Name of the method; `__init__` for the constructor.
        arguments: The keyword arguments.
        positional: The arguments by position: the counter of `at_eval`, the state of `load_state_dict`.
        update: The update that the counter shows.
        model: The model of the run.
        owner: The class or factory of the callback.
        stage: Holds the callback, once it is built.
    """

    hook: str
    arguments: Mapping[str, Any]
    update: int
    model: torch.nn.Module
    owner: Any
    stage: Stage
    positional: tuple[Any, ...] = ()

    @property
    def callback(self) -> Any:
        """The callback; `None` before its constructor has returned."""
        return self.stage.callback

    def __str__(self) -> str:
        if self.hook == "__init__":
            return "the constructor"
        return f"{self.hook} (update {self.update})"


@dataclass
class Stage:
    """Where a run keeps the callback under judgement, and the config that it was built with."""

    callback: Any = None
    config: Any = None


Watcher = Callable[[Moment], AbstractContextManager[Any]]
"""Called around each call of the trainer into the callback; the call happens inside the context."""


@dataclass(frozen=True, kw_only=True)
class HookError:
    """An exception that left a hook of the callback under judgement."""

    moment: Moment
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a run.

    Attributes:
        error: What ended the run, or `None`.
        hook_errors: The exceptions that left the callback's own hooks, in order.
        uses: A hook, a collaborator's method that the callback called in it, and how often at most in one call.
        logged_keys: Keys that the callback logged itself.
        log: The flushed log entries.
        nonscalars: The non-scalar values that the callback logged, each with its update.
        tracked: The values that the callback gave the tracker itself, each with its update.
        checkpoints: The checkpoints that the plan asked for, by update.
        saved: Copies of the callback's state at the time of each checkpoint, by update.
        weights: Parameters and buffers at the end, by name.
        updates: Finished updates.
        state: A copy of the callback's state after the end of the run; `None` for a run that broke.
        optimizer: A copy of the optimiser's state.
        summary: The summary values that the tracker was given.
        summarised: How often the callback set a summary value, by hook and key.
        run_folder: The folder of the run.
    """

    error: BaseException | None
    hook_errors: tuple[HookError, ...] = ()
    uses: tuple[tuple[str, str, int], ...] = ()
    logged_keys: frozenset[str] = frozenset()
    log: tuple[Mapping[str, Any], ...] = ()
    nonscalars: tuple[Mapping[str, Any], ...] = ()
    tracked: tuple[Mapping[str, Any], ...] = ()
    checkpoints: Mapping[int, Checkpoint] = field(default_factory=dict)
    saved: Mapping[int, Any] = field(default_factory=dict)
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)
    updates: int = 0
    state: Any = None
    optimizer: Any = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    summarised: Mapping[tuple[str, str], int] = field(default_factory=dict)
    run_folder: Path | None = None

    @property
    def failures(self) -> tuple[HookError, ...]:
        """The hook errors but for early stops in a round, which the trainer honours."""
        return tuple(
            found
            for found in self.hook_errors
            if not (is_early_stop(found.error) and found.moment.hook in _HOOKS_OF_ROUNDS)
        )


class Harness(Protocol):
    """A place where a callback can be trained.

    Attributes:
        name: Its name.
        version: Its version.
        shifts_no_data: Whether a resumed run goes on with the right batch also with a ragged end of the training
            set, with accumulation, and with callbacks that iterate over data.
        notes: What a report has to say of it.
    """

    name: str
    version: str
    shifts_no_data: bool
    notes: tuple[str, ...]

    def train(
        self,
        subject: Subject,
        plan: TrainingPlan,
        *,
        folder: Path,
        watch: Watcher | None = None,
        hook_faults: Mapping[tuple[str, str, int], Callable[[], BaseException]] | None = None,
        silent_keys: frozenset[str] = frozenset(),
    ) -> Outcome:
        """Runs a plan with a fresh callback and fresh collaborators.

        Args:
            subject: What to train with.
            plan: What to run.
            folder: Root of all run folders; resumed runs share it.
            watch: Called around each call into the callback.
            hook_faults: Makes the nth call of a collaborator's method in a hook fail, by hook, method and n.
            silent_keys: Metrics that the kit does not log of its own accord, because the callback logs them.
        """
        ...
