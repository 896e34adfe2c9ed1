"""The counter of epochs, updates and samples."""

from __future__ import annotations

from noether_testkit.core.utils.training.training_iteration import TrainingIteration


class UpdateCounter:
    """Counts the progress of a run.

    Attributes:
        end_iteration: Where the run ends, fully specified: the start, and what remains from there in whole
            units; after a resume within an epoch its epoch can be one too low.
        cur_iteration: The progress; one object that moves on, so keep a `copy()`.

    Args:
        start_iteration: Where the run starts, fully specified.
        end_iteration: Where it ends, with exactly one number set.
        updates_per_epoch: Updates in an epoch.
        effective_batch_size: Samples in an update, over all ranks and accumulation steps.

    Raises:
        ValueError: The start is not fully or the end not minimally specified.
        AssertionError: The three numbers of the start contradict each other.
    """

    def __init__(
        self,
        start_iteration: TrainingIteration,
        end_iteration: TrainingIteration,
        updates_per_epoch: int,
        effective_batch_size: int,
    ) -> None:
        if not start_iteration.is_fully_specified:
            raise ValueError(f"The start needs epoch, update and sample, but is {start_iteration}.")
        update = start_iteration.update or 0
        in_epochs, in_samples = update // updates_per_epoch, update * effective_batch_size
        if (start_iteration.epoch, start_iteration.sample) != (in_epochs, in_samples):
            raise AssertionError(
                f"{start_iteration} cannot be a start: with {updates_per_epoch} updates an epoch and "
                f"{effective_batch_size} samples an update, it would be E{in_epochs}_U{update}_S{in_samples}."
            )
        if not end_iteration.is_minimally_specified:
            raise ValueError(f"The end needs exactly one of epoch, update and sample, but is {end_iteration}.")
        self.updates_per_epoch = updates_per_epoch
        self.effective_batch_size = effective_batch_size
        self.start_iteration = start_iteration
        remaining = end_iteration - start_iteration.to_target_specification(end_iteration)
        self.end_iteration = start_iteration + remaining.to_fully_specified(updates_per_epoch, effective_batch_size)
        self.cur_iteration = start_iteration.copy()

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.cur_iteration.epoch or 0

    @property
    def update(self) -> int:
        """Finished updates."""
        return self.cur_iteration.update or 0

    @property
    def sample(self) -> int:
        """Samples seen."""
        return self.cur_iteration.sample or 0

    @property
    def epoch_as_float(self) -> float:
        """Finished epochs with the fraction of the current one."""
        return self.update / self.updates_per_epoch

    @property
    def is_full_epoch(self) -> bool:
        """Whether the finished updates make whole epochs."""
        return self.update % self.updates_per_epoch == 0

    @property
    def is_finished(self) -> bool:
        """Whether the end is reached."""
        return self.cur_iteration >= self.end_iteration

    def next_epoch(self) -> None:
        """Counts one more epoch."""
        self.cur_iteration.epoch = self.epoch + 1

    def next_update(self) -> None:
        """Counts one more update."""
        self.cur_iteration.update = self.update + 1

    def add_samples(self, num_samples: int) -> None:
        """Counts `num_samples` more samples."""
        self.cur_iteration.sample = self.sample + num_samples
