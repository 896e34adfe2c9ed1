"""The check of how a callback takes a state that is not its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.diary import resumptions, unsteady_in_runs
from noether_testkit.contract.harness import HookError, Moment, Watcher
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of_error
from noether_testkit.contract.stateful import (
    SAVED,
    more,
    place_of_method,
    refusal_to_resume,
    require_finished,
    require_state,
)
from noether_testkit.plan import TrainingPlan

_MOST = 8
"""Entries that are left out, one after another."""


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """A way in which a state can be foreign.

    Attributes:
        what: In words; completes "A state …".
        names: The entries that an error may name.
        change: Makes a state of the callback's own foreign, in place.
    """

    what: str
    names: tuple[str, ...]
    change: Callable[[MutableMapping[str, Any]], Any]


@check(
    force=Force.SHOULD,
    promise="works with a missing, an extra or no entry in its state or names the entry, and is unchanged by a "
    "failed load.",
    why="A callback gets new options while checkpoints lie on disk: one day a run is resumed with a state that another "
    "version has written. A bare error in the middle of a resume then costs an afternoon; one that names the entry, "
    "a minute.",
    after=(*SAVED, "round-trips-its-state", "keeps-loaded-state-at-start"),
    explained_by=("reads-state-without-effect", "loads-twice-like-once"),
)
def explains_a_foreign_state(bench: Bench) -> str | None:
    """Resumes with states in which an entry is missing, or is too many, and with an empty one."""
    require_state(bench)
    require_finished(bench)
    saved = resumptions(bench)
    refusal = next(filter(None, (refusal_to_resume(bench, each) for each in saved)), None)
    if refusal is not None:
        return refusal
    trained = bench.train(bench.plan_with_checkpoint)
    if not trained.checkpoints:
        return None
    update, checkpoint = next(iter(trained.checkpoints.items()))
    plan = bench.plan.resumed(checkpoint)
    plain = bench.train(plan)
    if plain.error is not None:
        raise unfinished(plain)
    other = _most_different([each.saved for each in saved], trained.saved[update])
    remarks = [_judge(bench, plan, variant, other) for variant in _variants(list(saved[-1].saved or ()))]
    left_out = len(saved[-1].saved) - _MOST
    not_left_out = f"Of its entries, {left_out} were not left out one by one." if left_out > 0 else None
    by_half = next(filter(None, remarks), None)
    return " ".join(filter(None, (by_half, not_left_out))) or None


def _most_different(states: list[Any], own: Any) -> Any:
    """Returns the state with the most other values, for what a failed load has set already to be seen.

    A late one rather than an early one, which is much like that of a callback that was emptied or just built.
    """
    return max(reversed(states), key=lambda state: len(differences(own, state)))


def _variants(keys: list[str]) -> list[_Variant]:
    variants = [_Variant(what="without any entry", names=tuple(keys), change=lambda state: state.clear())]
    if keys:
        extra = f"{keys[0]}_of_another_version"
        variants.append(
            _Variant(
                what=f"with one more entry {extra!r}",
                names=(extra,),
                change=lambda state: state.update({extra: snapshot(next(iter(state.values())))}),
            )
        )
    if len(keys) > 1:
        variants += [_without(key) for key in keys[:_MOST]]
    return variants


def _without(key: str) -> _Variant:
    return _Variant(what=f"without the entry {key!r}", names=(key,), change=lambda state: state.pop(key, None))


def _judge(bench: Bench, plan: TrainingPlan, variant: _Variant, other: Any) -> str | None:
    """Resumes a run with a foreign state, and where its load fails, another one in which only the second load does.

    Returns:
        That a failed load was done by half, in a sentence.
    """
    outcome = bench.train(plan, watch=_foreign(variant, from_load=1))
    found = next(iter(outcome.failures), None)
    if found is None:
        return None
    if not (bench.refuses(found.error) or _names(found.error, variant.names)):
        raise _unexplained(bench, variant, found)
    if found.moment.hook != "load_state_dict":
        return None
    return _require_unbroken(bench, plan, variant, found, other)


def _unexplained(bench: Bench, variant: _Variant, found: HookError) -> Finding:
    names = " or ".join(repr(name) for name in variant.names[:3])
    return Finding(
        seen=f"With a state {variant.what}, {found.moment} raised {error_in_words(found.error)}, which "
        f"{'does not name it' if len(variant.names) == 1 else 'names no entry'}.",
        expected=f"It works with what is there, or raises an error that names what is wrong ({names}).",
        fix="Read each entry by its name: state_dict['best'] raises a KeyError that names it, state_dict.get('best', "
        "default) goes on without it. Or compare the keys first, and raise a ValueError that lists the strange ones.",
        location=place_of_error(found.error) or place_of_method(bench, "load_state_dict"),
    )


def _require_unbroken(bench: Bench, plan: TrainingPlan, variant: _Variant, found: HookError, other: Any) -> str | None:
    """Loads a good state, and after it a foreign one of another moment."""
    failed = _FailedLoads(ignore=unsteady_in_runs(bench))
    bench.train(plan, watch=_foreign(variant, from_load=2, values=other, failed=failed))
    if failed.broken:
        first = failed.broken[0]
        raise Finding(
            seen=f"A state of another update, {variant.what}, was loaded after a good one, and the load failed "
            f"({error_in_words(found.error)}). Before it {first.path} was {first.left}, afterwards "
            f"{first.right}.{more(failed.broken)}",
            expected="A load that fails leaves the callback as it was.",
            fix="Read all entries first, and set the attributes when nothing can fail any more: "
            "self.best, self.waited = state_dict['best'], state_dict['waited'].",
            location=place_of_method(bench, "load_state_dict"),
        )
    if failed.taken:
        first = failed.taken[0]
        return (
            f"A load that failed on a state {variant.what} was done by half: {first.path} was {first.left} before it "
            f"and {first.right}, as in that state, afterwards. Reading all entries before the first is set avoids this."
        )
    return None


@dataclass(kw_only=True)
class _FailedLoads:
    """What loads that failed have changed.

    Attributes:
        ignore: Paths that are not compared.
        broken: What is neither as it was, nor as in the state that was to be loaded.
        taken: What is as in the state that was to be loaded.
    """

    ignore: frozenset[str]
    broken: list[Difference] = field(default_factory=list)
    taken: list[Difference] = field(default_factory=list)

    def compare(self, before: Any, given: Any, after: Any) -> None:
        """Sorts what is different after a load."""
        strange = [each.path for each in differences(given, after)]
        for change in differences(before, after, ignore=self.ignore):
            is_strange = any(path.startswith(change.path) or change.path.startswith(path) for path in strange)
            (self.broken if is_strange else self.taken).append(change)


def _foreign(variant: _Variant, *, from_load: int, values: Any = None, failed: _FailedLoads | None = None) -> Watcher:
    """Returns a watcher that makes states foreign from a load on, and notes what a failed load changes.

    Args:
        variant: The way in which they are foreign.
        from_load: The first load of them.
        values: A state with the values to load; those of the checkpoint by default.
        failed: Takes up what a failed load changes.
    """
    loads: list[Moment] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook != "load_state_dict":
            yield
            return
        loads.append(moment)
        given = moment.positional[0]
        if len(loads) < from_load or not isinstance(given, MutableMapping):
            yield
            return
        if isinstance(values, Mapping):
            given.clear()
            given.update(snapshot(values))
        variant.change(given)
        copy, before = snapshot(given), None if failed is None else snapshot(moment.callback.state_dict())
        try:
            yield
        except Exception:
            if failed is not None:
                failed.compare(before, copy, moment.callback.state_dict())
            raise

    return watch


def _names(error: BaseException, names: tuple[str, ...]) -> bool:
    """Returns whether an exception, or the one behind it, names an entry; short names must stand alone."""
    text = f"{error!r} {error} {error.__cause__!r}"
    return any(
        name in text if len(name) > 3 else re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
        for name in names
    )
