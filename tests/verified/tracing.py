"""Callbacks that write down what the trainer does to them, on whatever base class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch

CHILD = 100
"""A child has the index of its parent, and this on top."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One tracing callback of a drawn run."""

    kind: str
    """`base`, `periodic`, `iterator` or `composite` (a periodic one with an iterator as its child)."""
    unit: str = "every_n_updates"
    interval: int = 1
    logs: bool = False

    @property
    def config(self) -> dict[str, Any]:
        batch = {"batch_size": 2} if self.unit == "every_n_samples" else {}
        return {self.unit: self.interval, **batch}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a callback does at a certain call of a hook."""

    callback: int
    hook: str
    occurrence: int
    kind: str
    """`error`, `stop` (early stop), `signal` or `save`."""


@dataclass
class Trace:
    """What happened in a run, in order."""

    lines: list[str] = field(default_factory=list)
    events: tuple[Event, ...] = ()
    seen: dict[tuple[int, str], int] = field(default_factory=dict)
    fired: list[Event] = field(default_factory=list)
    """The events that happened."""
    stop: Callable[[], None] = lambda: None
    early_stop: type[Exception] = Exception

    def note(self, index: int, hook: str, callback: Any, text: str) -> None:
        trainer = callback.trainer
        counter = trainer.update_counter
        cache = trainer.log_writer.log_cache
        log = None if cache is None else [cache["epoch"], cache["update"], cache["sample"], *cache]
        grads = any(parameter.grad is not None for parameter in callback.model.parameters())
        self.lines.append(
            f"{index} {hook}({text}) at {counter.cur_iteration} of {counter.end_iteration}"
            f" recording={torch.is_grad_enabled()} training={callback.model.training} gradients={grads}"
            f" log={log}"
        )
        self._happen(index, hook, callback)

    def _happen(self, index: int, hook: str, callback: Any) -> None:
        occurrence = self.seen[index, hook] = self.seen.get((index, hook), 0) + 1
        for event in self.events:
            if (event.callback, event.hook, event.occurrence) != (index, hook, occurrence):
                continue
            self.fired.append(event)
            if event.kind == "error":
                raise ValueError(f"error of callback {index} in {hook}")
            if event.kind == "stop":
                raise self.early_stop
            if event.kind == "signal":
                self.stop()
            if event.kind == "save":
                callback.checkpoint_writer.save(callback.model, "saved", trainer=callback.trainer)


@cache
def bases(world: str) -> SimpleNamespace:
    """Returns the base classes of the kit (`fakes`) or of the framework (`noether`)."""
    if world == "fakes":
        from noether_testkit.core import callbacks, schemas  # noqa: F401
        from noether_testkit.core.schemas import callbacks as configs
    else:
        from noether.core import callbacks
        from noether.core.schemas import callbacks as configs
    return SimpleNamespace(callbacks=callbacks, configs=configs)


@cache
def tracers(world: str) -> dict[str, type]:
    """Returns the tracing classes by kind."""
    base = bases(world)

    class Traced:
        index: int
        trace: Trace
        logs: bool
        state = 0

        def note(self, hook: str, arguments: Mapping[str, Any] | None = None, extra: str = "") -> None:
            self.trace.note(self.index, hook, self, f"{', '.join(arguments or ())}{extra}")

        def state_dict(self) -> dict[str, Any]:
            self.note("state_dict")
            return {"state": self.state}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.note("load_state_dict", extra=repr(state_dict))
            self.state = state_dict["state"]

        def resume_from_checkpoint(self, **kwargs: Any) -> None:
            self.note("resume_from_checkpoint", kwargs)

        def before_training(self, **kwargs: Any) -> None:
            self.note("before_training", kwargs)

        def after_training(self, **kwargs: Any) -> None:
            self.note("after_training", kwargs)

    class Periodic(Traced):
        def track_after_accumulation_step(self, **kwargs: Any) -> None:
            facts = (
                f" {sorted(kwargs['batch'])} {kwargs['batch']['index'].tolist()} {list(kwargs['losses'])}"
                f" {kwargs['update_outputs']} {kwargs['accumulation_steps']} {kwargs['accumulation_step']}"
            )
            self.note("track_after_accumulation_step", kwargs, facts)

        def track_after_update_step(self, **kwargs: Any) -> None:
            self.state += 1
            self.note("track_after_update_step", kwargs, f" {list(kwargs['times'])}")

        def after_update(self, update_counter: Any, **kwargs: Any) -> None:
            self.note("after_update", kwargs)
            super().after_update(update_counter=update_counter, **kwargs)

        def after_epoch(self, update_counter: Any, **kwargs: Any) -> None:
            self.note("after_epoch", kwargs)
            super().after_epoch(update_counter=update_counter, **kwargs)

        def at_eval(self, update_counter: Any, **kwargs: Any) -> None:
            self.note("at_eval", kwargs)
            super().at_eval(update_counter, **kwargs)

        def periodic_callback(self, *, interval_type: str, **kwargs: Any) -> None:
            self.note("periodic_callback", kwargs, f" {interval_type} {kwargs.get('batch_size')}")
            if self.logs:
                self.writer.add_scalar(f"value{self.index}/{interval_type}", self.state)
            super().periodic_callback(interval_type=interval_type, **kwargs)

    class Iterator(Periodic):
        def process_data(self, batch: Any, **kwargs: Any) -> Any:
            self.note("process_data", kwargs, f" {sorted(batch)} {batch['index'].tolist()}")
            return {"y": kwargs["trainer_model"](x=batch["x"])["y"], "index": batch["index"]}

        def process_results(self, results: Any, **kwargs: Any) -> None:
            self.note("process_results", kwargs, f" {results['index'].tolist()} {tuple(results['y'].shape)}")

    class Composite(Periodic):
        child: Any

        def get_children(self) -> list[Any]:
            return [self.child]

        def periodic_callback(self, **kwargs: Any) -> None:
            self.note("periodic_callback", kwargs)
            self.child.periodic_callback(**kwargs)

    callbacks = base.callbacks
    return {
        "base": type("TracedBase", (Traced, callbacks.CallbackBase), {}),
        "periodic": type("TracedPeriodic", (Periodic, callbacks.PeriodicCallback), {}),
        "iterator": type("TracedIterator", (Iterator, callbacks.PeriodicDataIteratorCallback), {}),
        "composite": type("TracedComposite", (Composite, callbacks.PeriodicCallback), {}),
    }


def make(world: str, index: int, spec: Spec, trace: Trace) -> Callable[..., Any]:
    """Returns a factory of a tracing callback."""
    configs = bases(world).configs

    def build(kind: str, number: int, collaborators: Mapping[str, Any]) -> Any:
        cls, name = tracers(world)[kind], f"callback{number}"
        if kind == "base":
            callback = cls(**collaborators, name=name)
        elif kind == "iterator":
            config = configs.PeriodicDataIteratorCallbackConfig(dataset_key="test", **spec.config)
            callback = cls(config, **collaborators, name=name)
        else:
            callback = cls(configs.CallBackBaseConfig(**spec.config), **collaborators, name=name)
        callback.index, callback.trace, callback.logs = number, trace, spec.logs
        return callback

    def factory(**collaborators: Any) -> Any:
        callback = build(spec.kind, index, collaborators)
        if spec.kind == "composite":
            callback.child = build("iterator", CHILD + index, collaborators)
        return callback

    return factory
