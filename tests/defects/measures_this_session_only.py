"""Callbacks around `measures-this-session-only`."""

from __future__ import annotations

import time
from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "measures-this-session-only"


class TakesTheTime(PeriodicCallback):
    """Starts a clock when training starts."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.began_s = 0.0
        self.first_update = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_s = time.perf_counter()
        self.first_update = update_counter.update


@guilty(CHECK)
class DividesByAllUpdates(TakesTheTime):
    """Divides the seconds of this session by the updates of all sessions.

    See https://github.com/leggedrobotics/rsl_rl/issues/10 (B072).
    """

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            self.writer.add_scalar("update_s", (time.perf_counter() - self.began_s) / update_counter.update)


@guilty(CHECK)
class CountsUpdatesOfEarlierSessions(TakesTheTime):
    """Says that all updates of the run were made in this session.

    See https://github.com/huggingface/optimum-graphcore/pull/105 (B076).
    """

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            seconds = time.perf_counter() - self.began_s
            self.writer.add_scalar("updates_per_s", update_counter.update / seconds)


@guilty(CHECK)
class EstimatesByAllUpdates(TakesTheTime):
    """Estimates the remaining time from the seconds of this session and the updates of all sessions.

    See https://github.com/open-mmlab/mmaction2/issues/700 (B075).
    """

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            update_s = (time.perf_counter() - self.began_s) / update_counter.update
            rest = update_counter.end_iteration.update - update_counter.update
            self.writer.add_scalar("remaining_s", update_s * rest)


@guilty(CHECK)
class CountsSamplesOfEarlierSessions(PeriodicCallback):
    """Starts its clock at its first turn, and counts samples from the start of the run."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.began_ns = 0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_ns = time.monotonic_ns()

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            seconds = (time.monotonic_ns() - self.began_ns) / 1e9
            self.writer.add_scalar("samples_per_s", update_counter.sample / seconds)


@guilty(CHECK)
class CountsThePauseAsWork(PeriodicCallback):
    """Saves when the run began by the clock on the wall, and takes the time in which nothing ran for work."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.began_s = 0.0

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.began_s = self.began_s or time.time()

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            self.writer.add_scalar("updates_per_s", update_counter.update / (time.time() - self.began_s))

    def state_dict(self) -> dict[str, float]:
        return {"began_s": self.began_s}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.began_s = state_dict["began_s"]


@innocent(CHECK)
class DividesByItsOwnUpdates(TakesTheTime):
    """Divides the seconds of this session by its updates."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            updates = update_counter.update - self.first_update
            self.writer.add_scalar("update_s", (time.perf_counter() - self.began_s) / updates)


@innocent(CHECK)
class EstimatesByItsOwnUpdates(TakesTheTime):
    """Estimates the remaining time by the speed of this session."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            update_s = (time.perf_counter() - self.began_s) / (update_counter.update - self.first_update)
            rest = update_counter.end_iteration.update - update_counter.update
            self.writer.add_scalar("remaining_s", update_s * rest)


@innocent(CHECK)
class AddsUpItsSessions(TakesTheTime):
    """Saves the seconds of earlier sessions, and divides all seconds by all updates."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.earlier_s = 0.0
        self.elapsed_s = 0.0

    def track_after_update_step(self, **_: Any) -> None:
        self.elapsed_s = self.earlier_s + time.perf_counter() - self.began_s

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            self.writer.add_scalar("updates_per_s", update_counter.update / self.elapsed_s)

    def state_dict(self) -> dict[str, float]:
        return {"elapsed_s": self.elapsed_s}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.elapsed_s = self.earlier_s = state_dict["elapsed_s"]


@innocent(CHECK)
class TimesEachInterval(TakesTheTime):
    """Logs the seconds of each interval, and never looks further back."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        now_s = time.perf_counter()
        self.writer.add_scalar("interval_s", now_s - self.began_s)
        self.began_s = now_s


@innocent(CHECK)
class AveragesItsRateSlowly(TakesTheTime):
    """Smooths the time of an interval over the last ones, beginning with the first one of its session."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.smooth_s: float | None = None

    def periodic_callback(self, **_: Any) -> None:
        now_s = time.perf_counter()
        interval_s, self.began_s = now_s - self.began_s, now_s
        self.smooth_s = interval_s if self.smooth_s is None else 0.9 * self.smooth_s + 0.1 * interval_s
        self.writer.add_scalar("interval_s/smooth", self.smooth_s)


@innocent()
class LogsTheTimeOfItsSession(TakesTheTime):
    """Logs how long this session takes, in seconds that start at zero."""

    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("session_s", time.perf_counter() - self.began_s)


@innocent()
class LogsTheTimeOfAll(TakesTheTime):
    """Logs an estimate of the seconds that this session will have taken in the end."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            elapsed_s = time.perf_counter() - self.began_s
            last, now = update_counter.end_iteration.update, update_counter.update
            self.writer.add_scalar(
                "session_s/in_all", elapsed_s * (last - self.first_update) / (now - self.first_update)
            )
