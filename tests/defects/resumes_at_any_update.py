"""Callbacks around `resumes-at-any-update`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "resumes-at-any-update"


@guilty(CHECK)
class SavesItsCountOfTheLastTurn(PeriodicCallback):
    """Counts updates, and saves the count that it had at its last turn.

    See https://github.com/Lightning-AI/pytorch-lightning/issues/1464 (B211).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.count = 0
        self.saved = 0

    def track_after_update_step(self, **_: Any) -> None:
        self.count += 1

    def periodic_callback(self, **_: Any) -> None:
        self.saved = self.count
        self.writer.add_scalar("count", self.count)

    def state_dict(self) -> dict[str, int]:
        return {"count": self.saved}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.count = self.saved = state_dict["count"]


@guilty(CHECK)
class SavesItsAverageOfTheLastTurn(PeriodicCallback):
    """Averages losses at each update, and saves the average that it had at its last turn."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = 0.0
        self.saved = {"average": 0.0}

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.average += 0.5 * (losses["total"].item() - self.average)

    def periodic_callback(self, **_: Any) -> None:
        self.saved = {"average": self.average}
        self.writer.add_scalar("loss/average", self.average)

    def state_dict(self) -> dict[str, float]:
        return dict(self.saved)

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.average = state_dict["average"]
        self.saved = {"average": self.average}


@guilty(CHECK)
class SavesTheSumOfItsWindowOnly(PeriodicCallback):
    """Saves the sum of a window that is half full, and not how many values are in it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0.0
        self.values = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.sum += losses["total"].item()
        self.values += 1

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("loss/interval", self.sum / max(1, self.values))
        self.sum, self.values = 0.0, 0

    def state_dict(self) -> dict[str, float]:
        return {"sum": self.sum}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.sum = state_dict["sum"]


@guilty(CHECK)
class WritesItsSumAtItsTurns(PeriodicCallback):
    """Sums at each update, writes the sum to a file at its turns, and takes the last file before the checkpoint."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = torch.zeros(())

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum = self.sum + update_counter.update

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        self.writer.add_scalar("sum", self.sum)
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag=f"U{update_counter.update}", state_dict={"sum": self.sum}
        )

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        last = self.trainer.start_checkpoint.update
        names = [f"{self.checkpoint_key}_cp=U{update}_model.th" for update in range(last, 0, -1)]
        files: list[Path] = [resumption_paths.checkpoint_path / name for name in names]
        found = next((file for file in files if file.exists()), None)
        if found is None:
            raise FileNotFoundError(f"There is no file of {self.checkpoint_key} up to update {last}.")
        self.sum = torch.load(found)["state_dict"]["sum"]


@guilty(CHECK)
class CountsASilenceFromTheLastTurn(PeriodicCallback):
    """Counts the updates since the last low loss; its state knows them up to its last turn."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.since = 0
        self.known = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.since = 0 if losses["total"].item() < 0.01 else self.since + 1

    def periodic_callback(self, **_: Any) -> None:
        self.known = self.since
        self.writer.add_scalar("updates_since_low", self.since)

    def state_dict(self) -> dict[str, int]:
        return {"since": self.known}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.known = self.since = state_dict["since"]


@innocent(CHECK)
class AveragesHalfAWindow(PeriodicCallback):
    """Averages what it gathered since its last turn or since the resume: the sum and the count start together."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0.0
        self.values = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.sum += losses["total"].item()
        self.values += 1

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("loss/interval", self.sum / max(1, self.values))
        self.sum, self.values = 0.0, 0


@innocent(CHECK)
class TakesTheBestOfItsWindows(PeriodicCallback):
    """Saves the best mean of a window, and not the window that is half full."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: list[float] = []
        self.best = float("inf")

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.window:
            self.best = min(self.best, sum(self.window) / len(self.window))
        self.window = []
        self.writer.add_scalar("loss/best", self.best)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class GathersByKey(PeriodicCallback):
    """Gathers losses by their names, of which each turn leaves empty lists, and knows the folder of its run."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.gathered: dict[str, list[float]] = {}
        self.folder: Path | None = None

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.folder = self.checkpoint_writer.path_provider.run_output_path

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        for key, loss in losses.items():
            self.gathered.setdefault(key, []).append(loss.item())

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        for key, values in self.gathered.items():
            self.writer.add_scalar(f"{key}/interval/{update_counter.update}", sum(values) / max(1, len(values)))
            values.clear()


@innocent(CHECK)
class SavesItsWholeWindow(PeriodicCallback):
    """Saves the sum of a window that is half full, and how many values are in it."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0.0
        self.values = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.sum += losses["total"].item()
        self.values += 1

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("loss/interval", self.sum / max(1, self.values))
        self.sum, self.values = 0.0, 0

    def state_dict(self) -> dict[str, float]:
        return {"sum": self.sum, "values": self.values}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.sum = state_dict["sum"]
        self.values = int(state_dict["values"])


@innocent(CHECK)
class CountsByTheCounter(PeriodicCallback):
    """Works its count out of the counter of the run, which a resume restores."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.count = 0

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.count = update_counter.update

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("count", self.count)


@innocent(CHECK)
class WarnsThatItsSumIsShort(PeriodicCallback):
    """Sums since the start of the run, saves the sum of its last turn, and warns of it where it resumes later."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0
        self.saved = {"sum": 0, "update": 0}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        missing = update_counter.update - self.saved["update"]
        if missing:
            self.logger.warning("The sum lacks %d updates: resume from the end of an interval.", missing)

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum += update_counter.update

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.saved = {"sum": self.sum, "update": update_counter.update}
        self.writer.add_scalar("sum", self.sum)

    def state_dict(self) -> dict[str, int]:
        return dict(self.saved)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.saved = {"sum": state_dict["sum"], "update": state_dict["update"]}
        self.sum = self.saved["sum"]


@innocent(CHECK)
class RefusesToGoOnBetweenTurns(PeriodicCallback):
    """Raises where it is resumed between two turns, since it knows its sum at turns only."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = 0
        self.saved = {"sum": 0, "update": 0}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update != self.saved["update"]:
            raise RuntimeError(f"Resume from update {self.saved['update']}, the end of an interval.")

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum += update_counter.update

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.saved = {"sum": self.sum, "update": update_counter.update}
        self.writer.add_scalar("sum", self.sum)

    def state_dict(self) -> dict[str, int]:
        return dict(self.saved)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.saved = {"sum": state_dict["sum"], "update": state_dict["update"]}
        self.sum = self.saved["sum"]
