"""Callbacks around `resumes-after-a-crash`."""

from __future__ import annotations

import json
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "resumes-after-a-crash"


@guilty(CHECK)
class WritesItsSumAtTheEnd(PeriodicCallback):
    """Writes its file when training ends, and not when training dies; where there is none, it starts at zero."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = torch.zeros(())

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum = self.sum + update_counter.update

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("sum", self.sum)

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag=update_counter.cur_iteration, state_dict={"sum": self.sum}
        )

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        name = f"{self.checkpoint_key}_cp={self.trainer.start_checkpoint}_model.th"
        file = resumption_paths.checkpoint_path / name
        if file.exists():
            self.sum = torch.load(file)["state_dict"]["sum"]


@guilty(CHECK)
class WritesItsHistoryAtTheEnd(PeriodicCallback):
    """Writes its history as JSON when training ends, and starts an empty one where there is no file."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.history: list[float] = []

    def periodic_callback(self, **_: Any) -> None:
        self.history.append(self.writer.log_cache["mse"])
        self.writer.add_scalar("turns", len(self.history))

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        file = self.checkpoint_writer.path_provider.run_output_path / f"{self.checkpoint_key}.json"
        file.write_text(json.dumps({str(update_counter.update): self.history}))

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        file = resumption_paths.run_output_path / f"{self.checkpoint_key}.json"
        saved = json.loads(file.read_text()) if file.exists() else {}
        self.history = saved.get(str(self.trainer.start_checkpoint.update), [])


@guilty(CHECK)
class MovesItsFileAtTheEnd(PeriodicCallback):
    """Writes to a draft at its turns, which gets its name when training ends."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type == "eval":
            return
        self.best = min(self.best, self.writer.log_cache["mse"])
        self.writer.add_scalar("mse/best", self.best)
        file = self.checkpoint_writer.path_provider.checkpoint_path / f"{self.checkpoint_key}.draft"
        file.write_text(json.dumps({"update": update_counter.update, "best": self.best}))

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        folder = self.checkpoint_writer.path_provider.checkpoint_path
        draft = folder / f"{self.checkpoint_key}.draft"
        if draft.exists():
            draft.rename(folder / f"{self.checkpoint_key}.json")

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        file = resumption_paths.checkpoint_path / f"{self.checkpoint_key}.json"
        saved = json.loads(file.read_text()) if file.exists() else {}
        if saved.get("update", 0) <= self.trainer.start_checkpoint.update:
            self.best = saved.get("best", float("inf"))


@guilty(CHECK)
class HasNoListWhenItFails(PeriodicCallback):
    """Takes its list away before it logs: where logging fails, its state cannot be told."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] | None = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        losses, self.losses = self.losses, None
        self.writer.add_scalar("loss/interval", sum(losses) / max(1, len(losses)))
        self.losses = []

    def state_dict(self) -> dict[str, list[float]]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.losses = list(state_dict["losses"])


@guilty(CHECK)
class PairsWhatDoesNotFit(PeriodicCallback):
    """Appends to one list before it logs and to the other afterwards; its state pairs the two."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates: list[int] = []
        self.values: list[float] = []

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.updates.append(update_counter.update)
        value = self.writer.log_cache["mse"]
        self.writer.add_scalar("mse/turn", value)
        self.values.append(value)

    def state_dict(self) -> dict[str, Any]:
        return {"pairs": [list(pair) for pair in zip(self.updates, self.values, strict=True)]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = [pair[0] for pair in state_dict["pairs"]]
        self.values = [pair[1] for pair in state_dict["pairs"]]


@guilty(CHECK)
class LoadsWhatItDidNotFinish(PeriodicCallback):
    """Saves a pair that does not fit after its own failure, and stumbles over it when it is loaded."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates: list[int] = []
        self.values: list[float] = []

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.updates.append(update_counter.update)
        value = self.writer.log_cache["mse"]
        self.writer.add_scalar("mse/turn", value)
        self.values.append(value)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": list(self.updates), "values": list(self.values)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pairs = list(zip(state_dict["updates"], state_dict["values"], strict=True))
        self.updates = [update for update, _ in pairs]
        self.values = [value for _, value in pairs]


@innocent(CHECK, "resumes-at-any-update")
class WritesItsSumAtEachUpdate(PeriodicCallback):
    """Writes its file at each update, and reads the one of the checkpoint."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sum = torch.zeros(())

    def track_after_update_step(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.sum = self.sum + update_counter.update
        self.checkpoint_writer.save_model_checkpoint(
            model_name=self.checkpoint_key, checkpoint_tag=update_counter.cur_iteration, state_dict={"sum": self.sum}
        )

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("sum", self.sum)

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        name = f"{self.checkpoint_key}_cp={self.trainer.start_checkpoint}_model.th"
        self.sum = torch.load(resumption_paths.checkpoint_path / name)["state_dict"]["sum"]


@innocent(CHECK)
class ReportsAtTheEnd(PeriodicCallback):
    """Writes a report when training ends, which nothing reads again."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best = float("inf")

    def periodic_callback(self, **_: Any) -> None:
        self.best = min(self.best, self.writer.log_cache["mse"])

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        folder = self.checkpoint_writer.path_provider.run_output_path
        (folder / f"{self.checkpoint_key}.json").write_text(json.dumps({"best": self.best}))

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK)
class LogsBeforeItChanges(PeriodicCallback):
    """Does first what may fail, and changes both its lists afterwards."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates: list[int] = []
        self.values: list[float] = []

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        value = self.writer.log_cache["mse"]
        self.writer.add_scalar("mse/turn", value)
        self.updates.append(update_counter.update)
        self.values.append(value)

    def state_dict(self) -> dict[str, Any]:
        return {"pairs": [list(pair) for pair in zip(self.updates, self.values, strict=True)]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = [pair[0] for pair in state_dict["pairs"]]
        self.values = [pair[1] for pair in state_dict["pairs"]]


@innocent(CHECK)
class RefusesAPairThatDoesNotFit(PeriodicCallback):
    """Says clearly that the state of a run that died in its hook is not whole."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.updates: list[int] = []
        self.values: list[float] = []

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.updates.append(update_counter.update)
        value = self.writer.log_cache["mse"]
        self.writer.add_scalar("mse/turn", value)
        self.values.append(value)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": list(self.updates), "values": list(self.values)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if len(state_dict["updates"]) != len(state_dict["values"]):
            raise ValueError("The saved lists are not of one length: take an earlier checkpoint.")
        self.updates = list(state_dict["updates"])
        self.values = list(state_dict["values"])


@innocent(CHECK)
class PutsItsListBackInTheEnd(PeriodicCallback):
    """Takes its list away while it logs, and has one again however that ends."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        losses, self.losses = self.losses, []
        self.writer.add_scalar("loss/interval", sum(losses) / max(1, len(losses)))

    def state_dict(self) -> dict[str, list[float]]:
        return {"losses": list(self.losses)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self.losses = list(state_dict["losses"])
