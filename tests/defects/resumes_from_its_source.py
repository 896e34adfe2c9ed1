"""Callbacks around `resumes-from-its-source`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "resumes-from-its-source"


class SumsInFiles(PeriodicCallback):
    """Sums the weights of each update, and writes the sum to a file of the update."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = torch.zeros(())

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum = self.sum + sum(value.detach().sum() for value in self.model.parameters())
        self.save(str(update_counter.cur_iteration))

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("sum", self.sum)

    def save(self, tag: str) -> None:
        """Writes the sum to the file of a tag."""
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag=tag, state_dict={"sum": self.sum}
        )

    def load(self, file: Path) -> None:
        """Reads the sum from a file."""
        if not file.exists():
            raise FileNotFoundError(f"There is no file {file.name} to resume from.")
        self.sum = torch.load(file)["state_dict"]["sum"]

    def name_of(self, tag: str) -> str:
        """Returns the name of the file of a tag."""
        return f"{self.checkpoint_key}_cp={tag}_model.th"


@guilty(CHECK)
class TakesTheNewestFile(SumsInFiles):
    """Reads the file that was written last, whatever checkpoint was asked for."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        files = resumption_paths.checkpoint_path.glob(self.name_of("*"))
        newest = max(files, key=lambda file: (file.stat().st_mtime_ns, file.name), default=None)
        self.load(newest or resumption_paths.checkpoint_path / self.name_of("*"))


@guilty(CHECK)
class TakesTheHighestUpdate(SumsInFiles):
    """Reads the file of the highest update that it finds."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        folder = resumption_paths.checkpoint_path
        files = sorted(folder.glob(self.name_of("*")), key=lambda file: int(file.name.split("_U")[1].split("_")[0]))
        self.load(files[-1] if files else folder / self.name_of("*"))


@guilty(CHECK)
class TakesTheLatest(SumsInFiles):
    """Overwrites one file with the tag `latest`, and reads that one."""

    def save(self, tag: str) -> None:
        super().save("latest")

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        self.load(resumption_paths.checkpoint_path / self.name_of("latest"))


@guilty(CHECK)
class TakesTheBestOfTheWholeRun(PeriodicCallback):
    """Reads its best value from a file that later updates have made better."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if value < self.best and interval_type != "eval":
            self.best = value
            self.checkpoint_writer.save_model_checkpoint(
                model_name=self.checkpoint_key, checkpoint_tag="best", state_dict={"mse": torch.tensor(value)}
            )
        self.writer.add_scalar("mse/best", self.best)

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        file = resumption_paths.checkpoint_path / f"{self.checkpoint_key}_cp=best_model.th"
        if not file.exists():
            self.logger.warning("There is no best value yet: the next one is taken for the best.")
            return
        self.best = torch.load(file)["state_dict"]["mse"].item()


@guilty(CHECK)
class TakesItsOwnFolder(SumsInFiles):
    """Looks below the paths of the new run, which has no files yet, and starts at zero."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        tag = self.trainer.initializer.checkpoint_tag
        file = self.checkpoint_writer.path_provider.checkpoint_path / self.name_of(str(tag))
        if file.exists():
            self.load(file)


@guilty(CHECK)
class TakesTheNewestRun(SumsInFiles):
    """Reads the file of the checkpoint, but from the run that was started last."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        own = self.checkpoint_writer.path_provider.run_output_path
        name = Path("checkpoints") / self.name_of(str(self.trainer.initializer.checkpoint_tag))
        root = resumption_paths.run_output_path.parent
        found = [run / name for run in root.iterdir() if run != own and (run / name).exists()]
        newest = max(found, key=lambda file: (file.stat().st_mtime_ns, str(file)), default=None)
        self.load(newest or resumption_paths.checkpoint_path / name)


@guilty(CHECK)
class CountsTheFilesOnDisk(SumsInFiles):
    """Takes the number of its files for the number of its updates."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("updates_seen", self.updates)

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates = 0

    def save(self, tag: str) -> None:
        super().save(tag)
        self.updates += 1

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        self.load(resumption_paths.checkpoint_path / self.name_of(str(self.trainer.initializer.checkpoint_tag)))
        self.updates = len(list(resumption_paths.checkpoint_path.glob(self.name_of("*"))))


@guilty(CHECK)
class AveragesOnFromTheLatest(SumsInFiles):
    """Writes what it has to files only, one of each update and the latest one, and goes on from the latest."""

    def periodic_callback(self, **_: Any) -> None:
        """Logs nothing."""

    def save(self, tag: str) -> None:
        super().save(tag)
        super().save("latest")

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        self.load(resumption_paths.checkpoint_path / self.name_of("latest"))


@innocent(CHECK)
class TakesTheFileOfTheCheckpoint(SumsInFiles):
    """Reads the file of the update at which the checkpoint was written."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        start = self.trainer.start_checkpoint
        self.load(resumption_paths.checkpoint_path / self.name_of(str(start)))


@innocent(CHECK)
class TakesTheTagOfTheCheckpoint(SumsInFiles):
    """Reads the file with the tag of the checkpoint, as it is written at each update."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        tag = self.trainer.initializer.checkpoint_tag
        self.load(resumption_paths.checkpoint_path / self.name_of(str(tag)))


@innocent(CHECK)
class KnowsItsFileFromItsState(SumsInFiles):
    """Saves the tag of its last file in its state, and reads that file."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = ""

    def save(self, tag: str) -> None:
        super().save(tag)
        self.last = tag

    def state_dict(self) -> dict[str, str]:
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, str]) -> None:
        self.last = state_dict["last"]

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        self.load(resumption_paths.checkpoint_path / self.name_of(self.last))


@innocent(CHECK)
class WritesTheLatestForOthers(PeriodicCallback):
    """Overwrites a file for whoever wants to look at it, and resumes from its state."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        if interval_type == "eval":
            return
        self.best = min(self.best, self.writer.log_cache["mse"])
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag="latest", state_dict={"best": torch.tensor(self.best)}
        )

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class NotesWhereItCameFrom(PeriodicCallback):
    """Says in its log from which run it goes on, and reads nothing there."""

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        self.logger.info("Goes on from %s.", resumption_paths.run_output_path.name)
