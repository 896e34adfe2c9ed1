"""Callbacks that are built on the framework meet its own classes on the fakes, too."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from noether_testkit import check_callback
from noether_testkit.core.utils.training import TrainingIteration

pytest.importorskip("noether.core")

CALLBACKS: Any = importlib.import_module("noether.core.callbacks")
ORDINALITY: Any = importlib.import_module("noether.core.providers.metric_property").Ordinality
TRAINING: Any = importlib.import_module("noether.core.utils.training")


class ComparesDirections(CALLBACKS.PeriodicCallback):  # type: ignore[misc,name-defined]  # the framework is not typed here
    def before_training(self, *, update_counter: Any) -> None:
        directions = self.metric_property_provider
        directions.register_pattern("zz/f1", ORDINALITY.HIGHER_IS_BETTER)
        directions.register_pattern("zz/w", ORDINALITY.NEUTRAL)
        told = [directions.get_ordinality(key) for key in ("loss/x", "optim/lr", "zz/f1", "zz/w")]
        if told != [ORDINALITY.LOWER_IS_BETTER, ORDINALITY.NEUTRAL, ORDINALITY.HIGHER_IS_BETTER, ORDINALITY.NEUTRAL]:
            raise ValueError(told)
        if not (directions.higher_is_better("zz/f1") and directions.is_neutral_key("zz/w")):
            raise ValueError("The directions that were registered are not known.")


class ComparesIterations(CALLBACKS.PeriodicCallback):  # type: ignore[misc,name-defined]  # the framework is not typed here
    def periodic_callback(self, *, interval_type: Any, update_counter: Any, **_: Any) -> None:
        now = update_counter.cur_iteration
        same = TRAINING.TrainingIteration(now.epoch, now.update, now.sample)
        if not (isinstance(now, TRAINING.TrainingIteration) and isinstance(update_counter, TRAINING.UpdateCounter)):
            raise TypeError(f"{type(now)} and {type(update_counter)} are not the framework's.")
        if not (now == same and same == now and now <= same <= now and hash(now) == hash(same)):
            raise ValueError(f"{now} is not equal to {same}.")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("framework", ["fakes", "noether"], ids=["on the fakes", "on the framework"])
@pytest.mark.parametrize("callback", [ComparesDirections, ComparesIterations])
def test_a_callback_compares_with_the_frameworks_classes(callback: type, framework: str) -> None:
    """Directions, counter and points are those that it imports, wherever it is judged."""
    report = check_callback(callback, framework=framework)
    assert report.ok, str(report)


def test_points_of_both_are_compared_by_their_numbers() -> None:
    """From either side."""
    theirs, mine = TRAINING.TrainingIteration(1, 4, 8), TrainingIteration(1, 4, 8)
    assert theirs == mine
    assert mine == theirs
    assert hash(mine) == hash(theirs)
    assert mine <= theirs <= mine
    assert mine - theirs == TRAINING.TrainingIteration(0, 0, 0)
    assert mine != TRAINING.TrainingIteration(update=4)
    assert theirs != TrainingIteration(1, 4, 9)
