"""Callbacks around `leaves-grad-mode-alone`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "leaves-grad-mode-alone"


@guilty(CHECK)
class SwitchesRecordingOnAfterItsWork(PeriodicCallback):
    """Switches recording off for its work and on afterwards, though it was off when the hook was called."""

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        torch.set_grad_enabled(False)
        self.norm = torch.stack([weight.norm() for weight in self.model.parameters()]).norm().item()
        torch.set_grad_enabled(True)


@guilty(CHECK)
class SwitchesRecordingOffForGood(PeriodicCallback):
    """Uses the global setter for an evaluation and never sets it back.

    See https://github.com/deepinv/deepinv/issues/166 (B172).
    """

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        torch.set_grad_enabled(False)
        self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())


@guilty(CHECK)
class SwitchesRecordingOffWhenBuilt(CallbackBase):
    """Switches recording off for the whole process in the constructor: nothing trains any more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        torch.set_grad_enabled(False)


@guilty(CHECK)
class ForgetsTheSwitchAfterAnError(PeriodicCallback):
    """Sets recording back, but not where the log writer has raised in between."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())
        torch.set_grad_enabled(before)


@contextmanager
def half_precision() -> Iterator[None]:
    """Switches autocast on for a block; without `finally` it stays on where the block raises."""
    torch.set_autocast_enabled("cpu", True)
    yield
    torch.set_autocast_enabled("cpu", False)


@guilty(CHECK)
class LeavesAutocastOnAfterAnError(PeriodicCallback):
    """Works in half precision inside a context manager that an exception never comes back through."""

    def periodic_callback(self, **_: Any) -> None:
        with half_precision():
            self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].float().mean())


@guilty(CHECK)
class EntersInferenceModeForTheRun(CallbackBase):
    """Enters inference mode at the start and leaves it at the end, with the training in between."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.guard = torch.inference_mode()
        self.guard.__enter__()

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.guard.__exit__(None, None, None)


@guilty(CHECK)
class TurnsHalfPrecisionOn(CallbackBase):
    """Turns autocast on at the start, to make training faster."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        torch.set_autocast_enabled("cpu", True)


@innocent(CHECK)
class SetsTheSwitchBackByHand(PeriodicCallback):
    """Remembers the switch and sets it back, also where its work raises."""

    def at_eval(self, update_counter: UpdateCounter, **_: Any) -> None:
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        try:
            self.writer.add_scalar("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean())
        finally:
            torch.set_grad_enabled(before)


@innocent(CHECK)
class WorksUnderAutocast(PeriodicCallback):
    """Works in half precision inside torch's own context manager."""

    def periodic_callback(self, **_: Any) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = self.model(x=torch.zeros(2, 4))["y"]
        self.writer.add_scalar("output/at_zero", output.float().mean())


@innocent(CHECK)
class StacksItsContexts(PeriodicCallback):
    """Enters several contexts with a stack, which leaves them in any case."""

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.inference_mode())
            self.tracker.set_summary("output/at_zero", self.model(x=torch.zeros(2, 4))["y"].mean().item())


@innocent(CHECK)
class SwitchesRecordingInSmallBlocks(PeriodicCallback):
    """Switches recording on and off in blocks, in the tracking hooks and where an exception is caught."""

    def track_after_update_step(self, *, update_counter: UpdateCounter, times: dict[str, float]) -> None:
        with torch.enable_grad(), torch.set_grad_enabled(False):
            self.norm = torch.stack([weight.norm() for weight in self.model.parameters()]).norm().item()
        try:
            with torch.enable_grad():
                self.trend = 1.0 / (update_counter.update - 1)
        except ZeroDivisionError:
            self.trend = 0.0
