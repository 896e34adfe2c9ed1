"""Hypothesis strategies for tests of callbacks: runs, interruptions, states, models and metrics."""

from __future__ import annotations

from noether_testkit.strategies.metrics import SERIES, SeriesName, metric_series
from noether_testkit.strategies.odd_models import TRAITS, OddNetwork, Trait, models
from noether_testkit.strategies.plans import training_plans
from noether_testkit.strategies.states import state_dicts
from noether_testkit.strategies.stops import interruptions

__all__ = [
    "SERIES",
    "TRAITS",
    "OddNetwork",
    "SeriesName",
    "Trait",
    "interruptions",
    "metric_series",
    "models",
    "state_dicts",
    "training_plans",
]
