"""A point in training: epoch, update and sample."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import total_ordering
from typing import Any

_FIELDS = ("epoch", "update", "sample")
_PATTERN = re.compile(r"E(\d+)_U(\d+)_S(\d+)")


@total_ordering
class TrainingIteration:
    """A point in training, counted in finished epochs, updates and samples.

    All three numbers make it *fully specified*, exactly one *minimally specified*.

    Args:
        epoch: Finished epochs.
        update: Finished updates.
        sample: Samples seen.
    """

    def __init__(self, epoch: int | None = None, update: int | None = None, sample: int | None = None) -> None:
        self.epoch = epoch
        self.update = update
        self.sample = sample

    @property
    def specified_properties_count(self) -> int:
        """How many of the three numbers are set."""
        return len(list(self))

    @property
    def is_fully_specified(self) -> bool:
        """Whether all three numbers are set."""
        return self.specified_properties_count == 3

    @property
    def is_minimally_specified(self) -> bool:
        """Whether exactly one number is set."""
        return self.specified_properties_count == 1

    def copy(self) -> TrainingIteration:
        """Returns an equal point that can be changed on its own."""
        return TrainingIteration(self.epoch, self.update, self.sample)

    def get_n_equal_properties(self, other: TrainingIteration) -> int:
        """Returns how many of the three numbers are equal in both."""
        return sum(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def has_same_specified_properties(self, other: TrainingIteration) -> bool:
        """Returns whether both set the same of the three numbers."""
        return dict(self).keys() == dict(other).keys()

    def to_fully_specified(self, updates_per_epoch: int, effective_batch_size: int) -> TrainingIteration:
        """Returns the point with all three numbers, computed from the one that is set; parts of a unit are cut off.

        Raises:
            ValueError: Not exactly one number is set.
            AssertionError: The samples are the number that is set, and are 0.
        """
        if self.is_fully_specified:
            return self.copy()
        if not self.is_minimally_specified:
            raise ValueError(f"Exactly one of epoch, update and sample must be set, but this is {self}.")
        if self.epoch is not None:
            update = self.epoch * updates_per_epoch
            return TrainingIteration(self.epoch, update, update * effective_batch_size)
        if self.sample == 0:
            raise AssertionError("The framework takes no point at sample 0; give epoch=0 or update=0 instead.")
        update = int((self.sample or 0) / effective_batch_size) if self.update is None else self.update
        return TrainingIteration(int(update / updates_per_epoch), update, update * effective_batch_size)

    @staticmethod
    def to_fully_specified_from_filenames(
        directory: str, training_iteration: TrainingIteration, prefix: str | None = None, suffix: str | None = None
    ) -> TrainingIteration:
        """Returns the first point that agrees with `training_iteration` among the file names of a folder.

        Args:
            directory: The folder.
            training_iteration: Exactly one number.
            prefix: What the file name starts with.
            suffix: What it ends with.

        Raises:
            ValueError: Not exactly one number is set.
            FileNotFoundError: No file fits.
        """
        if not training_iteration.is_minimally_specified:
            raise ValueError(f"Exactly one of epoch, update and sample must be set, but this is {training_iteration}.")
        for name in sorted(os.listdir(directory)):  # noqa: PTH208 - names, not paths
            fits = name.startswith(prefix or "") and name.endswith(suffix or "")
            if fits and TrainingIteration.contains_string(name):
                found = TrainingIteration.from_filename(name)
                if dict(training_iteration).items() <= dict(found).items():
                    return found
        raise FileNotFoundError(
            f"No file in {directory} is of {training_iteration} (prefix {prefix!r}, suffix {suffix!r})."
        )

    def to_target_specification(self, target: TrainingIteration) -> TrainingIteration:
        """Returns this point with only those numbers that `target` sets.

        Raises:
            ValueError: `target` sets more numbers than this point has.
        """
        if target.specified_properties_count > self.specified_properties_count:
            raise ValueError(f"{target} asks for more numbers than {self} has.")
        return TrainingIteration(**{name: getattr(self, name) for name in dict(target)})

    @staticmethod
    def from_string(value: str) -> TrainingIteration:
        """Reads a point such as `E1_U4_S8` at the start of a text.

        Raises:
            ValueError: The text starts with anything else.
        """
        match = _PATTERN.match(value)
        if match is None:
            raise ValueError(f"{value!r} is no training iteration; one looks like 'E1_U4_S8'.")
        return TrainingIteration(*(int(number) for number in match.groups()))

    @staticmethod
    def contains_string(source: str) -> bool:
        """Returns whether a point such as `E1_U4_S8` stands somewhere in the text."""
        return _PATTERN.search(source) is not None

    @staticmethod
    def find_string(source: str) -> str:
        """Returns the first text such as `E1_U4_S8` in `source`.

        Raises:
            ValueError: There is none.
        """
        match = _PATTERN.search(source)
        if match is None:
            raise ValueError(f"No training iteration such as 'E1_U4_S8' stands in {source!r}.")
        return match.group()

    @staticmethod
    def from_filename(fname: str) -> TrainingIteration:
        """Reads the first point out of a file name.

        Raises:
            ValueError: There is none.
        """
        return TrainingIteration.from_string(TrainingIteration.find_string(fname))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingIteration:
        """Builds a point from the entries `epoch`, `update` and `sample` of a mapping."""
        return cls(**{name: data.get(name) for name in _FIELDS})

    def __iter__(self) -> Iterator[tuple[str, int]]:
        pairs = ((name, getattr(self, name)) for name in _FIELDS)
        return ((name, value) for name, value in pairs if value is not None)

    def __hash__(self) -> int:
        return hash((self.epoch, self.update, self.sample))

    def __eq__(self, other: object) -> bool:
        # The framework's points are equal to the kit's, and leave the comparison to the kit.
        if not any(base.__name__ == "TrainingIteration" for base in type(other).__mro__):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __ge__(self, other: TrainingIteration) -> bool:
        return all(mine >= theirs for mine, theirs in self._pairs(other))

    def __add__(self, other: TrainingIteration) -> TrainingIteration:
        return self._combine(other, lambda mine, theirs: mine + theirs)

    def __sub__(self, other: TrainingIteration) -> TrainingIteration:
        return self._combine(other, lambda mine, theirs: mine - theirs)

    def _pairs(self, other: TrainingIteration) -> list[tuple[int, int]]:
        """Returns the numbers of both that are set."""
        both = ((self.epoch, other.epoch), (self.update, other.update), (self.sample, other.sample))
        if any((mine is None) is not (theirs is None) for mine, theirs in both):
            raise RuntimeError(f"{self} and {other} set different numbers and cannot be combined.")
        return [(mine, theirs) for mine, theirs in both if mine is not None and theirs is not None]

    def _combine(self, other: TrainingIteration, operation: Callable[[int, int], int]) -> TrainingIteration:
        results = [operation(mine, theirs) for mine, theirs in self._pairs(other)]
        return TrainingIteration(**dict(zip(dict(self), results, strict=True)))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        if self.is_minimally_specified:
            ((name, value),) = self
            return f"{name.capitalize()}: {value}"
        return f"E{self.epoch}_U{self.update}_S{self.sample}"
