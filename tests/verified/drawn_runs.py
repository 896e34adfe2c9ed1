"""Draws runs of tracing callbacks: a plan, callbacks, and what they do at hooks that the run really calls."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from tests.verified.hook_calls import Calls, calls_in
from tests.verified.tracing import Event, Spec

from noether_testkit import TrainingPlan
from noether_testkit.strategies import training_plans

Pair = tuple[str, str]
"""A hook, and the kind of an event in it."""

LONGEST = 10
"""Updates in the longest run."""
RESUMABLE = ("base", "periodic", "periodic")
KINDS = ("base", "periodic", "iterator", "composite")
OF_ALL = ("state_dict", "load_state_dict", "resume_from_checkpoint", "before_training", "after_training")
OF_DATA = ("process_data", "process_results")
OF_CHILDREN = ("periodic_callback", *OF_DATA)
IN_THE_LOOP = (
    "track_after_accumulation_step",
    "track_after_update_step",
    "after_update",
    "after_epoch",
    "periodic_callback",
    *OF_DATA,
)
OUTSIDE_THE_LOOP = (*OF_ALL, "at_eval")
"""Here a signal kills the process in the framework."""
PAIRS: tuple[Pair, ...] = (
    *((hook, kind) for hook in IN_THE_LOOP for kind in ("error", "stop", "signal")),
    *((hook, kind) for hook in OUTSIDE_THE_LOOP for kind in ("error", "stop")),
)
"""All that can happen."""


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
        return self.saved_after is not None and not _is_even(self.plan)


@st.composite
def runs(draw: st.DrawFn, pairs: tuple[Pair | None, ...] = (None, *PAIRS)) -> Run:
    """Draws runs; the smallest is one update with one callback.

    What happens is drawn first, and then a run in which it can: else most runs are over before their event.

    Args:
        draw: Given by hypothesis.
        pairs: What happens, to draw from; `None` is nothing.
    """
    pair = draw(st.sampled_from(pairs))
    way = draw(st.sampled_from(_ways(pair)))
    plan = draw(plans(way))
    # With accumulation, and after a resume, the framework hands callbacks that iterate over data other batches.
    sound = way == "evaluated" or (way == "trained" and plan.accumulation_steps == 1)
    kinds = KINDS if sound else RESUMABLE
    others = draw(st.lists(callbacks(kinds), max_size=3))
    specs = (*others, draw(callbacks(tuple(kind for kind in kinds if _has(kind, pair)) or kinds)))
    # At an epoch's last update the framework schedules batches in the order of the callbacks but calls epoch
    # callbacks last; only this order of the callbacks is sound.
    specs = tuple(sorted(specs, key=lambda spec: spec.unit == "every_n_epochs"))
    if way != "resumed":
        return Run(plan=plan, specs=specs, events=draw(_events(plan, specs, pair)))
    after = draw(st.integers(1, plan.total_updates - 1))
    # Mostly in the resumed run: one that ends before its checkpoint is not resumed.
    in_the_first = _is_in_resumes_only(pair) < draw(st.sampled_from([False, False, True]))
    where = {"saved_after": after} if in_the_first else {"resumed_at": after}
    happens = draw(_events(plan, specs, pair, **where))
    return Run(plan=plan, specs=specs, saved_after=after, **{"events" if in_the_first else "later": happens})


@st.composite
def plans(draw: st.DrawFn, way: str) -> TrainingPlan:
    """Draws plans of runs that are `trained`, `resumed` or `evaluated`; with whole batches three times in four."""
    fewest = 2 if way == "resumed" else 1
    uneven = draw(st.sampled_from([False, False, False, True]))
    plan = draw(training_plans(min_updates=fewest, max_updates=LONGEST, accumulation=uneven, ragged=uneven))
    return replace(plan, test_size=draw(st.integers(1, 5)), evaluate=way == "evaluated")


@st.composite
def callbacks(draw: st.DrawFn, kinds: tuple[str, ...]) -> Spec:
    """Draws callbacks of some kinds."""
    kind = draw(st.sampled_from(kinds))
    unit = draw(st.sampled_from(["every_n_updates", "every_n_epochs", "every_n_samples"]))
    interval = draw(st.sampled_from([1, 1, 2, 3, 5]))
    return Spec(kind=kind, unit=unit, interval=interval, logs=draw(st.booleans()))


def _events(
    plan: TrainingPlan, specs: tuple[Spec, ...], pair: Pair | None, **where: int
) -> st.SearchStrategy[tuple[Event, ...]]:
    """Draws an event of a pair, and perhaps any other, in calls that the run makes when nothing happens.

    The callbacks are counted from the last one, so that those before can be dropped from a run that shrinks.
    """
    calls: Calls = {}
    for index, spec in reversed(list(enumerate(specs))):
        calls |= calls_in(plan, index, spec, **where)
    chosen = {call: count for call, count in calls.items() if pair and call[1] == pair[0]}
    if pair is None or not chosen:
        return st.just(())
    event = st.sampled_from(list(chosen)).flatmap(lambda call: _event(call, chosen[call], (pair[1],)))
    other = st.sampled_from(list(calls)).flatmap(lambda call: _event(call, calls[call], _kinds(call[1], plan)))
    return st.tuples(event) | st.tuples(event) | st.tuples(event, other)


@st.composite
def _event(draw: st.DrawFn, call: tuple[int, str], count: int, kinds: tuple[str, ...]) -> Event:
    occurrence, kind = draw(st.integers(1, count)), draw(st.sampled_from(kinds))
    return Event(callback=call[0], hook=call[1], occurrence=occurrence, kind=kind)


def _kinds(hook: str, plan: TrainingPlan) -> tuple[str, ...]:
    return tuple(kind for name, kind in PAIRS if name == hook and (kind != "signal" or not plan.evaluate))


def _ways(pair: Pair | None) -> tuple[str, ...]:
    """Returns the kinds of run in which a pair can happen."""
    if pair is None:
        return ("trained", "resumed", "evaluated")
    hook, kind = pair
    if hook == "at_eval":
        return ("evaluated",)
    if _is_in_resumes_only(pair):
        return ("resumed",)
    trained = ("trained",) if hook in OF_DATA else ("trained", "resumed")
    is_in_both = hook in (*OF_DATA, "periodic_callback") and kind != "signal"
    return (*trained, "evaluated") if is_in_both else trained


def _is_in_resumes_only(pair: Pair | None) -> bool:
    return pair is not None and pair[0] in ("load_state_dict", "resume_from_checkpoint")


def _has(kind: str, pair: Pair | None) -> bool:
    """Returns whether a kind of callback, or its child, has the hook of a pair."""
    if pair is None or pair[0] in OF_ALL:
        return True
    return kind in ("iterator", "composite") if pair[0] in OF_DATA else kind != "base"


def _is_even(plan: TrainingPlan) -> bool:
    return plan.accumulation_steps == 1 and plan.dataset_size % plan.batch_size == 0
