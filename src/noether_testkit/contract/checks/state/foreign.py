"""The check of how a callback takes a state that is not its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
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
    checkpoints = bench.train(bench.plan_with_checkpoint).checkpoints
    if not checkpoints:
        return None
    plan = bench.plan.resumed(next(iter(checkpoints.values())))
    plain = bench.train(plan)
    if plain.error is not None:
        raise unfinished(plain)
    variants = _variants(list(saved[-1].saved or ()))
    for variant in variants:
        _judge(bench, plan, variant)
    left_out = len(saved[-1].saved) - _MOST
    return f"Of its entries, {left_out} were not left out one by one." if left_out > 0 else None


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


def _judge(bench: Bench, plan: TrainingPlan, variant: _Variant) -> None:
    """Resumes a run with a foreign state, and where its load fails, another one in which only the second load does."""
    outcome = bench.train(plan, watch=_foreign(variant, from_load=1))
    found = next(iter(outcome.failures), None)
    if found is None:
        return
    if not (bench.refuses(found.error) or _names(found.error, variant.names)):
        raise _unexplained(bench, variant, found)
    if found.moment.hook == "load_state_dict":
        _require_unchanged(bench, plan, variant, found)


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


def _require_unchanged(bench: Bench, plan: TrainingPlan, variant: _Variant, found: HookError) -> None:
    changes: list[Difference] = []
    bench.train(plan, watch=_foreign(variant, from_load=2, changes=changes, ignore=unsteady_in_runs(bench)))
    if not changes:
        return
    raise Finding(
        seen=f"A state {variant.what} was loaded after a good one, and the load failed "
        f"({error_in_words(found.error)}). Before it {changes[0].path} was {changes[0].left}, afterwards "
        f"{changes[0].right}.{more(changes)}",
        expected="A load that fails leaves the callback as it was.",
        fix="Read all entries into local variables first, and set the attributes when nothing can fail any more.",
        location=place_of_method(bench, "load_state_dict"),
    )


def _foreign(
    variant: _Variant,
    *,
    from_load: int,
    changes: list[Difference] | None = None,
    ignore: frozenset[str] = frozenset(),
) -> Watcher:
    """Returns a watcher that makes states foreign from a load on, and notes what a failed load changes."""
    loads: list[Moment] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook != "load_state_dict":
            yield
            return
        loads.append(moment)
        if len(loads) < from_load or not isinstance(moment.positional[0], MutableMapping):
            yield
            return
        variant.change(moment.positional[0])
        before = None if changes is None else snapshot(moment.callback.state_dict())
        try:
            yield
        except Exception:
            if changes is not None:
                changes.extend(differences(before, moment.callback.state_dict(), ignore=ignore))
            raise

    return watch


def _names(error: BaseException, names: tuple[str, ...]) -> bool:
    """Returns whether an exception, or the one behind it, names an entry; short names must stand alone."""
    text = f"{error!r} {error} {error.__cause__!r}"
    return any(
        name in text if len(name) > 3 else re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
        for name in names
    )
