"""Which metrics a callback reads, and what it finds there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from noether_testkit.contract.companions import Series, plausible
from noether_testkit.contract.construction import resolve_config
from noether_testkit.contract.subject import Subject

_METRIC_FIELD = re.compile(r"(^|_)(metric|metrics|monitor)(_keys?)?$")


def series_for(subject: Subject, silent_keys: frozenset[str] = frozenset()) -> dict[str, Series]:
    """Returns the series of each metric that a callback reads.

    Args:
        subject: Its own metrics, and a plausible series for each metric key in its config.
        silent_keys: Keys for which no plausible series is made up.
    """
    guessed = (key for key in _keys_in(resolve_config(subject)) if key not in silent_keys)
    return {**dict.fromkeys(guessed, plausible), **dict(subject.metrics or {})}


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
