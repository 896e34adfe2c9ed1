"""Checks of what happens when a callback is asked for its state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from noether_testkit.contract.attributes import own_values
from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.check import Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import Difference, differences, snapshot
from noether_testkit.contract.footprint import effects, footprint, place_in_words, plain_footprint
from noether_testkit.contract.harness import Moment, Watcher
from noether_testkit.contract.spoil import spoil
from noether_testkit.contract.stateful import (
    SHAPED,
    more,
    overrides,
    place_of_method,
    require_finished,
    require_state,
)


@check(
    force=Force.MUST,
    promise="can be asked for its state at any moment, any number of times, with no effect on the run.",
    why="Each checkpoint asks every callback for its state, at least twice, and another callback may write one between "
    "any two hooks. Where asking changes something, a run with checkpoints is another one than a run without, and more "
    "checkpoints make it worse.",
    after=SHAPED,
)
def reads_state_without_effect(bench: Bench) -> None:
    """Compares a run in which the callback is asked twice after each hook with one in which it is not."""
    if not overrides(bench, "state_dict"):
        raise NotApplicable("state_dict is the base class's, which does nothing.")
    require_finished(bench)
    plain = plain_footprint(bench)
    asked = footprint(bench, watch=_asking)
    found = effects(plain, asked, lambda: footprint(bench))
    if not found:
        return
    first = found[0]
    raise Finding(
        seen=f"When state_dict() was called twice after each hook, {place_in_words(first)} was {first.right}; in a run "
        f"without these calls it was {first.left}.{more(found)}{_changed_by_asking(bench)}",
        expected="state_dict() only looks: calling it never, once or twenty times makes no difference to the run.",
        fix="Let state_dict copy and return values only. What empties, counts, draws, logs or writes "
        "belongs into a hook.",
        location=place_of_method(bench, "state_dict"),
    )


@check(
    force=Force.SHOULD,
    promise="hands out a state that later updates do not change, and is not changed through it.",
    why="A state that shares its tensors, lists or dicts with the callback is no record of a moment: whoever keeps it, "
    "to go back to the best or to write it in the background, finds the values of the last update in it.",
    after=(*SHAPED, "is-stateful-from-construction", "saves-what-loads-safely"),
    explained_by=("reads-state-without-effect",),
)
def hands_out_a_snapshot(bench: Bench) -> None:
    """Keeps every state of a run, and looks at it again after the next hook and at the end; then changes one."""
    require_state(bench)
    require_finished(bench)
    changed_loans: list[_Loan] = []
    outcome = bench.train(watch=_lending(changed_loans))
    changed = next(iter(changed_loans), None)
    if changed is not None:
        first = changed.changes[0]
        raise Finding(
            seen=f"{first.path} was {first.left} in the state that was handed out {changed.when}; in this very object "
            f"it was {first.right} {changed.until}, although nobody had touched it.{more(changed.changes)}",
            expected="A state that was handed out stays as it is.",
            fix="Copy what the callback goes on to change: tensor.clone(), list(x), dict(x), and "
            "copy.deepcopy for nested ones.",
            location=place_of_method(bench, "state_dict"),
        )
    through = _changes_through(bench)
    if through and outcome.error is None:
        first = through[0]
        raise Finding(
            seen=f"Changing the mapping that state_dict() had handed out changed the callback itself: {first.path} was "
            f"{first.left}, and {first.right} when it was asked for again.{more(through)}",
            expected="What happens to a state that was handed out does not reach the callback.",
            fix="Hand out copies: list(x), dict(x), and copy.deepcopy for nested ones.",
            location=place_of_method(bench, "state_dict"),
        )


class _Loan:
    """A state that was handed out, and a copy of what was in it."""

    def __init__(self, state: Any, when: str) -> None:
        self.state = state
        self.when = when
        self.until = ""
        self.changes: list[Difference] = []
        self._copy = snapshot(state)
        self._blind = {each.path for each in differences(self._copy, state)}

    def look(self, until: str) -> None:
        """Compares the state with its copy, unless a change was found before."""
        if not self.changes:
            self.changes = differences(self._copy, self.state, ignore=self._blind)
            self.until = until


def _lending(changed: list[_Loan]) -> Watcher:
    """Returns a watcher that takes a state after each hook, and looks at the one before and, at the end, at all."""
    loans: list[_Loan] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook == "state_dict":
            return
        for loan in loans if moment.hook == "after_training" else loans[-1:]:
            loan.look(f"after {moment.hook} (update {moment.update})")
            if loan.changes:
                changed.append(loan)
        when = "after construction" if moment.hook == "__init__" else f"after {moment.hook} (update {moment.update})"
        loans.append(_Loan(moment.callback.state_dict(), when))

    return watch


def _changes_through(bench: Bench) -> list[Difference]:
    """Changes a state that was handed out at the end of a run, and returns what this changed in the next one."""
    found: list[Difference] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook == "after_training":
            callback = moment.callback
            before, again, handed = snapshot(callback.state_dict()), callback.state_dict(), callback.state_dict()
            unsteady = {each.path for each in differences(before, again)}
            spoil(handed)
            found.extend(differences(before, callback.state_dict(), ignore=unsteady))
            raise Enough

    bench.train(watch=watch)
    return found


@contextmanager
def _asking(moment: Moment) -> Iterator[None]:
    yield
    if moment.hook != "state_dict":
        for _ in range(2):
            _ask(moment.callback)


def _ask(callback: Any) -> None:
    try:
        callback.state_dict()
    except (Exception, SystemExit):  # noqa: BLE001 - another check judges what it raises
        return


def _changed_by_asking(bench: Bench) -> str:
    """Returns in a sentence which attribute a call of `state_dict` changes, if that can be seen."""
    seen: list[str] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        yield
        if moment.hook == "state_dict" or seen:
            return
        before = own_values(moment.callback)
        _ask(moment.callback)
        after = own_values(moment.callback)
        for name in before:
            if name in after and (changes := differences(before[name], after[name], path=f"self.{name}")):
                seen.append(f" One call turned {changes[0].path} from {changes[0].left} into {changes[0].right}.")
                return

    bench.train(watch=watch)
    return next(iter(seen), "")
