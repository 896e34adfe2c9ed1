"""Drawn runs, hook by hook: the fakes and the framework do the same."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

pytest.importorskip("noether", reason="the framework is not installed")

from tests.verified.conftest import DRAWN_RUNS
from tests.verified.drawn_runs import OF_CHILDREN, PAIRS, Run, runs
from tests.verified.hook_calls import Calls, calls_in
from tests.verified.silence import silence
from tests.verified.tracing import CHILD, Event, Spec, Trace, bases, make

from noether_testkit import Subject
from noether_testkit.adapters.noether import FrameworkRig
from noether_testkit.contract.fake_harness import FakeRig
from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.plan import Checkpoint

EXAMPLES = 18
"""Runs that are drawn for each hook and kind of event."""
FEWEST_RUNS = 300
RIGS = {"fakes": FakeRig, "noether": FrameworkRig}
NAMES = {"nothing": None} | {"-".join(pair): pair for pair in PAIRS}
STEADY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass
class Tally:
    """What happened in the drawn runs."""

    names: set[str] = field(default_factory=set)
    runs: set[Run] = field(default_factory=set)
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    of_children: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    resumes_with_data: int = 0

    def add(self, run: Run, first: Trace, later: Trace | None) -> None:
        """Counts a run that was not drawn before."""
        if run in self.runs:
            return
        self.runs.add(run)
        events = [*first.fired, *(later.fired if later is not None else [])]
        self.fired.update((event.hook, event.kind) for event in events)
        self.of_children.update(event.hook for event in events if event.callback >= CHILD)
        if later is not None:
            self.resumes += 1
            self.resumes_with_data += not run.shifts_data

    def table(self) -> str:
        """Returns the counts as lines of text; those of children are counted among the kinds, too."""
        kinds = ("error", "stop", "signal")
        head = f"{len(self.runs)} runs, {self.resumes} of them resumed, {self.resumes_with_data} with their data"
        rows = [f"{'events in':31}" + "".join(f"{kind:>8}" for kind in (*kinds, "child"))]
        for hook in dict.fromkeys(hook for hook, _ in PAIRS):
            cells = [str(self.fired[hook, kind]) if (hook, kind) in PAIRS else "-" for kind in kinds]
            cells.append(str(self.of_children[hook]) if hook in OF_CHILDREN else "-")
            rows.append(f"{hook:31}" + "".join(f"{cell:>8}" for cell in cells))
        return "\n".join([head, *rows])


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Returns what happened in the drawn runs of this module so far."""
    return Tally()


@pytest.mark.parametrize("name", NAMES)
def test_drawn_runs_leave_the_same_trace(name: str, tally: Tally) -> None:
    """Hook, callback, keywords, counter, recording, mode and log entry under way are equal in both worlds."""
    compare_drawn_runs(name, tally)


def test_every_kind_of_event_happens_in_every_hook(
    tally: Tally, record_property: Callable[[str, object], None]
) -> None:
    """No hook is left out for lack of luck, and the runs are many, most of which are resumed with their data."""
    for name in NAMES.keys() - tally.names:
        compare_drawn_runs(name, tally)
    record_property(DRAWN_RUNS, tally.table())
    assert [pair for pair in PAIRS if not tally.fired[pair]] == []
    assert [hook for hook in OF_CHILDREN if not tally.of_children[hook]] == []
    assert len(tally.runs) >= FEWEST_RUNS
    assert tally.resumes_with_data > tally.resumes / 2


@settings(STEADY, max_examples=100)
@given(run=runs())
def test_events_are_drawn_from_the_calls_of_a_run(run: Run) -> None:
    """Where nothing happens, the framework calls each hook as often as the arithmetic says."""
    with silence(), tempfile.TemporaryDirectory() as folder:
        first, saved = _one_run("noether", replace(run, events=()), Path(folder), None)
        assert _calls_of(first, run) == _calls(run, saved_after=run.saved_after)
        if saved is not None:
            later, _ = _one_run("noether", replace(run, events=()), Path(folder), saved)
            assert _calls_of(later, run) == _calls(run, resumed_at=run.saved_after)


def compare_drawn_runs(name: str, tally: Tally) -> None:
    """Compares the traces of drawn runs in which one thing happens in both worlds, and counts."""
    tally.names.add(name)

    @seed(list(NAMES).index(name))
    @STEADY
    @given(run=runs((NAMES[name],)))
    def compare(run: Run) -> None:
        with silence():
            fakes, framework = trace_of("fakes", run), trace_of("noether", run, tally)
        for number, (mine, theirs) in enumerate(zip(fakes, framework, strict=False)):
            assert mine == theirs, f"line {number} differs:\n  fakes      {mine}\n  framework  {theirs}"
        counts = f"{len(fakes)} lines against {len(framework)}"
        assert len(fakes) == len(framework), f"{counts}: {fakes[-2:]} {framework[-2:]}"

    compare()


def trace_of(world: str, run: Run, tally: Tally | None = None) -> list[str]:
    """Returns what happened in a world, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        first, saved = _one_run(world, run, Path(folder), None)
        lines, later = first.lines, None
        if saved is not None:
            later, _ = _one_run(world, replace(run, events=run.later), Path(folder), saved)
            lines = [*lines, "resumed", *later.lines]
    if tally is not None:
        tally.add(run, first, later)
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


def _one_run(world: str, run: Run, folder: Path, checkpoint: Checkpoint | None) -> tuple[Trace, Checkpoint | None]:
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
    return trace, reference


def _calls(run: Run, **where: int | None) -> Calls:
    calls: Calls = {}
    for index, spec in enumerate(run.specs):
        calls |= calls_in(run.plan, index, spec, **where)
    return calls


def _calls_of(trace: Trace, run: Run) -> Calls:
    """Returns the calls of a trace without those of the callback that saves."""
    return {call: count for call, count in trace.seen.items() if call[0] != len(run.specs)}


_INDEX = re.compile(r" \[[0-9, ]*\](?= \['total')")
