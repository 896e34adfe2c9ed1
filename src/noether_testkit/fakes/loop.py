"""The training loop: real steps, and the hooks of the callbacks between them, in the framework's order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from noether_testkit.fakes.batches import Batches, evaluation_batches, iterator_arguments
from noether_testkit.fakes.calling import Caller
from noether_testkit.fakes.lineage import data_iterators, is_early_stop, is_periodic, iterates
from noether_testkit.fakes.model import FakeModel

if TYPE_CHECKING:
    from noether_testkit.fakes.trainer import FakeTrainer


class TrainingLoop:
    """Drives a model and its callbacks from the first update to the last.

    Args:
        trainer: The trainer as callbacks see it.
        model: The model, initialised.
        caller: Calls the callbacks.
        batches: The batches of the run.
        accumulation_steps: Forward and backward passes in an update.
        stop_requested: Tells whether the run shall end after the current update.
    """

    def __init__(
        self,
        trainer: FakeTrainer,
        model: FakeModel,
        caller: Caller,
        batches: Batches,
        accumulation_steps: int,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.trainer = trainer
        self.model = model
        self.counter = trainer.update_counter
        self._caller = caller
        self._accumulation_steps = accumulation_steps
        self._stop_requested = stop_requested
        self._periodic = [callback for callback in trainer.callbacks if is_periodic(callback)]
        self._batch_size = self.counter.effective_batch_size // accumulation_steps
        self._batches = batches

    def run(self) -> None:
        """Trains to the end.

        Raises:
            ValueError: The model is frozen.
            StopIteration: A callback took more batches than were left.
            Exception: Whatever a callback raised.
        """
        if self.model.optimizer is None:
            raise ValueError("The model is frozen: it can be evaluated, but not trained.")
        while not self._epoch():
            pass

    def _epoch(self) -> bool:
        """Trains to the end of an epoch; returns whether the run is over."""
        steps = count()
        times: defaultdict[str, float] = defaultdict(float)
        while True:
            times.clear()
            for number in range(1, self._accumulation_steps + 1):
                self._accumulation_step(next(steps), times, is_last=number == self._accumulation_steps)
            self._count_update()
            self.model.eval()
            with torch.no_grad():
                self._caller.call_all(
                    self._periodic, "track_after_update_step", update_counter=self.counter, times=times
                )
                is_over = self._rounds()
            if is_over or self.counter.is_full_epoch:
                return is_over

    def _rounds(self) -> bool:
        """Calls the rounds after an update; returns whether the run is over."""
        full_epoch = self.counter.is_full_epoch
        if self._round("after_update", flush=not full_epoch) or self._stop_requested():
            return True
        if full_epoch and self._round("after_epoch", flush=True):
            return True
        return self.counter.is_finished

    def _count_update(self) -> None:
        self.counter.add_samples(self.counter.effective_batch_size)
        self.counter.next_update()
        if self.counter.is_full_epoch:
            self.counter.next_epoch()

    def _accumulation_step(self, step: int, times: defaultdict[str, float], *, is_last: bool) -> None:
        started = perf_counter()
        batch = self.trainer.drop_metadata(next(self._batches))
        self.model.train()
        loaded = perf_counter()
        with self.trainer.autocast_context:
            result = self.trainer.train_step(batch, model=self.model)
        forward_done = perf_counter()
        self._backward(result.total_loss, is_last=is_last)
        _add_times(
            times, data_wait=loaded - started, forward=forward_done - loaded, backward=perf_counter() - forward_done
        )
        with torch.no_grad():
            losses = {"total": result.total_loss, **result.losses_to_log}
            self._caller.call_all(
                self._periodic,
                "track_after_accumulation_step",
                update_counter=self.counter,
                batch=batch,
                losses={name: loss.detach() for name, loss in losses.items()},
                update_outputs=result.additional_outputs,
                accumulation_steps=self._accumulation_steps,
                accumulation_step=step,
            )

    def _backward(self, loss: torch.Tensor, *, is_last: bool) -> None:
        if self._accumulation_steps > 1:
            loss = loss / self._accumulation_steps
        self.trainer.grad_scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if is_last:
            self.model.optimizer_step(self.trainer.grad_scaler)
            self.model.optimizer_schedule_step()
            self.model.optimizer_zero_grad()

    def _round(self, hook: str, *, flush: bool) -> bool:
        """Calls one periodic hook on all; returns whether a callback asked to stop."""
        stop, error = self._call_in_turn(hook)
        if flush:
            self.trainer.log_writer.flush()
        if error is not None:
            self._save_after_error()
            raise error
        if stop:
            self._save("early_exit")
        return stop

    def _call_in_turn(self, hook: str) -> tuple[bool, Exception | None]:
        """Returns whether a callback asked to stop, and the first error: the others still have their turn."""
        stop, first_error = False, None
        plain = {"update_counter": self.counter}
        with_data = plain | iterator_arguments(self.model, self._batches, self._batch_size)
        for callback in self._periodic:
            try:
                self._caller.call(callback, hook, **(with_data if iterates(callback) else plain))
            except Exception as error:  # noqa: BLE001 - raised when all have had their turn
                if is_early_stop(error):
                    stop = True
                    continue
                self.trainer.logger.error("%s failed in %s: %r", callback, hook, error)  # noqa: TRY400
                first_error = error if first_error is None else first_error
        return stop, first_error

    def _save_after_error(self) -> None:
        try:
            self._save("error")
        except Exception as error:  # noqa: BLE001 - the first error is the one to raise
            self.trainer.logger.error("The checkpoint after an error could not be saved: %r", error)  # noqa: TRY400

    def _save(self, suffix: str) -> None:
        tag = f"{self.counter.cur_iteration}.{suffix}"
        self.trainer.checkpoint_writer.save(self.model, tag, trainer=self.trainer)


def evaluate(trainer: FakeTrainer, model: FakeModel, caller: Caller, batch_size: int) -> None:
    """Calls `at_eval` of the periodic callbacks, in order; they share one iterator over their data."""
    iterators = [each for callback in trainer.callbacks for each in data_iterators(callback)]
    batches = evaluation_batches([each.sampler_config for each in iterators], batch_size)
    for callback in filter(is_periodic, trainer.callbacks):
        data: dict[str, Any] = iterator_arguments(model, batches, batch_size) if iterates(callback) else {}
        caller.call(callback, "at_eval", trainer.update_counter, **data)


def _add_times(times: defaultdict[str, float], *, data_wait: float, forward: float, backward: float) -> None:
    times["data_wait"] += data_wait
    times["collate"] += 0.0
    times["getitem"] += 0.0
    times["forward"] += forward
    times["update"] += forward + backward
    times["backward"] += backward
