"""Autograd graphs in a run: which of them a callback holds, and which are still alive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from noether_testkit.contract.harness import Moment
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.reach import collaborators_and_model, walk

_LOOKS = ("track_after_accumulation_step", "after_training", "at_eval")
_TRACKING = ("track_after_accumulation_step", "track_after_update_step", "after_update", "periodic_callback")


class _Mark:
    """Lives as long as the graph that it is put on."""


class Graph:
    """Knows whether a graph is alive, without keeping it so.

    Args:
        output: A tensor at the end of the graph.
    """

    def __init__(self, output: torch.Tensor) -> None:
        mark = _Mark()
        if output.grad_fn is not None:
            marks: Any = output.grad_fn.metadata  # a dictionary, whatever the stubs say
            marks["noether-testkit"] = mark
        self._mark = weakref.ref(mark)

    @property
    def is_alive(self) -> bool:
        """Whether anybody holds a part of the graph."""
        return self._mark() is not None


class GraphWatch:
    """Looks for graphs before the tracking hook of each next update, and around the last hook.

    Attributes:
        kept: Path, tensor in words and moment of the first graph that the callback holds.
        leaked: The update whose graph was alive two updates later, though the callback was not seen to hold it.
        place: The hook that most likely took it.
    """

    def __init__(self, graphs: list[Graph]) -> None:
        self.kept: tuple[str, str, str] | None = None
        self.leaked: int | None = None
        self.place: str | None = None
        self._graphs = graphs
        self._closed: frozenset[int] = frozenset()
        self._updates: list[int] = []

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Looks before and after the call."""
        if moment.hook in _LOOKS:
            self._look(moment)
        try:
            yield
        finally:
            if moment.hook == "__init__":
                self._closed = collaborators_and_model(moment.arguments)
            if moment.hook in ("after_training", "at_eval", "before_training"):
                self._look(moment)
            elif moment.hook != "__init__":
                self._look_at_log(moment)

    def _look(self, moment: Moment) -> None:
        if self.kept is not None or moment.callback is None:
            return
        for path, value in walk(moment.callback, self._closed):
            self._note(path, value, moment)
        self._look_at_log(moment)
        if moment.hook == "track_after_accumulation_step" and self.kept is None:
            self._look_at_graphs(moment)

    def _look_at_log(self, moment: Moment) -> None:
        if self.kept is None and moment.callback is not None:
            trainer = moment.callback.trainer
            for name, held in (
                ("the log entry", trainer.log_writer.log_cache),
                ("the tracker's summary", getattr(trainer.tracker, "summary", None)),
            ):
                for path, value in walk(held or {}, name=name):
                    self._note(path, value, moment)

    def _note(self, path: str, value: Any, moment: Moment) -> None:
        if self.kept is None and isinstance(value, torch.Tensor) and value.grad_fn is not None:
            self.kept = path, f"of shape {tuple(value.shape)} ({type(value.grad_fn).__name__})", str(moment)
            self.place = _place(moment)

    def _look_at_graphs(self, moment: Moment) -> None:
        """The graphs of the last two forward passes may live in the trainer's own frames."""
        if self.leaked is None and any(graph.is_alive for graph in self._graphs[:-2]):
            gc.collect()
            alive = [number for number, graph in enumerate(self._graphs[:-2]) if graph.is_alive]
            if alive:
                self.leaked, self.place = alive[0] + 1, _place(moment)


def _place(moment: Moment) -> str | None:
    callback = moment.callback
    order = dict.fromkeys((*_TRACKING, moment.hook, "before_training", "after_training", "at_eval", "process_data"))
    own = next((name for name in order if hasattr(callback, name) and is_overridden(callback, name)), None)
    return None if own is None else place_of(getattr(type(callback), own, None))
