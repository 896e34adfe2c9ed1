"""The default problem is one and the same in both harnesses, bit for bit. Needs the framework: scripts/test-noether."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("noether", reason="the framework is not installed", exc_type=ImportError)

from noether_testkit import Subject, TrainingPlan
from noether_testkit.adapters.framework import VERIFIED_RELEASE, installed_release
from noether_testkit.adapters.framework_classes import natives
from noether_testkit.adapters.noether import FrameworkRig
from noether_testkit.contract.fake_harness import FakeRig
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.fakes.natives import KIT, Natives

PLANS = [
    TrainingPlan(epochs=2),
    TrainingPlan(epochs=2, accumulation_steps=2),
    TrainingPlan(updates=5, dataset_size=7, batch_size=3, seed=3),
]


class RandomNetwork(torch.nn.Module):
    """A network with weights from the global generator, beside data sets from the same."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.layer(torch.nn.functional.dropout(x, 0.3, self.training))}


def random_data() -> dict[str, dict[str, torch.Tensor]]:
    return {"train": {"x": torch.randn(8, 4), "y": torch.randn(8, 1)}}


def trained(rig: Callable[..., Any], subject: Subject, plan: TrainingPlan, folder: Path, **options: Any) -> Any:
    """Returns the model after a run."""
    folder.mkdir()
    ready = rig(subject, plan, folder=folder, around=lambda _: nullcontext(), on_use=lambda *_: None, **options)
    ready.run([])
    return ready.model


def test_the_installed_release_is_the_verified_one() -> None:
    """What these tests say, they say of this release."""
    assert installed_release() == VERIFIED_RELEASE


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("plan", PLANS, ids=["epochs", "accumulation", "updates"])
@pytest.mark.parametrize("classes", [lambda: KIT, natives], ids=["fake model", "model of the framework"])
@pytest.mark.parametrize(
    "subject",
    [Subject(CallbackBase), Subject(CallbackBase, model=RandomNetwork, datasets=random_data)],
    ids=["default", "own model and data"],
)
def test_weights_and_optimiser_are_equal_after_training(
    subject: Subject, classes: Callable[[], Natives], plan: TrainingPlan, tmp_path: Path
) -> None:
    """Same model, data, order, dropout and optimiser: not a bit differs, with either model on the fakes."""
    theirs = trained(FrameworkRig, subject, plan, tmp_path / "noether")
    mine = trained(FakeRig, subject, plan, tmp_path / "fakes", natives=classes())
    assert words(mine.state_dict()) == words(theirs.state_dict())
    assert words(mine.optimizer.state_dict()) == words(theirs.optimizer.state_dict())


def words(value: Any) -> str:
    """Returns all of a nested value, with every digit of its tensors."""
    if isinstance(value, dict):
        return str({key: words(item) for key, item in value.items()})
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {value.tolist()}"
    return f"{type(value).__name__} {value}"
