"""Callbacks around `resumes-without-its-files`."""

from __future__ import annotations

import contextlib
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "resumes-without-its-files"


class AveragesInFiles(PeriodicCallback):
    """Averages a few weights, and writes the average to a file of each update."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = torch.zeros(2)

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        weights = next(iter(self.model.parameters())).detach().flatten()[:2]
        self.average = self.average.lerp(weights, 0.5)
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key,
            checkpoint_tag=update_counter.cur_iteration,
            state_dict={"average": self.average},
        )

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("average", self.average.sum())

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        name = f"{self.checkpoint_key}_cp={self.trainer.start_checkpoint}_model.th"
        self.restore(resumption_paths.checkpoint_path / name)

    def restore(self, file: Path) -> None:
        """Reads the average from a file."""
        self.average = torch.load(file)["state_dict"]["average"]


@guilty(CHECK)
class StartsEmptyInSilence(AveragesInFiles):
    """Keeps its empty average where the file is missing, and says nothing.

    See https://github.com/Vchitect/Latte/issues/55 (B007).
    """

    def restore(self, file: Path) -> None:
        if file.exists():
            super().restore(file)


@guilty(CHECK)
class SwallowsEveryError(AveragesInFiles):
    """Tries to read its file, and passes over whatever goes wrong."""

    def restore(self, file: Path) -> None:
        with contextlib.suppress(Exception):
            super().restore(file)


@guilty(CHECK)
class TakesTheFirstOfNone(AveragesInFiles):
    """Takes the first file that matches, where none does."""

    def restore(self, file: Path) -> None:
        super().restore(sorted(file.parent.glob(file.name))[0])


@guilty(CHECK)
class ReadsFromNothing(AveragesInFiles):
    """Asks what it has read for an entry, where it has read nothing."""

    def restore(self, file: Path) -> None:
        content = torch.load(file) if file.exists() else None
        self.average = content["state_dict"]["average"]


@guilty(CHECK)
class LooksInAnEmptyList(AveragesInFiles):
    """Looks for its file in a listing of the folder, and dies of a KeyError that names no file."""

    def restore(self, file: Path) -> None:
        updates = {each.name: each for each in file.parent.iterdir()}
        super().restore(updates[file.name])


@guilty(CHECK)
class WhispersThatItStartsAfresh(AveragesInFiles):
    """Says on the level `info`, which nobody reads, that it starts afresh."""

    def restore(self, file: Path) -> None:
        if not file.exists():
            self.logger.info("%s is not there.", file.name)
            return
        super().restore(file)


@innocent(CHECK)
class LetsTheSystemSayIt(AveragesInFiles):
    """Opens its file and lets the error of the system through, which names it."""


@innocent(CHECK)
class RaisesWithTheName(AveragesInFiles):
    """Raises an error of its own that names the file and a way out."""

    def restore(self, file: Path) -> None:
        if not file.exists():
            raise RuntimeError(f"{file.name} is missing: take a checkpoint that has it, or leave this callback out.")
        super().restore(file)


@innocent(CHECK)
class WarnsThatItStartsAfresh(AveragesInFiles):
    """Warns through its logger, and starts afresh."""

    def restore(self, file: Path) -> None:
        if not file.exists():
            self.logger.warning("%s is missing: the average starts afresh.", file.name)
            return
        super().restore(file)


@innocent(CHECK)
class WarnsByTheModule(AveragesInFiles):
    """Warns through the module `warnings`, and starts afresh."""

    def restore(self, file: Path) -> None:
        if not file.exists():
            warnings.warn(f"{file.name} is missing: the average starts afresh.", stacklevel=2)
            return
        super().restore(file)


@innocent(CHECK)
class WritesForOthersOnly(PeriodicCallback):
    """Writes a file that it never reads."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        folder = self.checkpoint_writer.path_provider.run_output_path
        file = folder / f"{self.checkpoint_key}_{update_counter.update}.json"
        file.write_text(json.dumps({"mse": self.writer.log_cache["mse"]}))
