"""Callbacks around `reads-state-without-effect`."""

from __future__ import annotations

from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "reads-state-without-effect"


@guilty(CHECK)
class EmptiesItsWindowWhenSaved(PeriodicCallback):
    """Hands its window over to the state: after a checkpoint the next mean lacks what was in it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.window:
            self.writer.add_scalar(f"{self.checkpoint_key}/mean", sum(self.window) / len(self.window))
            self.window = []

    def state_dict(self) -> dict[str, Any]:
        window, self.window = self.window, []
        return {"window": window}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.window = list(state_dict["window"])


@guilty(CHECK)
class CountsItsSaves(PeriodicCallback):
    """Counts how often it was asked, and saves that as if it was training progress."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.saves = 0

    def state_dict(self) -> dict[str, Any]:
        self.saves += 1
        return {"saves": self.saves}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.saves = state_dict["saves"]


@guilty(CHECK)
class FoldsItsLossesWhenSaved(PeriodicCallback):
    """Takes a step of its average whenever it is asked."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = 0.0
        self.mean = 0.0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.last = losses["total"].item()

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar(f"{self.checkpoint_key}/mean", self.mean)

    def state_dict(self) -> dict[str, Any]:
        self.mean += 0.1 * (self.last - self.mean)
        return {"mean": self.mean, "last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.mean = state_dict["mean"]
        self.last = state_dict["last"]


@guilty(CHECK)
class DrawsWhenSaved(PeriodicCallback):
    """Draws a seed for the next session whenever it is asked, and shifts the dropout of the training."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.seed = 0

    def state_dict(self) -> dict[str, Any]:
        return {"seed": int(torch.randint(1000, ()))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seed = state_dict["seed"]


@guilty(CHECK)
class WritesAFileForEachSave(PeriodicCallback):
    """Writes one more file into the run folder for each call."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0
        self.files = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        folder = self.trainer.path_provider.run_output_path
        (folder / f"{self.checkpoint_key}_{self.files}.txt").write_text(str(self.turns))
        self.files += 1
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class StartsItsPatienceAnewWhenSaved(PeriodicCallback):
    """Takes a checkpoint for progress.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/1464 (B211) for the harm of a save between two hooks.
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)
        self.writer.add_scalar(f"{self.checkpoint_key}/waited", self.waited)

    def state_dict(self) -> dict[str, Any]:
        waited, self.waited = self.waited, 0
        return {"best": self.best, "waited": waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@innocent(CHECK)
class CopiesItsWindowWhenSaved(PeriodicCallback):
    """Copies its window, and empties it where it is used."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.window:
            self.writer.add_scalar(f"{self.checkpoint_key}/mean", sum(self.window) / len(self.window))
            self.window = []

    def state_dict(self) -> dict[str, Any]:
        return {"window": list(self.window)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.window = list(state_dict["window"])


@innocent(CHECK)
class MakesItsStateLazily(PeriodicCallback):
    """Computes what it saves when it is first asked, and keeps it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.names: list[str] | None = None
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        if self.names is None:
            self.names = [name for name, _ in self.model.named_parameters()]
        return {"parameters": len(self.names), "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class DrawsFromAForkWhenSaved(PeriodicCallback):
    """Draws in a fork of the generators, which leaves them as they were."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.seed = 1

    def state_dict(self) -> dict[str, Any]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return {"seed": self.seed, "first": torch.rand(()).item()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seed = state_dict["seed"]


@innocent(CHECK)
class WritesItsReportWhenSaved(PeriodicCallback):
    """Writes the same file over again, whose content is that of the last turn."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        self._write()

    def _write(self) -> None:
        file = self.trainer.path_provider.run_output_path / f"{self.checkpoint_key}.txt"
        file.write_text(str(self.turns))

    def state_dict(self) -> dict[str, Any]:
        self._write()
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.turns = state_dict["turns"]


@innocent(CHECK)
class SortsACopyWhenSaved(PeriodicCallback):
    """Keeps a set, and hands out a sorted list of it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.names: set[str] = set()

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.names.update(losses)

    def state_dict(self) -> dict[str, Any]:
        return {"names": sorted(self.names)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.names = set(state_dict["names"])
