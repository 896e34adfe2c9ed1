"""Base classes for callbacks."""

from noether_testkit.core.callbacks.base import CallbackBase
from noether_testkit.core.callbacks.data_iterator import PeriodicDataIteratorCallback
from noether_testkit.core.callbacks.early_stoppers import EarlyStopIteration
from noether_testkit.core.callbacks.periodic import PeriodicCallback

__all__ = ["CallbackBase", "EarlyStopIteration", "PeriodicCallback", "PeriodicDataIteratorCallback"]
