"""Checks that a callback which only watches changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.hooks import place_of_hook
from noether_testkit.contract.probes import Change, ModeProbe, Probe, WeightProbe, watching


@check(
    force=Force.MUST,
    promise="leaves parameters and buffers bit-equal after each hook.",
    why="A callback that changes weights changes the result of the run, and nobody looks for the reason in a "
    "callback. Buffers count: a forward pass in train mode moves the statistics of batch normalisation.",
    unless=("writes-weights",),
    after=BUILT,
)
def leaves_weights_untouched(bench: Bench) -> None:
    """Compares all parameters and buffers around each call."""
    found = _first_change(bench, WeightProbe)
    if found is None:
        return
    moment, changes = found
    raise Finding(
        seen=f"{moment} changed {_listed(changes)} of the model ({changes[0]}).",
        expected="Every parameter and buffer has the bits that it had when the hook was called.",
        fix="Work on a copy, or put the values back before the hook returns (try/finally). For a forward pass, "
        "switch the model to eval mode and back. If changing weights is the callback's job, say so: "
        "declares={'writes-weights'}.",
        location=place_of_hook(moment),
    )


@check(
    force=Force.MUST,
    promise="leaves the train or eval mode of every sub-module as found.",
    why="The hooks that follow in the same round evaluate the same model. Left in train mode, it drops activations and "
    "moves its statistics with test data; left in eval mode after a tracking hook, the rest of the update trains so.",
    after=BUILT,
)
def leaves_modes_untouched(bench: Bench) -> None:
    """Compares the flags of all sub-modules around each call."""
    found = _first_change(bench, ModeProbe)
    if found is None:
        return
    moment, changes = found
    raise Finding(
        seen=f"{moment} left {_listed(changes)} in {changes[0].after} mode; it found it in {changes[0].before} mode.",
        expected="Every sub-module is in the mode in which the hook found it.",
        fix="Remember the flag of each sub-module and put it back in a finally block: "
        "modes = {m: m.training for m in model.modules()}, then m.training = flag for each. A plain model.train() at "
        "the end is not enough: it wakes sub-modules that are held in eval mode on purpose.",
        location=place_of_hook(moment),
    )


def _first_change(bench: Bench, probe: Callable[[torch.nn.Module], Probe]) -> tuple[Moment, list[Change]] | None:
    """Returns the first call, of an ordinary, a resumed or an evaluation run, that left a change behind."""
    found: list[tuple[Moment, list[Change]]] = []

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook == "__init__":
            yield
            return
        with watching(probe(moment.model)) as changes:
            try:
                yield
            finally:
                found.append((moment, changes))

    bench.watch_all(watch)
    changed = next(((moment, changes) for moment, changes in found if changes), None)
    if changed is None and bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    return changed


def _listed(changes: list[Change]) -> str:
    names = [change.what for change in changes[:3]]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return ", ".join(names) + more


CHECKS = (leaves_weights_untouched, leaves_modes_untouched)
