"""Callbacks that lose something at a resume in files, generators and objects, and innocent ones beside them."""

from __future__ import annotations

import json
import random
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

AS_IF = "resumes-as-if-uninterrupted"
ANY = "resumes-at-any-update"
FILES = "resumes-without-its-files"
TABLES = "continues-its-output-files"


class ActsAtTurns(PeriodicCallback):
    """Does something at each turn of a run."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.begin()

    def begin(self) -> None:
        """Sets the start values."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            self.act(update_counter.update, self.writer.log_cache["mse"])

    def act(self, update: int, value: float) -> None:
        """Does what there is to do at a turn."""

    def file(self, ending: str) -> Path:
        """Returns a file of the callback's own in the run folder."""
        folder: Path = self.checkpoint_writer.path_provider.run_output_path
        return folder / f"{self.checkpoint_key}{ending}"


class KeepsTheBest(ActsAtTurns):
    """Writes something where a value is the best so far."""

    def begin(self) -> None:
        self.best = float("inf")

    def act(self, update: int, value: float) -> None:
        if value < self.best:
            self.best = value
            self.write(update)

    def write(self, update: int) -> None:
        """Writes what is to be kept of the best update."""
        raise NotImplementedError


class RemembersTheBest(KeepsTheBest):
    """Keeps the best value over sessions."""

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(AS_IF)
class AddsFilesOfFalseBests(KeepsTheBest):
    """Writes a file of its own for each best value, one more for the first value after a resume."""

    def write(self, update: int) -> None:
        torch.save({"update": update}, self.file(f"_{update}.pt"))


@guilty(AS_IF)
class KeepsTwoFilesOfEachSession(ActsAtTurns):
    """Deletes all files but those of the two best values of this session: more than two are left."""

    def begin(self) -> None:
        self.kept: list[tuple[float, str]] = []

    def act(self, update: int, value: float) -> None:
        torch.save({"update": update}, self.file(f"_{update}.pt"))
        self.kept = sorted([*self.kept, (value, f"_{update}.pt")])
        while len(self.kept) > 2:
            self.file(self.kept.pop()[1]).unlink(missing_ok=True)


@guilty(AS_IF)
class OverwritesItsNotesAsYaml(KeepsTheBest):
    """Notes its best update as YAML, and a worse one after a resume."""

    def write(self, update: int) -> None:
        self.file(".yaml").write_text(f"update: {update}\n", encoding="utf-8")


@guilty(AS_IF)
class OverwritesItsBestArray(KeepsTheBest):
    """Keeps the best weights as an array of NumPy, and worse ones after a resume."""

    def write(self, update: int) -> None:
        np.save(self.file(".npy"), list(self.model.parameters())[-1].detach().numpy())


@guilty(AS_IF)
class OverwritesItsBestBytes(KeepsTheBest):
    """Keeps the best update in a format of its own, and a worse one after a resume."""

    def write(self, update: int) -> None:
        self.file(".bin").write_bytes(bytes([255, 254, update]))


@guilty(AS_IF)
class OverwritesItsReport(KeepsTheBest):
    """Writes a report of two lines about the best update, and about a worse one after a resume."""

    def write(self, update: int) -> None:
        self.file(".txt").write_text(f"best value: {self.best}\nbest update: {update}\n", encoding="utf-8")


@guilty(AS_IF)
class LogsSamplesAnew(ActsAtTurns):
    """Logs sampled numbers that are no scalar, the same ones again after each resume."""

    def begin(self) -> None:
        self.random = random.Random(3)

    def act(self, update: int, value: float) -> None:
        self.writer.add_nonscalar(f"{self.checkpoint_key}/sample", self.random.sample(range(100), 3))


@guilty(AS_IF)
class TracksSamplesAnew(ActsAtTurns):
    """Gives sampled numbers to the tracker itself, the same ones again after each resume."""

    def begin(self) -> None:
        self.random = np.random.RandomState(3)

    def act(self, update: int, value: float) -> None:
        self.tracker.log({"drawn": self.random.rand(3).tolist()})


