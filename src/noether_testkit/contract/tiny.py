"""Runs as small as the framework allows, and what a callback gathers in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import differences
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.reach import collaborators_and_model, leaves
from noether_testkit.contract.subject import Subject
from noether_testkit.plan import TrainingPlan


@dataclass(frozen=True, kw_only=True)
class TinyRun:
    """A tiny run.

    Attributes:
        what: What it is, in words.
        plan: The plan.
        subject: The subject, with data sets cut to size where it brings its own.
    """

    what: str
    plan: TrainingPlan
    subject: Subject


def tiny_runs(bench: Bench) -> Iterator[TinyRun]:
    """Yields runs of one update, on one sample, and with test sets around the size of a batch."""
    plan = replace(bench.plan, epochs=None, samples=None, updates=1)
    size = plan.batch_size
    yield TinyRun(what="a run of one update", plan=plan, subject=bench.subject)
    length = bench.plan.total_updates
    for train, test, batch, what in (
        (1, 1, 1, "a run on one sample, with one test sample"),
        (size * 2, 1, size, f"a run with one test sample and batches of {size}"),
        (size * 2 + 1, size + 1, size, f"a run with {size + 1} test samples and batches of {size}"),
        (5, 3, 5, "a run with 3 test samples and batches of 5"),
    ):
        yield TinyRun(
            what=what,
            plan=replace(bench.plan, epochs=None, samples=None, updates=length)
            if train == bench.plan.dataset_size
            else replace(plan, updates=length, dataset_size=train, batch_size=batch, test_size=test),
            subject=_cut(bench.subject, train, test),
        )


def gathers(bench: Bench, run: TinyRun) -> bool:
    """Returns whether anything that the callback holds changes between its constructor and the end hook."""
    looks: list[dict[str, Any]] = []
    closed: frozenset[int] = frozenset()

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        nonlocal closed
        if moment.hook == "after_training":
            looks.append(leaves(moment.callback, closed))
        yield
        if moment.hook == "__init__":
            closed = collaborators_and_model(moment.arguments)
            looks.append(leaves(moment.callback, closed))

    bench.train(run.plan, subject=run.subject, watch=watch)
    return len(looks) != 2 or bool(differences(*looks))


def _cut(subject: Subject, train: int, test: int) -> Subject:
    """Returns the subject with its own data sets cut to so many samples."""
    factory = subject.datasets
    if factory is None:
        return subject

    def cut() -> Mapping[str, Mapping[str, torch.Tensor]]:
        return {
            key: {name: tensor[: train if key == "train" else test] for name, tensor in tensors.items()}
            for key, tensors in factory().items()
        }

    return replace(subject, datasets=cut)
