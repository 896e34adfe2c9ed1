"""Counting of training progress."""

from noether_testkit.core.utils.training.counter import UpdateCounter
from noether_testkit.core.utils.training.training_iteration import TrainingIteration

__all__ = ["TrainingIteration", "UpdateCounter"]
