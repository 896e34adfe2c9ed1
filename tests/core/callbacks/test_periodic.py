"""Promises of callbacks that act at intervals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter

SEVEN = (
    "trainer",
    "model",
    "data_container",
    "tracker",
    "log_writer",
    "checkpoint_writer",
    "metric_property_provider",
)


class Acts(PeriodicCallback):
    """Writes down when it acts."""

    def __init__(self, name: str | None = None, **config: Any) -> None:
        super().__init__(CallBackBaseConfig(**config), **dict.fromkeys(SEVEN), name=name)
        self.acts: list[tuple[str, int]] = []
        self.recording: set[bool] = set()

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **extra: Any) -> None:  # type: ignore[override]
        self.acts.append((interval_type, update_counter.update))
        self.recording.add(torch.is_grad_enabled())
        self.extra = extra


class Idle(PeriodicCallback):
    """Overrides nothing."""


def counter(updates_per_epoch: int = 4, batch_size: int = 2) -> UpdateCounter:
    return UpdateCounter(TrainingIteration(0, 0, 0), TrainingIteration(epoch=9), updates_per_epoch, batch_size)


def drive(callback: PeriodicCallback, updates: int = 8, batch_size: int = 2) -> None:
    """Calls the hooks of that many updates, at four updates an epoch."""
    progress = counter(batch_size=batch_size)
    for _ in range(updates):
        progress.add_samples(batch_size)
        progress.next_update()
        if progress.is_full_epoch:
            progress.next_epoch()
        callback.after_update(update_counter=progress)
        if progress.is_full_epoch:
            callback.after_epoch(update_counter=progress)


def updates_of(callback: Acts) -> list[int]:
    return [update for _, update in callback.acts]


def test_intervals_come_from_the_config() -> None:
    """The config itself is not kept."""
    callback = Acts(every_n_samples=4, batch_size=3)
    kept = {name: value for name, value in vars(callback).items() if name in ("every_n_epochs", "every_n_updates")}
    assert kept == {"every_n_epochs": None, "every_n_updates": None}
    assert (callback.every_n_samples, callback.batch_size) == (4, 3)
    assert not any(isinstance(value, CallBackBaseConfig) for value in vars(callback).values())


@pytest.mark.parametrize(
    ("name", "id_", "key"), [(None, None, "Acts"), ("n", None, "n"), ("n", "i", "i"), ("n", "", "n")]
)
def test_the_config_s_id_wins_over_the_name(name: str | None, id_: str | None, key: str) -> None:
    """An empty id counts as none."""
    assert Acts(name, id=id_, every_n_updates=1).checkpoint_key == key


@pytest.mark.parametrize(
    ("config", "acts"),
    [
        ({"every_n_updates": 3}, [("update", 3), ("update", 6)]),
        ({"every_n_updates": 1}, [("update", update) for update in range(1, 9)]),
        ({"every_n_epochs": 1}, [("epoch", 4), ("epoch", 8)]),
        ({"every_n_epochs": 2}, [("epoch", 8)]),
        ({"every_n_samples": 3, "batch_size": 2}, [("sample", update) for update in (2, 3, 5, 6, 8)]),
        ({"every_n_samples": 5, "batch_size": 2}, [("sample", update) for update in (3, 5, 8)]),
        ({"every_n_samples": 7, "batch_size": 2}, [("sample", 4), ("sample", 7)]),
        ({"every_n_samples": 1, "batch_size": 2}, [("sample", update) for update in range(1, 9)]),
        ({"every_n_updates": 9}, []),
    ],
    ids=str,
)
def test_an_interval_is_due_when_it_is_crossed(config: dict[str, int], acts: list[tuple[str, int]]) -> None:
    """Each interval once an update at most, however many samples an update has."""
    callback = Acts(**config)
    drive(callback)
    assert callback.acts == acts


def test_samples_are_counted_by_the_effective_batch_size() -> None:
    """Four samples are crossed at 6, 9 and 12 of threes."""
    callback = Acts(every_n_samples=4, batch_size=1)
    drive(callback, updates=4, batch_size=3)
    assert updates_of(callback) == [2, 3, 4]


def test_several_intervals_are_due_in_turn() -> None:
    """Two units, set by hand, act both: update first, then sample, the epoch in its own round."""
    callback = Acts(every_n_updates=4)
    callback.every_n_samples = 8
    callback.every_n_epochs = 1
    drive(callback, updates=4)
    assert callback.acts == [("update", 4), ("sample", 4), ("epoch", 4)]


def test_a_callback_without_an_interval_never_acts() -> None:
    """There is nothing to cross."""
    callback = Acts(every_n_updates=1)
    callback.every_n_updates = None
    drive(callback)
    assert callback.acts == []


def test_acting_records_no_gradients() -> None:
    """Whoever calls the hooks; recording is as it was behind them."""
    callback = Acts(every_n_updates=1)
    drive(callback)
    callback.at_eval(counter())
    assert callback.recording == {False}
    assert torch.is_grad_enabled()


def test_recording_that_a_callback_switches_on_ends_with_its_turn() -> None:
    """A leak in `periodic_callback` is caught by the base class."""

    class Leaks(Acts):
        def periodic_callback(self, **_: Any) -> None:  # type: ignore[override]
            torch.set_grad_enabled(True)

    with torch.no_grad():
        drive(Leaks(every_n_updates=1))
        assert not torch.is_grad_enabled()


def test_further_arguments_are_handed_on() -> None:
    """In all three hooks, by keyword."""
    callback = Acts(every_n_updates=1)
    callback.every_n_epochs = 1
    progress = counter()
    for hook in (callback.after_update, callback.after_epoch, callback.at_eval):
        hook(progress, batch_size=3)
        assert callback.extra == {"batch_size": 3}
    assert [interval for interval, _ in callback.acts] == ["update", "epoch", "eval"]


def test_evaluation_acts_whatever_the_interval() -> None:
    """Once, with its own interval type."""
    callback = Acts(every_n_epochs=7)
    callback.at_eval(counter())
    assert callback.acts == [("eval", 0)]


def test_an_override_on_the_instance_is_not_called_after_updates() -> None:
    """The class is what is looked at there, and only there."""
    callback = Idle(CallBackBaseConfig(every_n_updates=1), **dict.fromkeys(SEVEN))
    callback.every_n_epochs = 1
    seen: list[str] = []
    callback.periodic_callback = lambda *, interval_type, **_: seen.append(interval_type)  # type: ignore[method-assign]
    drive(callback, updates=4)
    callback.at_eval(counter())
    assert seen == ["epoch", "eval"]


@pytest.mark.parametrize(
    ("config", "updates"),
    [
        ({"every_n_epochs": 2}, 8),
        ({"every_n_updates": 3}, 3),
        ({"every_n_samples": 6, "batch_size": 2}, 3),
    ],
)
def test_an_interval_is_a_number_of_updates(config: dict[str, int], updates: int) -> None:
    """Until it is due next a whole interval remains where it is due now."""
    callback = Acts(**config)
    progress = counter()
    assert callback.updates_per_interval(progress) == updates
    remaining = []
    for _ in range(updates):
        remaining.append(callback.updates_till_next_invocation(progress))
        progress.next_update()
    assert remaining == list(range(updates, 0, -1))
    assert callback.updates_till_next_invocation(progress) == updates


def test_an_interval_that_is_no_number_of_updates_is_refused() -> None:
    """Samples that do not fill updates, several units, and none."""
    callback = Acts(every_n_samples=3, batch_size=2)
    with pytest.raises(AssertionError, match="every_n_samples=3 is no whole number of updates of 2 samples"):
        callback.updates_per_interval(counter())
    callback.every_n_updates = 1
    with pytest.raises(AssertionError, match="more than one interval"):
        callback.updates_per_interval(counter())
    callback.every_n_samples = callback.every_n_updates = None
    with pytest.raises(RuntimeError, match="no interval"):
        callback.updates_till_next_invocation(counter())


@pytest.mark.parametrize(
    ("config", "verbose", "short"),
    [
        ({"every_n_epochs": 1}, "every_n_epochs=1", "E1"),
        ({"every_n_updates": 3}, "every_n_updates=3", "U3"),
        ({"every_n_samples": 4, "batch_size": 2}, "every_n_samples=4", "S4"),
    ],
)
def test_a_callback_tells_its_interval(config: dict[str, int], verbose: str, short: str) -> None:
    """In its text, as its logger's name, and in short; never its name."""
    callback = Acts("name", **config)
    assert callback.get_interval_string_verbose() == verbose
    assert callback.to_short_interval_string() == short
    assert str(callback) == repr(callback) == callback.logger.name == f"Acts({verbose})"


def test_intervals_set_by_hand_are_told_too() -> None:
    """Several in the order epoch, update, sample; none as nothing."""
    callback = Acts(every_n_updates=2)
    callback.every_n_epochs, callback.every_n_samples = 1, 4
    assert str(callback) == "Acts(every_n_epochs=1,every_n_updates=2,every_n_samples=4)"
    assert callback.to_short_interval_string() == "E1_U2_S4"
    callback.every_n_epochs = callback.every_n_updates = callback.every_n_samples = None
    assert (str(callback), callback.to_short_interval_string()) == ("Acts()", "")


def test_tracking_hooks_do_nothing_by_default() -> None:
    """They take exactly what the trainer gives."""
    callback = Acts(every_n_updates=1)
    step = ("update_counter", "batch", "losses", "update_outputs", "accumulation_steps", "accumulation_step")
    callback.track_after_accumulation_step(**dict.fromkeys(step))  # type: ignore[arg-type]
    callback.track_after_update_step(update_counter=counter(), times={})
    assert callback.acts == []
