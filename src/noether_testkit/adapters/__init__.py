"""The only place that knows the framework itself."""

from noether_testkit.adapters.choice import FRAMEWORK_CHOICES, harness_for

__all__ = ["FRAMEWORK_CHOICES", "harness_for"]
