"""Configuration of callbacks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositiveCount = Annotated[int, Field(gt=0)]

_INTERVALS = ("every_n_epochs", "every_n_updates", "every_n_samples")


class CallBackBaseConfig(BaseModel):
    """When a callback acts; base class of the configs of all callbacks.

    Exactly one of the three intervals must be set. Unknown fields are refused.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str | None = None
    """Import path of the callback class, for runs that are described in YAML."""
    id: str | None = None
    """Name of this callback in checkpoints; needed when two of one class are used."""
    every_n_epochs: PositiveCount | None = None
    """Epochs in an interval."""
    every_n_updates: PositiveCount | None = None
    """Updates in an interval."""
    every_n_samples: PositiveCount | None = None
    """Samples in an interval; needs `batch_size`."""
    batch_size: PositiveCount | None = None
    """Samples in a batch."""

    @model_validator(mode="after")
    def _has_one_interval(self) -> Self:
        given = [name for name in _INTERVALS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(_INTERVALS)} must be set, not {len(given)}")
        if self.every_n_samples is not None and self.batch_size is None:
            raise ValueError("every_n_samples needs batch_size")
        return self


class PeriodicDataIteratorCallbackConfig(CallBackBaseConfig):
    """When a callback acts, and over which data set."""

    name: Literal["PeriodicDataIteratorCallback"] = "PeriodicDataIteratorCallback"
    """Fixed name of the kind of config."""
    dataset_key: str
    """Key of the data set in the data container."""
