"""Drawn runs, hook by hook: the fakes and the framework do the same."""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.tracing import Event, Spec, Trace, bases, make

from noether_testkit import Subject, TrainingPlan
from noether_testkit.adapters.noether import FrameworkRig
from noether_testkit.contract.fake_harness import FakeRig
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.plan import Checkpoint

PLANS = 500
RESUMABLE = ("base", "periodic")
RIGS = {"fakes": FakeRig, "noether": FrameworkRig}
HOOKS = (
    "state_dict",
    "load_state_dict",
    "resume_from_checkpoint",
    "before_training",
    "track_after_accumulation_step",
    "track_after_update_step",
    "after_update",
    "after_epoch",
    "periodic_callback",
    "at_eval",
    "process_data",
    "process_results",
    "after_training",
)
OUTSIDE_THE_LOOP = ("state_dict", "load_state_dict", "resume_from_checkpoint", "before_training", "after_training")
"""Here a signal kills the process in the framework."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A drawn run: its plan, its callbacks, and what they do."""

    plan: TrainingPlan
    specs: tuple[Spec, ...]
    events: tuple[Event, ...] = ()
    saved_after: int | None = None
    """Saves a checkpoint after this update, and resumes from it when the run is over."""
    later: tuple[Event, ...] = ()
    """What happens in the resumed run."""

    @property
    def shifts_data(self) -> bool:
        """Whether a resume shifts the training data in the framework: with a ragged end, or with accumulation."""
        plan = self.plan
        ragged = plan.dataset_size % plan.batch_size > 0
        return self.saved_after is not None and (ragged or plan.accumulation_steps > 1)


