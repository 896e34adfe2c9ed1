"""Series of metric values that callbacks read from the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.ordinary import updates_between_turns
from noether_testkit.contract.subject import Subject

Series = Sequence[float] | Callable[[int], float]

LOSS_KEY = "mse"
"""The loss of the default problem, which the kit logs at each update."""

_METRIC_FIELD = re.compile(r"(^|_)(metric|metrics|monitor)(_keys?)?$")
_WAVE = (0.9, 0.7, 0.8, 0.85, 0.6, 0.65, 0.7, 0.5)


def series_for(subject: Subject, silent_keys: frozenset[str] = frozenset()) -> dict[str, Series]:
    """Returns the series of each metric that a callback reads.

    Args:
        subject: Its own metrics, and a plausible series for each metric key in its config.
        silent_keys: Keys for which no plausible series is made up.
    """
    guessed = (key for key in _keys_in(resolve_config(subject)) if key not in silent_keys)
    stride = updates_between_turns(subject)
    return {**dict.fromkeys(guessed, lambda update: plausible(-(-update // stride))), **dict(subject.metrics or {})}


def keys_of_the_kit(subject: Subject) -> frozenset[str]:
    """Returns the keys that the kit logs of its own accord: the loss, and the metrics that it makes up."""
    return frozenset({LOSS_KEY, *_keys_in(resolve_config(subject))}) - frozenset(subject.metrics or ())


def plausible(turn: int) -> float:
    """Returns a metric that falls in a wave, as real ones do: better, twice worse, better still.

    Args:
        turn: How often the callback's interval has been due, counted from 1, so that every interval sees the wave.
    """
    return round(_WAVE[(turn - 1) % len(_WAVE)] * 0.8 ** ((turn - 1) // len(_WAVE)), 6)


def value_at(series: Series, update: int) -> float:
    """Returns the value of a series at an update, counted from 1; the last entry stays."""
    if callable(series):
        return series(update)
    return series[min(update, len(series)) - 1]


def _keys_in(config: Any) -> list[str]:
    if isinstance(config, BaseModel):
        values: Mapping[str, Any] = {name: getattr(config, name) for name in type(config).model_fields}
    else:
        values = vars(config) if hasattr(config, "__dict__") else {}
    keys: list[str] = []
    for name, value in values.items():
        if _METRIC_FIELD.search(name):
            listed = value if isinstance(value, list | tuple) else [value]
            keys.extend(item for item in listed if isinstance(item, str) and item)
    return keys