class BestSoFar:
    """A small object that knows the best value."""

    def __init__(self) -> None:
        self.best = float("inf")

    def takes(self, value: float) -> bool:
        """Returns whether a value is better than all before."""
        is_better = value < self.best
        self.best = min(self.best, value)
        return is_better


@guilty(AS_IF)
class LosesAnObject(ActsAtTurns):
    """Has its best value in an object of its own, which starts afresh."""

    def begin(self) -> None:
        self.so_far = BestSoFar()

    def act(self, update: int, value: float) -> None:
        self.writer.add_scalar("is_best", float(self.so_far.takes(value)))


class Mean(nn.Module):
    """A mean with buffers, as libraries of metrics have them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sum", torch.zeros(()))
        self.register_buffer("count", torch.zeros(()))

    def add(self, value: float) -> float:
        """Returns the mean of all values so far, this one included."""
        self.sum += value
        self.count += 1
        return float(self.sum / self.count)


@guilty(AS_IF)
class LosesTheBuffersOfItsMean(ActsAtTurns):
    """Has its mean in a module, whose buffers it does not save."""

    def begin(self) -> None:
        self.mean = Mean()

    def act(self, update: int, value: float) -> None:
        self.writer.add_scalar("mean_of_run", self.mean.add(value))


@guilty(AS_IF, config={"every_n_epochs": 10})
class LosesAHistoryThatGrowsSlowly(ActsAtTurns):
    """Shows the mean of all its values, of which an ordinary run has few."""

    def begin(self) -> None:
        self.history: list[float] = []

    def act(self, update: int, value: float) -> None:
        self.history.append(value)
        self.writer.add_scalar("mean_of_run", sum(self.history) / len(self.history))


@guilty(AS_IF)
class HidesALossBehindANarrowState(ActsAtTurns):
    """Saves a tensor of few bits, and loses a factor that is off by less than one step of it."""

    def begin(self) -> None:
        self.narrow = torch.zeros(2, dtype=torch.float8_e5m2)
        self.factor = 1.0

    def act(self, update: int, value: float) -> None:
        self.factor *= 0.95
        self.writer.add_scalar("factor", self.factor)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"narrow": self.narrow.clone()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.narrow = state_dict["narrow"].clone()


@guilty(ANY, FILES)
class WarnsAtEachStart(ActsAtTurns):
    """Counts on from a file of its last turn, and warns of something else at each start."""

    def begin(self) -> None:
        self.count = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.logger.warning("There is no device of the fast kind here.")

    def track_after_update_step(self, **_: Any) -> None:
        self.count += 1

    def act(self, update: int, value: float) -> None:
        self.writer.add_scalar("count", self.count)
        self.file(f"_{update}.json").write_text(json.dumps({"count": self.count}))

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        update = self.trainer.start_checkpoint.update
        file = resumption_paths.run_output_path / f"{self.checkpoint_key}_{update}.json"
        self.count = json.loads(file.read_text())["count"] if file.exists() else 0


@guilty(TABLES)
class WritesTheRowsOfItsSessionAsJson(ActsAtTurns):
    """Writes all rows of this session as a JSON list over those of earlier ones."""

    def begin(self) -> None:
        self.rows: list[dict[str, float]] = []

    def act(self, update: int, value: float) -> None:
        self.rows.append({"update": update, "mse": value})
        self.file(".json").write_text(json.dumps(self.rows))


@innocent(AS_IF)
class AddsFilesOfTrueBests(RemembersTheBest):
    """Writes a file of its own for each best value, and knows the best one after a resume."""

    def write(self, update: int) -> None:
        torch.save({"update": update}, self.file(f"_{update}.pt"))


@innocent(AS_IF)
class KeepsItsNotesOfTheBest(RemembersTheBest):
    """Overwrites files of several kinds at its best value, and keeps them after a resume."""

    def write(self, update: int) -> None:
        self.file(".yaml").write_text(f"update: {update}\n", encoding="utf-8")
        self.file(".txt").write_text(f"best value: {self.best}\nbest update: {update}\n", encoding="utf-8")
        self.file(".bin").write_bytes(bytes([255, 254, update]))
        np.save(self.file(".npy"), list(self.model.parameters())[-1].detach().numpy())


@innocent(AS_IF, FILES)
class NotesTheStartOfItsSession(ActsAtTurns):
    """Writes at each start where it was, under one name and under another for each start."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        note = {"start": update_counter.update, "folder": str(self.file("").parent)}
        self.file(".start.json").write_text(json.dumps(note))
        self.file(f"_from_{update_counter.update}.pt").write_bytes(b"a header")