@st.composite
def plans(draw: st.DrawFn) -> TrainingPlan:
    batch_size = draw(st.integers(1, 4))
    dataset_size = draw(st.integers(batch_size, 9))
    per_epoch = dataset_size // batch_size
    steps = draw(st.sampled_from([step for step in (1, 2, 4) if batch_size % step == 0]))
    length: dict[str, int]
    if steps > 1 or draw(st.booleans()):
        length = {"epochs": draw(st.integers(1, 3))}
    elif draw(st.booleans()):
        length = {"updates": draw(st.integers(1, 3 * per_epoch))}
    else:
        length = {"samples": draw(st.integers(batch_size, 3 * dataset_size))}
    return TrainingPlan(
        **length,
        dataset_size=dataset_size,
        batch_size=batch_size,
        accumulation_steps=steps,
        test_size=draw(st.integers(1, 5)),
        evaluate=draw(st.integers(0, 9)) == 0,
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    plan = draw(plans())
    specs = tuple(draw(st.lists(callbacks(plan), min_size=1, max_size=4)))
    # At an epoch's last update the framework schedules batches in the order of the callbacks but calls epoch
    # callbacks last; only this order of the callbacks is sound.
    specs = tuple(sorted(specs, key=lambda spec: spec.unit == "every_n_epochs"))
    happens = st.lists(events(len(specs)), max_size=2).map(tuple)
    # Iterator callbacks get shifted data after a resume in this release of the framework.
    resumable = not plan.evaluate and plan.total_updates > 1 and all(spec.kind in RESUMABLE for spec in specs)
    saved_after = draw(st.none() | st.integers(1, plan.total_updates - 1)) if resumable else None
    later = draw(happens) if saved_after is not None else ()
    return Run(plan=plan, specs=specs, events=draw(happens), saved_after=saved_after, later=later)


@st.composite
def events(draw: st.DrawFn, callbacks: int) -> Event:
    hook = draw(st.sampled_from(HOOKS))
    return Event(
        callback=callbacks - 1 - draw(st.integers(0, 3)) % callbacks,  # so that shrinking can drop those before it
        hook=hook,
        occurrence=draw(st.integers(1, 5)),
        kind=draw(st.sampled_from(["error", "stop"] if hook in OUTSIDE_THE_LOOP else ["error", "stop", "signal"])),
    )


@st.composite
def callbacks(draw: st.DrawFn, plan: TrainingPlan) -> Spec:
    kinds = ["base", "periodic", "periodic", "iterator", "composite"]
    units = ["every_n_updates", "every_n_epochs", "every_n_samples"]
    if plan.accumulation_steps > 1 or plan.dataset_size % plan.batch_size:
        # The framework's sampler counts batches: with accumulation it hands out training batches.
        kinds = ["base", "periodic"]
    kind = draw(st.sampled_from(kinds))
    unit = draw(st.sampled_from(units[:2] if kind in ("iterator", "composite") else units))
    return Spec(kind=kind, unit=unit, interval=draw(st.integers(1, 5)), logs=draw(st.booleans()))


def trace_of(world: str, run: Run) -> list[str]:
    """Returns what happened in a world, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        lines, saved = _one_run(world, run, Path(folder), None)
        if saved is not None:
            lines += ["resumed", *_one_run(world, replace(run, events=run.later), Path(folder), saved)[0]]
        return _comparable(lines, run)


def _comparable(lines: list[str], run: Run) -> list[str]:
    """Leaves out what is not the same in two equal runs of the framework, and the data that it shifts.

    The framework loads states in the order of a set, which is another one in each process.
    """
    if run.shifts_data:
        lines = [_INDEX.sub("", line) for line in lines]
    if any(event.hook == "load_state_dict" for event in run.later):
        return [line for line in lines if not _is_load(line)]
    parts = [list(group) for _, group in groupby(lines, key=_is_load)]
    return [line for part in parts for line in (sorted(part) if _is_load(part[0]) else part)]


def _is_load(line: str) -> bool:
    return "load_state_dict(" in line


def _one_run(world: str, run: Run, folder: Path, checkpoint: Checkpoint | None) -> tuple[list[str], Checkpoint | None]:
    events = run.events
    if run.saved_after is not None and checkpoint is None:
        save = Event(callback=len(run.specs), hook="after_update", occurrence=run.saved_after, kind="save")
        events = (*events, save)
    trace = Trace(events=events, early_stop=bases(world).callbacks.EarlyStopIteration)
    specs = (*run.specs, Spec(kind="periodic"))
    plan = run.plan if checkpoint is None else run.plan.resumed(checkpoint)
    rig: Any = RIGS[world](
        Subject(CallbackBase), plan, folder=folder, around=lambda _: nullcontext(), on_use=lambda *_: None
    )
    trace.stop = rig.request_stop
    try:
        rig.run([make(world, index, spec, trace) for index, spec in enumerate(specs)])
        trace.lines.append("ended")
    except Exception as error:  # noqa: BLE001 - how a run ends is part of the trace
        trace.lines.append(f"raised {type(error).__name__}: {error if isinstance(error, ValueError) else ''}")
    trace.lines.append(f"log {[dict(entry) for entry in rig.log_entries]}")
    run_folder = max(folder.iterdir(), default=folder / "run-0")
    trace.lines += sorted(str(file.relative_to(run_folder)) for file in run_folder.rglob("*.th"))
    saved = next(iter(run_folder.rglob("*_cp=saved_trainer.th")), None)
    reference = Checkpoint(output_root=folder, run_id=run_folder.name, tag="saved") if saved else None
    return trace.lines, reference


_INDEX = re.compile(r" \[[0-9, ]*\](?= \['total')")


@settings(
    max_examples=PLANS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(run=runs())
def test_drawn_runs_leave_the_same_trace(run: Run) -> None:
    """Hook, callback, keywords, counter, recording, mode and log entry under way are equal in both worlds."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fakes, framework = trace_of("fakes", run), trace_of("noether", run)
    finally:
        logging.disable(logging.NOTSET)
    for number, (mine, theirs) in enumerate(zip(fakes, framework, strict=False)):
        assert mine == theirs, f"line {number} differs:\n  fakes      {mine}\n  framework  {theirs}"
    assert len(fakes) == len(framework), f"{len(fakes)} lines against {len(framework)}: {fakes[-2:]} {framework[-2:]}"
