"""What a training run looks like: pure data that both harnesses understand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from noether_testkit.errors import PlanError

StopKind = Literal["signal", "early-stop", "crash"]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        output_root: Folder that holds the run folders.
        run_id: Name of the run folder.
        tag: The checkpoint's tag, such as `E1_U4_S8` or `latest`.
    """

    output_root: Path
    run_id: str
    tag: str


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Ends a run early.

    Attributes:
        after_update: The update after which the run ends, counted from 1.
        kind: `signal` and `early-stop` end it in order (the end hooks run), `crash` kills it in the next forward
            pass.
    """

    after_update: int
    kind: StopKind = "signal"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Makes one call to a collaborator fail.

    Attributes:
        call: Collaborator and method, such as `log_writer.add_scalar` or `model.forward`.
        error: Makes the exception that is raised.
        at: Which call fails, counted from 1.
    """

    call: str
    error: Callable[[], BaseException]
    at: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A training run.

    Attributes:
        epochs: Length of the run in epochs; at most one of the three lengths may be set, and two
            epochs are trained where none is.
        updates: Length in updates; 0 calls the end hooks right after the start hooks.
        samples: Length in samples, from 1; less than a batch still is one update, as in the framework.
        dataset_size: Samples in the training set.
        test_size: Samples in the test set.
        batch_size: Samples in an update, over all accumulation steps.
        accumulation_steps: Forward and backward passes in an update.
        seed: Seed of weights, data and all global generators.
        checkpoint_after: Updates after which a checkpoint with all states is written.
        stop: Where and how the run ends early.
        resume_from: The checkpoint that the run goes on from.
        in_place: A resumed run goes on in the folder of the run that it resumes, rather than in one of its own.
        reseed: Seeds all global generators before each update, so that a resumed run draws what one that was never
            stopped draws; the framework does not restore generators.
        evaluate: An evaluation run instead of a training run.
        faults: Calls to collaborators that fail.

    Raises:
        PlanError: Two lengths, a batch that the training set cannot fill or the accumulation steps cannot
            share evenly, or numbers out of range.
    """

    epochs: int | None = None
    updates: int | None = None
    samples: int | None = None
    dataset_size: int = 8
    test_size: int = 5
    batch_size: int = 2
    accumulation_steps: int = 1
    seed: int = 0
    checkpoint_after: tuple[int, ...] = ()
    stop: Stop | None = None
    resume_from: Checkpoint | None = None
    in_place: bool = False
    reseed: bool = False
    evaluate: bool = False
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if sum(length is not None for length in (self.epochs, self.updates, self.samples)) > 1:
            raise PlanError("A plan has one length: give only one of epochs, updates and samples.")
        if min(self.epochs or 0, self.updates or 0, self.samples or 0) < 0:
            raise PlanError("The length of a plan cannot be negative.")
        if self.samples == 0:
            raise PlanError("The framework refuses a run of 0 samples; give updates=0 for a run without updates.")
        if min(self.dataset_size, self.batch_size, self.accumulation_steps) < 1 or self.test_size < 0:
            raise PlanError("dataset_size, batch_size and accumulation_steps start at 1, test_size at 0.")
        if self.batch_size > self.dataset_size:
            raise PlanError(
                f"A batch of {self.batch_size} samples cannot be filled from {self.dataset_size}; "
                "the framework refuses this, too. Make dataset_size larger or batch_size smaller."
            )
        if self.batch_size % self.accumulation_steps:
            raise PlanError(
                f"{self.batch_size} samples cannot be split into {self.accumulation_steps} equal accumulation steps."
            )

    @property
    def updates_per_epoch(self) -> int:
        """Updates in an epoch; a ragged last batch is dropped, as the framework does in training."""
        return self.dataset_size // self.batch_size

    @property
    def total_updates(self) -> int:
        """Updates in the whole run."""
        if self.updates is not None:
            return self.updates
        if self.samples is not None:
            return max(1, self.samples // self.batch_size)
        return (2 if self.epochs is None else self.epochs) * self.updates_per_epoch

    def resumed(self, checkpoint: Checkpoint, *, in_place: bool = False) -> TrainingPlan:
        """Returns the plan of the run that goes on from a checkpoint of this one, to the same end."""
        return replace(self, resume_from=checkpoint, stop=None, faults=(), checkpoint_after=(), in_place=in_place)
