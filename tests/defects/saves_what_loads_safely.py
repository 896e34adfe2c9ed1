"""Callbacks around `saves-what-loads-safely`."""

from __future__ import annotations

import copy
import random
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "saves-what-loads-safely"


@guilty(CHECK)
class SavesANumpyFloat(PeriodicCallback):
    """Saves what NumPy answers: a scalar that saves well and does not load.

    See https://github.com/nerfstudio-project/nerfstudio/pull/3702 (B055) and
    https://github.com/huggingface/sentence-transformers/issues/3250 (B060).
    """

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []
        self.best = float("inf")

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.losses:
            self.best = np.minimum(self.best, np.mean(self.losses))
            self.losses.clear()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@guilty(CHECK)
class SavesAPath(PeriodicCallback):
    """Saves where its best checkpoint lies, as a path object."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best_file = Path("best.th")

    def state_dict(self) -> dict[str, Any]:
        return {"best_file": self.best_file}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_file = state_dict["best_file"]


@guilty(CHECK)
class SavesADeque(PeriodicCallback):
    """Saves its window as it is kept."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.window: deque[float] = deque(maxlen=3)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())

    def state_dict(self) -> dict[str, Any]:
        return {"window": self.window.copy()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.window = state_dict["window"].copy()


@guilty(CHECK)
class SavesADefaultDict(PeriodicCallback):
    """Saves its sums as a mapping with a default."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sums: defaultdict[str, float] = defaultdict(float)

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        for key, loss in losses.items():
            self.sums[key] += loss.item()

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self.sums.copy()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.sums = state_dict["sums"].copy()


class SmootherConfig(CallBackBaseConfig):
    """Config of a smoother."""

    decay: float = 0.9


@guilty(CHECK)
class SavesItsConfig(PeriodicCallback):
    """Saves its config object beside its values.

    See https://github.com/meta-pytorch/torchtune/issues/1142 (B056).
    """

    def __init__(self, callback_config: SmootherConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.config = callback_config

    def state_dict(self) -> dict[str, Any]:
        return {"config": self.config}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.config = state_dict["config"]


@guilty(CHECK)
class SavesTheIteration(PeriodicCallback):
    """Saves when it found its best value, as the counter's own object."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best_at: Any = None

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.best_at = update_counter.cur_iteration.copy()

    def state_dict(self) -> dict[str, Any]:
        return {"best_at": self.best_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_at = state_dict["best_at"]


@guilty(CHECK)
class SavesAWholeModule(CallbackBase):
    """Saves a module instead of its weights."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probe = nn.Linear(2, 1)

    def state_dict(self) -> dict[str, Any]:
        return {"probe": self.probe}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.probe = state_dict["probe"]


@guilty(CHECK)
class SavesItsRule(CallbackBase):
    """Saves a function, which cannot even be written.

    See https://github.com/Lightning-AI/pytorch-lightning/pull/849 (B051).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_better = lambda value, best: value < best

    def state_dict(self) -> dict[str, Any]:
        return {"is_better": self.is_better}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.is_better = state_dict["is_better"]


class Direction(Enum):
    """In which direction a metric improves."""

    UP = "up"
    DOWN = "down"


@guilty(CHECK)
class SavesAnEnum(CallbackBase):
    """Saves a member of its own enumeration."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.direction = Direction.DOWN

    def state_dict(self) -> dict[str, Any]:
        return {"direction": self.direction}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.direction = state_dict["direction"]


@innocent(CHECK, "round-trips-its-state")
class SavesPlainNumbers(PeriodicCallback):
    """Computes with NumPy, and saves a plain number."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.losses: list[float] = []
        self.best = float("inf")

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.losses.append(losses["total"].item())

    def periodic_callback(self, **_: Any) -> None:
        if self.losses:
            self.best = float(np.minimum(self.best, np.mean(self.losses)))
            self.losses.clear()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]


@innocent(CHECK, "round-trips-its-state")
class SavesWhatItKeepsInPlainForm(PeriodicCallback):
    """Keeps paths, times, windows and sums, and saves their plain forms."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.best_file = Path("best.th")
        self.made_at = datetime(2026, 1, 1, tzinfo=UTC)
        self.window: deque[float] = deque(maxlen=3)
        self.sums: defaultdict[str, float] = defaultdict(float)
        self.direction = Direction.DOWN

    def track_after_accumulation_step(self, *, losses: dict[str, torch.Tensor], **_: Any) -> None:
        self.window.append(losses["total"].item())
        self.sums["total"] += losses["total"].item()

    def state_dict(self) -> dict[str, Any]:
        return {
            "best_file": str(self.best_file),
            "made_at": self.made_at.isoformat(),
            "window": list(self.window),
            "sums": dict(self.sums),
            "direction": self.direction.value,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_file = Path(state_dict["best_file"])
        self.made_at = datetime.fromisoformat(state_dict["made_at"])
        self.window = deque(state_dict["window"], maxlen=3)
        self.sums = defaultdict(float, state_dict["sums"])
        self.direction = Direction(state_dict["direction"])


@innocent(CHECK, "round-trips-its-state")
class SavesEverythingThatLoads(CallbackBase):
    """Saves values of many types, all of which load at the defaults."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values: dict[str, Any] = {
            "text": "best",
            "bytes": b"\x00",
            "none": None,
            "flag": True,
            "complex": 1 + 2j,
            "tuple": (1, (2.5, "three")),
            "set": {1, 2},
            "empty": {"list": [], "tensor": torch.zeros(0)},
            "ordered": OrderedDict(first=1),
            "counted": Counter(a=2),
            "dtype": torch.bfloat16,
            "shape": torch.Size([2, 3]),
            "device": torch.device("cpu"),
            "parameter": nn.Parameter(torch.ones(2)),
            "half": torch.ones(2, dtype=torch.bfloat16),
            "scalar": torch.tensor(3),
            "mask": torch.tensor([True, False]),
            "view": torch.arange(6.0).view(2, 3).t(),
        }

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self.values)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.values = dict(state_dict)


@innocent(CHECK, "round-trips-its-state")
class SavesItsGenerators(PeriodicCallback):
    """Draws from generators of its own, and saves where they stand."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.generator = torch.Generator().manual_seed(1)
        self.random = random.Random(1)

    def periodic_callback(self, **_: Any) -> None:
        torch.rand(2, generator=self.generator)
        self.random.random()

    def state_dict(self) -> dict[str, Any]:
        return {"torch": self.generator.get_state(), "python": self.random.getstate()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.generator.set_state(state_dict["torch"])
        self.random.setstate(state_dict["python"])


@innocent(CHECK, "round-trips-its-state")
class SavesTheWeightsOfItsModule(CallbackBase):
    """Has a small module of its own, and saves its weights."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probe = nn.BatchNorm1d(2)

    def state_dict(self) -> dict[str, Any]:
        return {"probe": {name: value.clone() for name, value in self.probe.state_dict().items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.probe.load_state_dict(state_dict["probe"])
