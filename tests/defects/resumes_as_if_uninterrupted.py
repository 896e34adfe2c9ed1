"""Callbacks around `resumes-as-if-uninterrupted`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import EarlyStopIteration, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "resumes-as-if-uninterrupted"


def small(model: nn.Module) -> dict[str, torch.Tensor]:
    """Returns copies of a few small parameters of a model."""
    return {name: value.detach().clone() for name, value in model.named_parameters() if name.endswith("bias")}


@guilty(CHECK)
class LosesItsPatience(PeriodicCallback):
    """Saves its best value, and starts to wait anew at each resume.

    See https://github.com/huggingface/transformers/issues/28544 (B001).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)
        self.writer.add_scalar("waited", self.waited)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class LosesItsBest(PeriodicCallback):
    """Takes the first value after a resume for the best one.

    See https://github.com/skorch-dev/skorch/issues/267 (B011).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if interval_type != "eval" and value < self.best:
            self.best = value
            self.tracker.set_summary(f"{self.checkpoint_key}/best_update", update_counter.update)
        self.writer.add_scalar("best/mse", self.best)


@guilty(CHECK)
class NotesAForgottenBest(PeriodicCallback):
    """Notes its best value in a small file, which starts afresh in each session."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])
        file = self.trainer.path_provider.run_output_path / f"best_{self.name}.txt"
        file.write_text(f"{self.best}\n", encoding="utf-8")


@guilty(CHECK)
class StopsByAFreshPatience(PeriodicCallback):
    """Stops after two values in a row that were no better, of which a resume forgets the first.

    See https://github.com/huggingface/transformers/issues/10290 (B002).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)
        if self.waited >= 2 and interval_type != "eval":
            raise EarlyStopIteration


@guilty(CHECK)
class RestoresEpochsAsUpdates(PeriodicCallback):
    """Notes the epoch of its last turn for its state, and takes it for an update when it is loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last_update = 0
        self.last_epoch = 0

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("updates_since", update_counter.update - self.last_update)
        self.last_update = update_counter.update
        self.last_epoch = update_counter.epoch

    def state_dict(self) -> dict[str, int]:
        return {"last": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.last_epoch = state_dict["last"]
        self.last_update = state_dict["last"]


@guilty(CHECK)
class SavesItsWindowWithoutItsFill(PeriodicCallback):
    """Saves the last eight values, and not how many of them have been filled in."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.values = [0.0] * 8
        self.filled = 0

    def periodic_callback(self, **_: Any) -> None:
        self.values[self.filled % 8] = self.writer.log_cache["mse"]
        self.filled += 1
        self.writer.add_scalar("mean", sum(self.values) / min(self.filled, 8))

    def state_dict(self) -> dict[str, list[float]]:
        return {"values": list(self.values)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.values = list(state_dict["values"])


@guilty(CHECK)
class SamplesWithAFreshGenerator(PeriodicCallback):
    """Draws the same samples again after each resume: its generator of torch starts at its seed."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.generator = torch.Generator().manual_seed(17)

    def periodic_callback(self, **_: Any) -> None:
        sample = torch.randint(10_000, (1,), generator=self.generator)
        self.writer.add_scalar("drawn", sample.item())


@guilty(CHECK)
class SamplesWithAFreshNumpyGenerator(PeriodicCallback):
    """Draws the same samples again after each resume: its generator of NumPy starts at its seed."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.random = np.random.default_rng(17)

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("drawn", int(self.random.integers(10_000)))


@guilty(CHECK)
class AveragesInMemoryOnly(PeriodicCallback):
    """Averages weights that stand in no state and in no file that it reads.

    See https://github.com/ai2cm/ace/issues/349 (B006) and https://github.com/Vchitect/Latte/issues/55 (B007).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average: dict[str, torch.Tensor] = {}

    def track_after_update_step(self, **_: Any) -> None:
        weights = small(self.model)
        if not self.average:
            self.average = weights
        for name, value in weights.items():
            self.average[name].lerp_(value, 0.1)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag="last", state_dict=self.average
        )


