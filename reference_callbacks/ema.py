"""Keeps exponential moving averages of the weights and writes them beside the checkpoints.

In a run's YAML:

    callbacks:
      - kind: my_project.callbacks.ema.EmaCallback
        every_n_epochs: 1
        decays: [0.999, 0.9999]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from operator import is_
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

_Average = dict[torch.Tensor, torch.Tensor]  # by the parameter that is averaged

_MISSING = (
    "There is no average with decay %s of the checkpoint %s in %s. It starts afresh from the weights of the "
    "checkpoint; to keep it, write averages as often as checkpoints."
)


class EmaCallbackConfig(CallBackBaseConfig):
    """Which averages to keep; the interval says when they are written."""

    decays: list[Annotated[float, Field(ge=0, lt=1)]] = Field(default=[0.999], min_length=1)
    """How much of the average stays at an update, one average each; 0.999 remembers some 1,000 updates."""
    warmup: bool = False
    """Whether the decay grows with the updates, so that the first weights are soon forgotten."""


class EmaCallback(PeriodicCallback):
    """Averages the floating-point parameters: `average += (1 - decay) * (parameter - average)` at each update.

    The average starts as a copy of the weights. With `warmup` the decay of an update is
    `min(decay, (1 + t) / (10 + t))`, where `t` counts the updates averaged before (the formula of
    TensorFlow's `tf.train.ExponentialMovingAverage`). An average has its parameter's device and dtype, but at
    least float32: narrower types would round small steps away. Buffers and integers are not averaged; the
    files hold their current values.

    At each interval and at the end, the average of each sub-model is written to
    `{model}_ema={decay}_cp={iteration}_model.th` and again under the tag `latest`. A callback with a name (the
    config's `id`) has it behind the decay. A resumed run goes on with the average that was written at its
    checkpoint, or warns and starts afresh. Rank 0 keeps and writes the averages.

    Args:
        callback_config: Decays, warm-up and interval.
        **kwargs: The collaborators of every callback.
    """

    def __init__(self, callback_config: EmaCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.decays = tuple(callback_config.decays)
        self.warmup = callback_config.warmup
        self._weights = _Weights(torch.nn.Module())  # none before training: they are not initialised yet
        self._averages: dict[float, _Average] = {}  # by decay
        self._updates: dict[float, int] = {}  # by decay, how many updates are in the average

    def resume_from_checkpoint(self, resumption_paths: Any, model: Any) -> None:
        """Reads the averages that were written at the checkpoint from which the run goes on."""
        if not _is_rank_zero():
            return
        self._weights = _Weights(self.model)
        for decay in self.decays:
            files = self._find_files(resumption_paths.checkpoint_path, decay)
            if files is None:
                self.logger.warning(_MISSING, decay, self.trainer.start_checkpoint, resumption_paths.checkpoint_path)
            else:
                self._load(decay, files)

    @torch.no_grad()
    def before_training(self, *, update_counter: Any) -> None:
        """Starts the averages that were not read from files as copies of the weights."""
        if not _is_rank_zero():
            return
        for decay in self.decays:
            self._averages.setdefault(decay, {})
            self._updates.setdefault(decay, 0)
        self._follow_model()

    @torch.no_grad()
    def track_after_update_step(self, *, update_counter: Any, times: dict[str, float]) -> None:
        """Moves each average towards the new weights, in one pass over the memory."""
        if self._averages and not self._weights.are_current():
            self._follow_model()
        self._weights.widen()
        for decay, average in self._averages.items():
            done = self._updates[decay]
            current = min(decay, (1 + done) / (10 + done)) if self.warmup else decay
            if average:
                torch._foreach_lerp_([*average.values()], self._weights.sources, 1 - current)
            self._updates[decay] = done + 1

    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        """Writes the averages, but not in an evaluation run."""
        if interval_type != "eval":
            self._write(str(update_counter.cur_iteration))

    def after_training(self, *, update_counter: Any) -> None:
        """Writes the last averages."""
        self._write(str(update_counter.cur_iteration))

    @contextmanager
    def averaged_weights(self, decay: float) -> Iterator[None]:
        """Puts an average into the model while the context lasts, and the weights back at its end or an error.

        Buffers stay as they are; running statistics of normalisation layers belong to the weights in training.

        Raises:
            ValueError: There is no such average: another decay, before training, or not on rank 0.
        """
        if decay not in self._averages:
            raise ValueError(f"No average with decay {decay}; once training began, rank 0 has those of {self.decays}.")
        if not self._weights.are_current():
            self._follow_model()
        weights = {parameter: parameter.detach().clone() for parameter in self._weights.parameters}
        try:
            _put_into_model(self._averages[decay])
            yield
        finally:
            _put_into_model(weights)

    def _follow_model(self) -> None:
        """Collects the parameters anew; those that the averages do not know start as copies."""
        self._weights = _Weights(self.model)
        self._averages = {decay: self._weights.aligned(average) for decay, average in self._averages.items()}

    def _write(self, tag: str) -> None:
        for decay, average in self._averages.items():
            for name, model in self._named_models():
                state = model.state_dict()
                named = model.named_parameters(remove_duplicate=False)  # each name of a tied weight
                state |= {key: average[value] for key, value in named if key in state and value in average}
                for each in (tag, "latest"):
                    self.checkpoint_writer.save_model_checkpoint(
                        model_name=name,
                        checkpoint_tag=each,
                        state_dict=state,
                        model_info=self._info(decay),
                        ema_updates=self._updates[decay],
                    )

    def _find_files(self, folder: Path, decay: float) -> list[dict[str, Any]] | None:
        start = self.trainer.start_checkpoint
        for tag in (str(start), "latest"):
            paths = [folder / f"{name}_{self._info(decay)}_cp={tag}_model.th" for name, _ in self._named_models()]
            if all(path.exists() for path in paths):
                files = [torch.load(path, map_location=self.model.device, weights_only=True) for path in paths]
                if all(file["training_iteration"] == dict(start) for file in files):
                    return files
        return None

    def _load(self, decay: float, files: list[dict[str, Any]]) -> None:
        average: _Average = {}
        for (_, model), file in zip(self._named_models(), files, strict=True):
            named = model.named_parameters(remove_duplicate=False)
            average |= {value: file["state_dict"][key] for key, value in named if key in file["state_dict"]}
            self._updates[decay] = file.get("ema_updates", file["training_iteration"]["update"])
        self._averages[decay] = self._weights.aligned(average)

    def _named_models(self) -> list[tuple[str, Any]]:
        """Returns the sub-models with the names that their checkpoints have."""
        models = self.model.get_named_models().items()
        part_of = f"{self.model.name}."
        return [(key if m is self.model else part_of + key.removesuffix(f".{m.name}"), m) for key, m in models]

    def _info(self, decay: float) -> str:
        name = "" if self.name is None else "_" + re.sub(r"[^\w.=-]", "-", self.name)
        return f"ema={decay}{name}"


class _Weights:
    """The floating-point parameters of a model, each once, and what the averages are taken of."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._containers = [vars(part)[kind] for part in model.modules() for kind in ("_modules", "_parameters")]
        self._parts = [*self._current_parts()]
        self.parameters: list[torch.Tensor] = [p for p in model.parameters() if p.is_floating_point()]
        self.sources = [
            p if torch.finfo(p.dtype).bits >= 32 else torch.empty_like(p, dtype=torch.float32) for p in self.parameters
        ]
        narrow = [(s, p) for s, p in zip(self.sources, self.parameters, strict=True) if s is not p]
        self._widened, self._narrow = [s for s, _ in narrow], [p for _, p in narrow]

    def are_current(self) -> bool:
        """Returns whether the model still has the same modules and parameters."""
        same_size = sum(map(len, self._containers)) == len(self._parts)
        return same_size and all(map(is_, self._current_parts(), self._parts))

    def widen(self) -> None:
        """Brings the float32 sources of narrower parameters up to date."""
        if self._narrow:
            torch._foreach_copy_(self._widened, self._narrow)

    def aligned(self, average: _Average) -> _Average:
        """Returns a copy of each parameter's average, else of itself, with the device and dtype of its source."""
        pairs = zip(self.parameters, self.sources, strict=True)
        return {p: average.get(p, p).detach().to(device=s.device, dtype=s.dtype, copy=True) for p, s in pairs}

    def _current_parts(self) -> Iterator[Any]:
        return chain.from_iterable(container.values() for container in self._containers)


@torch.no_grad()
def _put_into_model(values: _Average) -> None:
    for parameter, value in values.items():
        parameter.copy_(value)


def _is_rank_zero() -> bool:
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
