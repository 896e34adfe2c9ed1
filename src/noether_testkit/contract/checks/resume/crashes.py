"""Check of the resume after a run has died."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from noether_testkit.contract.bench import Bench, injected
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.checks.resume.common import AS_IF, EXPLAINED, SOUND_STATE, SOURCE, sized, space_for
from noether_testkit.contract.checks.resume.telling import finding_of, remark_of
from noether_testkit.contract.checks.resume.windows import agrees_again
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words, place_of
from noether_testkit.contract.resume import Draws, search
from noether_testkit.plan import Checkpoint, Stop

_TRIED = ((2, 2), (0, 0))
"""Updates that are lost after the checkpoint, and how many trials are drawn."""


@check(
    force=Force.MUST,
    promise="leaves the same when the run died without its end hooks, and can tell its state after its own failure.",
    why="Most runs that are resumed were not ended, they died: out of memory, out of time, out of power. No end hook "
    "was called, and some updates after the checkpoint are trained a second time.",
    after=(*SOUND_STATE, AS_IF, SOURCE),
    explained_by=EXPLAINED,
)
def resumes_after_a_crash(bench: Bench) -> str | None:
    """Kills runs some updates after their checkpoint, and asks for the state right after a hook has failed."""
    _require_state_after_failure(bench)
    space = space_for(bench)
    searches = []
    for lost, count in _TRIED:
        draws = sized(bench, Draws(space=space, lost=lost, crashes_only=True, laid=2, count=count))
        seen = search(bench, draws, lambda _: True, partial(agrees_again, bench, draws))
        if seen.found is not None:
            raise finding_of(
                bench,
                space,
                seen,
                seen.found,
                expected="A run that was killed and resumed leaves what a run leaves that was never stopped.",
                fix="Do not count on after_training for anything that a resume needs, and take from the checkpoint "
                "what belongs to it, not what is newest on disk.",
            )
        searches.append(seen)
    return remark_of(*searches)


def _require_state_after_failure(bench: Bench) -> None:
    """Lets a call of the callback fail in a round, where the trainer saves a checkpoint before it dies."""
    for hook, method, _ in bench.rehearsal.outcome.uses:
        if hook not in ("after_update", "after_epoch"):
            continue
        outcome = bench.train(hook_faults={(hook, method, 1): injected})
        raised = next((found.error for found in outcome.hook_errors if found.moment.hook == "state_dict"), None)
        if raised is not None:
            raise _state_lost(bench, f"after {method} had failed in {hook}, state_dict raised {in_words(raised)}")
        loads = is_overridden(bench.built, "load_state_dict")
        refused = _load_error(bench, outcome) if loads else None
        if refused is not None:
            raise _state_lost(
                bench,
                f"the state saved after {method} had failed in {hook} cannot be loaded: {in_words(refused)}",
            )


def _load_error(bench: Bench, outcome: Outcome) -> BaseException | None:
    """Returns what a resume from the checkpoint raised that the trainer saved when it died."""
    if outcome.run_folder is None:
        return None
    files = sorted((outcome.run_folder / "checkpoints").glob("*.error_trainer.th"))
    if not files:
        return None
    tag = files[-1].name.partition("_cp=")[2].removesuffix("_trainer.th")
    checkpoint = Checkpoint(output_root=outcome.run_folder.parent, run_id=outcome.run_folder.name, tag=tag)
    resumed = bench.train(replace(bench.plan.resumed(checkpoint), stop=Stop(after_update=1)))
    errors = (found for found in resumed.hook_errors if found.moment.hook == "load_state_dict")
    return next((found.error for found in errors if not bench.refuses(found.error)), None)


def _state_lost(bench: Bench, what: str) -> Finding:
    return Finding(
        seen=f"In a round of an ordinary run, {what}.",
        expected="The state can be told, saved and loaded at any moment, after a failure as well.",
        fix="Change attributes only when all that can fail is done, so that they fit together at every moment.",
        location=place_of(type(bench.built)),
    )
