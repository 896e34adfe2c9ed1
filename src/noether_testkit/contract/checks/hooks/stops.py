"""Check of where a callback may end the run."""

from __future__ import annotations

from dataclasses import replace

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.harness import HookError, Outcome
from noether_testkit.contract.hooks import PERIODIC_HOOKS
from noether_testkit.contract.locate import capitalised, in_words, place_of_error
from noether_testkit.contract.trials import can_stop, provoking
from noether_testkit.fakes.lineage import is_early_stop


@check(
    force=Force.MUST,
    promise="raises EarlyStopIteration only from after_update, after_epoch and periodic_callback.",
    why="Only there the trainer takes it as a wish to stop: it saves a checkpoint and calls the end hooks. From any "
    "other hook it is a crash: no checkpoint is saved, no end hook is called, and the run counts as failed.",
    after=BUILT,
)
def stops_only_from_periodic_hooks(bench: Bench) -> None:
    """Looks at what leaves the hooks of an ordinary run, a resumed one, and runs that go badly."""
    _require_in_place(bench.rehearsal.outcome)
    if not can_stop(bench.built):
        require_finished(bench.rehearsal.outcome)
        return
    outcome = bench.train(bench.plan_with_checkpoint)
    _require_in_place(outcome)
    for checkpoint in outcome.checkpoints.values():
        _require_in_place(bench.train(bench.plan.resumed(checkpoint)))
    for subject in provoking(bench.subject):
        _require_in_place(bench.train(subject=subject), " in a run that goes badly")
    _require_in_place(bench.train(replace(bench.plan, epochs=None, samples=None, updates=1)), " in a run of one update")
    require_finished(bench.rehearsal.outcome)


def _require_in_place(outcome: Outcome, where: str = "") -> None:
    found = next((each for each in outcome.hook_errors if _is_misplaced(each)), None)
    if found is None:
        return
    raise Finding(
        seen=f"{capitalised(str(found.moment))}{where} raised {in_words(found.error)}, and the trainer took it for a "
        "crash.",
        expected="EarlyStopIteration leaves only after_update, after_epoch and the periodic_callback that these call.",
        fix="Remember the wish to stop, such as self.stop = True, and raise EarlyStopIteration in after_update, which "
        "is called for every update right after the tracking hooks; a periodic_callback does it at its interval.",
        location=place_of_error(found.error),
    )


def _is_misplaced(found: HookError) -> bool:
    return found.moment.hook not in PERIODIC_HOOKS and is_early_stop(found.error)


CHECKS = (stops_only_from_periodic_hooks,)