@innocent(AS_IF, TABLES)
class WritesAFileForEachSession(ActsAtTurns):
    """Writes its values into a file that bears the update at which the session started."""

    def begin(self) -> None:
        self.start = 0
        self.values: dict[str, float] = {}

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.start = update_counter.update

    def act(self, update: int, value: float) -> None:
        torch.save(torch.tensor(value), self.file(f"_{update}.pt"))
        with self.file(f"_from_{self.start}.csv").open("a") as table:
            table.write(f"{update},{value}\n")


@innocent(AS_IF)
class LogsItsSizeOnce(ActsAtTurns):
    """Logs the number of weights at its first turn, in each session."""

    def begin(self) -> None:
        self.has_told = False

    def act(self, update: int, value: float) -> None:
        if not self.has_told:
            self.writer.add_scalar("weights", sum(each.numel() for each in self.model.parameters()))
        self.has_told = True


@innocent(AS_IF)
class MarksAResumeInItsLog(ActsAtTurns):
    """Logs a mark at the first turn after a resume, which a run that was never stopped has not."""

    def begin(self) -> None:
        self.is_resumed = False

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.is_resumed = update_counter.update > 0

    def act(self, update: int, value: float) -> None:
        if self.is_resumed:
            self.writer.add_scalar("resumed", 1.0)
        self.is_resumed = False


@innocent(AS_IF)
class LogsTheCountOfItsSessions(ActsAtTurns):
    """Counts its sessions in its state, and logs the count at each turn."""

    def begin(self) -> None:
        self.sessions = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.sessions += 1

    def act(self, update: int, value: float) -> None:
        self.writer.add_scalar("sessions", self.sessions)

    def state_dict(self) -> dict[str, int]:
        return {"sessions": self.sessions}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.sessions = state_dict["sessions"]


@innocent(AS_IF)
class LogsTheStepFromTheTurnBefore(ActsAtTurns):
    """Logs how far its value has come since the turn before, of which it knows nothing after a resume."""

    def begin(self) -> None:
        self.previous: float | None = None

    def act(self, update: int, value: float) -> None:
        if self.previous is not None:
            self.writer.add_scalar("step", value - self.previous)
        self.previous = value


@innocent(AS_IF)
class ShowsAWindowOfTenTurns(ActsAtTurns):
    """Shows the mean of its last ten values: more than a short run has."""

    def begin(self) -> None:
        self.window: deque[float] = deque(maxlen=10)

    def act(self, update: int, value: float) -> None:
        self.window.append(value)
        self.writer.add_scalar("smooth", sum(self.window) / len(self.window))


@innocent(AS_IF)
class SavesTheBuffersOfItsMean(LosesTheBuffersOfItsMean):
    """Has its mean in a module, and saves its buffers."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.mean.state_dict().items()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.mean.load_state_dict(state_dict)


@innocent(AS_IF)
class LogsSamplesByTheUpdate(ActsAtTurns):
    """Logs and tracks sampled numbers from a generator that it makes anew, from the update."""

    def act(self, update: int, value: float) -> None:
        sample = random.Random(update).sample(range(100), 3)
        self.writer.add_nonscalar(f"{self.checkpoint_key}/sample", sample)
        self.tracker.log({"drawn": sample})


@innocent(FILES)
class WritesFilesAndRefusesToGoOn(ActsAtTurns):
    """Writes files, and says clearly that it cannot be resumed."""

    def act(self, update: int, value: float) -> None:
        self.file(f"_{update}.json").write_text(json.dumps({"mse": value}))

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        raise RuntimeError("A profile cannot be resumed: start a new run, or remove the callback.")
