"""Configuration of callbacks."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
    every_n_epochs: int | None = Field(default=None, ge=0)
    """Epochs in an interval."""
    every_n_updates: int | None = Field(default=None, ge=0)
    """Updates in an interval."""
    every_n_samples: int | None = Field(default=None, ge=0)
    """Samples in an interval; needs `batch_size`."""
    batch_size: int | None = None
    """Samples in a batch."""

    @field_validator(*_INTERVALS, "batch_size")
    @classmethod
    def check_positive_values(cls, v: int | None) -> int | None:
        """Refuses counts below 1."""
        if v is not None and v < 1:
            raise ValueError("must be at least 1")
        return v

    @field_validator("kind")
    @classmethod
    def check_kind_is_not_empty(cls, v: str | None) -> str | None:
        """Refuses a blank import path."""
        if v is not None and not v.strip():
            raise ValueError("must not be blank")
        return v

    @model_validator(mode="after")
    def validate_callback_frequency(self) -> Self:
        """Refuses all but one interval, and samples without a batch size."""
        given = [name for name in _INTERVALS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(_INTERVALS)} must be set, not {len(given)}")
        if self.every_n_samples is not None and self.batch_size is None:
            raise ValueError("every_n_samples needs batch_size")
        return self


class PeriodicDataIteratorCallbackConfig(CallBackBaseConfig):
    """When a callback acts, and over which data set."""

    name: Literal["PeriodicDataIteratorCallback"] = Field(default="PeriodicDataIteratorCallback", frozen=True)
    """Fixed name of the kind of config."""
    dataset_key: str
    """Key of the data set in the data container."""