@guilty(CHECK)
class WarmsUpItsDecayAnew(PeriodicCallback):
    """Saves the average, and not the count from which its decay is worked out.

    See https://github.com/lightly-ai/lightly-train/pull/892 (B132).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.average = 0.0
        self.updates = 0

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        decay = min(0.99, (1 + self.updates) / (10 + self.updates))
        self.average += (1 - decay) * (losses["total"].item() - self.average)
        self.updates += 1

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("loss/average", self.average)

    def state_dict(self) -> dict[str, float]:
        return {"average": self.average}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.average = state_dict["average"]


@guilty(CHECK, declares={"writes-optimizer"})
class LowersARateThatComesBack(PeriodicCallback):
    """Halves the learning rate at each turn; a resume brings back the first one, which it does not lower again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.turns = 0

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1
        for group in self.model.optimizer.torch_optim.param_groups:
            group["lr"] *= 0.5

    def state_dict(self) -> dict[str, int]:
        return {"turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.turns = state_dict["turns"]


@guilty(CHECK)
class ForgetsItsCooldown(PeriodicCallback):
    """Saves how long it has waited, and not how long it still has to keep still."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.alarms = 0
        self.cooldown = 0

    def periodic_callback(self, **_: Any) -> None:
        if self.cooldown:
            self.cooldown -= 1
        else:
            self.alarms += 1
            self.cooldown = 2
        self.writer.add_scalar("alarms", self.alarms)

    def state_dict(self) -> dict[str, int]:
        return {"alarms": self.alarms}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.alarms = state_dict["alarms"]


@guilty(CHECK)
class LosesItsHistory(PeriodicCallback):
    """Keeps all values of the run in a list, and has those of the last session only."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])
        self.writer.add_scalar("mse/mean_of_run", sum(self.history) / len(self.history))


@guilty(CHECK)
class MarksTheFirstFileAsBest(PeriodicCallback):
    """Writes the file of the best weights at the first value after a resume, a worse one as well.

    See https://github.com/roboflow/rf-detr/pull/1318 (B005).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if value < self.best and interval_type != "eval":
            self.best = value
            self.checkpoint_writer.save_model_checkpoint(
                model_name=self.checkpoint_key, checkpoint_tag="latest", state_dict=small(self.model)
            )


@innocent(CHECK)
class SavesItsPatience(PeriodicCallback):
    """Saves its best value, and how long it has waited for a better one."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.waited = 0

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.waited = 0 if value < self.best else self.waited + 1
        self.best = min(self.best, value)
        self.writer.add_scalar("waited", self.waited)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
        self.waited = state_dict["waited"]


@innocent(CHECK)
class NotesTheBestThatItSaves(PeriodicCallback):
    """Notes its best value in a small file, and keeps it over sessions."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])
        file = self.trainer.path_provider.run_output_path / f"best_{self.name}.txt"
        file.write_text(f"{self.best}\n", encoding="utf-8")

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class SavesItsGenerator(PeriodicCallback):
    """Saves the state of its generator, and draws on where it was."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.generator = torch.Generator().manual_seed(17)

    def periodic_callback(self, **_: Any) -> None:
        sample = torch.randint(10_000, (1,), generator=self.generator)
        self.writer.add_scalar("drawn", sample.item())

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, torch.Tensor]) -> None:
        self.generator.set_state(state_dict["generator"].cpu().to(torch.uint8))


