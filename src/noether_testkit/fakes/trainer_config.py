"""Fake of the trainer's config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from noether_testkit.fakes.strict import Strict


@dataclass(frozen=True, kw_only=True)
class FakeTrainerConfig(Strict):
    """The trainer's config, as far as callbacks read it."""

    _stands_for = "BaseTrainerConfig"
    _not_faked = frozenset(
        {
            "dataloader_prefetch_factor",
            "find_unused_params",
            "log_every_n_epochs",
            "log_every_n_samples",
            "log_every_n_updates",
            "model_config",
            "model_dump",
            "save_on_sigint",
            "static_graph",
            "track_every_n_epochs",
            "track_every_n_samples",
            "track_every_n_updates",
            "validate_callback_frequency",
            "validate_max_training_criteria",
        }
    )

    effective_batch_size: int
    kind: str = "noether_testkit.fakes.FakeTrainer"
    max_epochs: int | None = None
    max_updates: int | None = None
    max_samples: int | None = None
    max_batch_size: int | None = None
    start_at_epoch: int | None = None
    precision: str = "float32"
    skip_nan_loss: bool = False
    skip_nan_loss_max_count: int = 100
    disable_gradient_accumulation: bool = False
    use_torch_compile: bool = False
    forward_properties: list[str] = field(default_factory=lambda: ["x"])
    target_properties: list[str] = field(default_factory=lambda: ["y"])
    callbacks: list[Any] | None = None
    initializer: Any = None
    add_default_callbacks: bool = False
    add_trainer_callbacks: bool = False
