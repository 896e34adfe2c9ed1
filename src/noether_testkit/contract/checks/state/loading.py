"""Checks of what loading a state does beside taking it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.compare import Difference, differences
from noether_testkit.contract.diary import Resumption, resumptions, unsteady_in_runs, unsteady_until_now
from noether_testkit.contract.footprint import effects, footprint, place_in_words
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.stateful import (
    SAVED,
    left_out_of_comparison,
    more,
    place_of_method,
    refusal_to_resume,
    require_finished,
    require_state,
)


@check(
    force=Force.MUST,
    promise="leaves the mapping that it is given to load as it was.",
    why="The mapping belongs to the trainer, and others read it, too: a composite hands one on to its children, and a "
    "test or a tool loads it again. What a loader has popped out or converted is then missing, or of another kind.",
    after=SAVED,
    explained_by=("round-trips-its-state",),
)
def loads_without_changing_its_input(bench: Bench) -> str | None:
    """Compares the mapping that was loaded with a copy that was made before."""
    require_state(bench)
    for each in resumptions(bench):
        refusal = refusal_to_resume(bench, each)
        if refusal is not None:
            return refusal
        for entry in each.loaded:
            if entry.spoiled:
                first = entry.spoiled[0]
                raise Finding(
                    seen=f"{first.path} was {first.left} in the mapping that was given to load_state_dict (state of "
                    f"update {each.update}), and {first.right} when it had returned.{more(entry.spoiled)}",
                    expected="load_state_dict reads the mapping and leaves it as it is, nested values included.",
                    fix="Read with state_dict[key], not with pop; build new lists and dicts instead of changing those "
                    "of the state, or begin with state_dict = copy.deepcopy(state_dict).",
                    location=place_of_method(bench, "load_state_dict"),
                )
    require_finished(bench)
    return None


@check(
    force=Force.MUST,
    promise="may be loaded twice, with other weights in the model at each time, as if it was loaded once.",
    why="At a resume the trainer loads every state twice: over the fresh weights, and again when the weights are "
    "loaded. What a loader adds instead of sets is there twice in the resumed run: a history, a count, a hook.",
    after=(*SAVED, "round-trips-its-state"),
    explained_by=("reads-state-without-effect",),
)
def loads_twice_like_once(bench: Bench) -> str | None:
    """Compares the state after each of the two loads, and the resumed run with one that is loaded once."""
    require_state(bench)
    left_out = unsteady_in_runs(bench)
    for each in resumptions(bench):
        refusal = refusal_to_resume(bench, each)
        if refusal is not None:
            return refusal
        found = _lost_by_second_load(each, left_out) and _lost_by_second_load(each, unsteady_until_now(bench))
        if found:
            raise _finding(
                bench,
                f"{found[0].path} was {found[0].left} in the state saved after update {each.update}, and the same when "
                f"it was loaded; loaded once more, as at every resume, it was {found[0].right}."
                f"{more(found)}",
            )
    require_finished(bench)
    found = _effects_of_second_load(bench)
    if found:
        raise _finding(
            bench,
            f"In a run that was resumed, {place_in_words(found[0])} was {found[0].right}; where only the second of the "
            f"two loads was done it was {found[0].left}.{more(found)}",
        )
    return left_out_of_comparison(left_out)


def _finding(bench: Bench, seen: str) -> Finding:
    return Finding(
        seen=seen,
        expected="Loading a state twice leaves the callback as loading it once, whatever the weights are.",
        fix="Set what is loaded instead of adding to it: self.history = list(state_dict['history']), not extend or +=. "
        "What is to be done once at a start belongs into before_training.",
        location=place_of_method(bench, "load_state_dict"),
    )


def _lost_by_second_load(resumption: Resumption, left_out: frozenset[str]) -> list[Difference]:
    """Returns what was right after the first load and wrong after the second, unless the start hook mends it."""
    if len(resumption.loaded) < 2:
        return []
    first, second = (entry.state for entry in resumption.loaded[:2])
    wrong = {each.path for each in differences(resumption.saved, first, ignore=left_out)}
    found = differences(resumption.saved, second, ignore=left_out | wrong)
    if resumption.started is None:
        return found
    still = {each.path for each in differences(resumption.saved, resumption.started.state, ignore=left_out)}
    return [each for each in found if each.path in still]


def _effects_of_second_load(bench: Bench) -> list[Difference]:
    """Compares a resumed run with one in which the first of the two loads does not happen."""
    checkpoints = bench.train(bench.plan_with_checkpoint).checkpoints
    if not checkpoints:
        return []
    plan = bench.plan.resumed(next(iter(checkpoints.values())))
    once = footprint(bench, plan, watch=_loading_once())
    if "by" in once["end"]:
        return []
    return effects(once, footprint(bench, plan), lambda: footprint(bench, plan, watch=_loading_once()))


def _loading_once() -> Watcher:
    """Returns a watcher that keeps the first of the two loads from the callback, where it has no slots."""
    loads: list[Moment] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        own = getattr(moment.callback, "__dict__", None)
        if moment.hook != "load_state_dict" or loads or own is None or moment.hook in own:
            yield
            return
        loads.append(moment)
        own[moment.hook] = lambda _: None
        try:
            yield
        finally:
            del own[moment.hook]

    return watch