@innocent(CHECK)
class SeedsByTheUpdate(PeriodicCallback):
    """Makes its generator anew at each turn, from the update: there is nothing to save."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        generator = torch.Generator().manual_seed(update_counter.update)
        sample = torch.randint(10_000, (1,), generator=generator)
        self.writer.add_scalar("drawn", sample.item())


@innocent(CHECK, declares={"writes-optimizer"})
class AppliesItsRateAgain(PeriodicCallback):
    """Saves the learning rates, and sets them again when training starts."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rates: list[float] = []

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        for group, rate in zip(self.model.optimizer.torch_optim.param_groups, self.rates, strict=False):
            group["lr"] = rate

    def periodic_callback(self, **_: Any) -> None:
        groups = self.model.optimizer.torch_optim.param_groups
        for group in groups:
            group["lr"] *= 0.5
        self.rates = [group["lr"] for group in groups]

    def state_dict(self) -> dict[str, list[float]]:
        return {"rates": list(self.rates)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.rates = list(state_dict["rates"])


@innocent(CHECK)
class AveragesItsInterval(PeriodicCallback):
    """Gathers between two turns and starts anew at each of them; the end of an interval is the end of its window."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("loss/interval", sum(self.losses) / max(1, len(self.losses)))
        self.losses = []


@innocent(CHECK)
class ShowsItsLastValues(PeriodicCallback):
    """Shows the mean of the last three values; after a resume its window fills up again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.values: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.values = [*self.values, self.writer.log_cache["mse"]][-3:]
        self.writer.add_scalar("mse/smooth", sum(self.values) / len(self.values))


@innocent(CHECK)
class ResetsUnlessItWasLoaded(PeriodicCallback):
    """Sets its start value when training starts, where no state was loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")
        self.is_loaded = False

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.is_loaded:
            self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])
        self.writer.add_scalar("mse/best", self.best)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
        self.is_loaded = True


@innocent(CHECK)
class LogsTheTimeOfItsTurns(PeriodicCallback):
    """Logs how long an interval took, by a clock that starts with the session."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.began_s = 0.0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_s = time.perf_counter()

    def periodic_callback(self, **_: Any) -> None:
        now = time.perf_counter()
        self.writer.add_scalar("interval_s", now - self.began_s)
        self.began_s = now


@innocent(CHECK)
class CachesWhatItReads(PeriodicCallback):
    """Keeps the number of weights once it has counted them."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.cache: dict[str, int] = {}

    def periodic_callback(self, **_: Any) -> None:
        if "weights" not in self.cache:
            self.cache["weights"] = sum(value.numel() for value in self.model.parameters())
        self.writer.add_scalar("weights", self.cache["weights"])


@innocent(CHECK)
class CountsItsSessions(PeriodicCallback):
    """Counts in its state how often the run was started, which a run that was never stopped does once."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sessions = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.sessions += 1

    def state_dict(self) -> dict[str, int]:
        return {"sessions": self.sessions}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.sessions = state_dict["sessions"]


@innocent(CHECK)
class RefusesToGoOn(PeriodicCallback):
    """Says clearly that it cannot go on with a run that was stopped."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.first: float | None = None

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update:
            raise RuntimeError("The first value of this run is not known any more: start it anew.")

    def periodic_callback(self, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.first = value if self.first is None else self.first
        self.writer.add_scalar("mse/gain", self.first - value)


@innocent(CHECK)
class StopsByTheCounter(PeriodicCallback):
    """Ends the run at an update, which the counter of a resumed run tells as well."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval" and update_counter.update >= 6:
            raise EarlyStopIteration


@innocent(CHECK)
class TidiesUpItsOldFiles(PeriodicCallback):
    """Deletes its file of the turn before, and never one of another run."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.last = ""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        old, self.last = self.last, str(update_counter.cur_iteration)
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag=self.last, state_dict=small(self.model)
        )
        if old:
            folder = self.checkpoint_writer.path_provider.checkpoint_path
            (folder / f"{self.checkpoint_key}_cp={old}_model.th").unlink(missing_ok=True)


@innocent(CHECK)
class SummarisesItsBest(PeriodicCallback):
    """Puts its best value into the summary when it gets better, which may have been before the resume."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        if interval_type != "eval" and value < self.best:
            self.best = value
            self.tracker.set_summary(f"{self.checkpoint_key}/best_update", update_counter.update)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]
