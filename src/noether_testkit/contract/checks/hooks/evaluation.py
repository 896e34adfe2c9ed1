"""Check of whether a callback works in evaluation runs, which call nothing but `at_eval`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from noether_testkit.contract.bench import Bench, Enough, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.locate import in_words, place_of_error
from noether_testkit.fakes.batches import evaluation_batches, iterator_arguments
from noether_testkit.fakes.lineage import data_iterators, is_early_stop, is_periodic

_EVALUATES = "An evaluation run builds the callback and calls at_eval, and neither start nor end hooks."


@check(
    force=Force.MUST,
    promise="works in an evaluation run, or says clearly that it does not: at first, twice, and after the end.",
    why="An evaluation run calls at_eval on a newly built callback, without any start hook. One that counts on "
    "before_training breaks there, days after the training, when somebody wants the figures of a checkpoint.",
    unless=("trains-only",),
    after=BUILT,
    explained_by=(
        "evaluates-without-changing-training",
        "fits-hook-signatures",
        "leaves-grad-mode-alone",
        "has-state-of-the-right-shape",
        "completes-an-ordinary-run",
        "round-trips-its-state",
        "saves-what-loads-safely",
    ),
)
def works_in_an_evaluation_run(bench: Bench) -> str | None:
    """Evaluates fresh weights, a checkpoint, a second time, and after the end of training."""
    plan = replace(bench.plan, evaluate=True)
    fresh = bench.fresh_evaluation
    trained = bench.train(bench.plan_with_checkpoint)
    runs = [("an evaluation run", fresh)]
    runs += [
        (f"an evaluation run of the checkpoint of update {update}", bench.train(replace(plan, resume_from=checkpoint)))
        for update, checkpoint in trained.checkpoints.items()
    ]
    for kind, outcome in runs:
        if outcome.error is None:
            continue
        found = next(iter(outcome.failures), None)
        if found is not None and bench.refuses(found.error) and not is_early_stop(found.error):
            return f"It does not work in {kind}: {in_words(found.error)}."
        if bench.would_break_anyway(plan):
            continue
        where = f"{found.moment} raised" if found is not None else "the trainer raised"
        raise _broken(kind, where, outcome.error)
    remark = _require_again(bench)
    require_finished(bench.rehearsal.outcome)
    return remark


@dataclass(frozen=True, kw_only=True)
class _Again:
    """What a second `at_eval` of one instance raised."""

    when: str
    moment: Moment
    error: BaseException | None


class _AgainWatch:
    """Calls `at_eval` once more on the same instance, after it or after the end of training."""

    def __init__(self, after: str, when: str, entry: dict[str, Any] | None) -> None:
        self.found: _Again | None = None
        self.entry = entry
        self._after = after
        self._when = when

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        if moment.hook == "at_eval":
            entry = moment.callback.trainer.log_writer.log_cache
            self.entry = None if entry is None else dict(entry)
        yield
        if moment.hook != self._after:
            return
        callback, trainer = moment.callback, moment.callback.trainer
        others_log = self.entry and dict(self.entry)  # what is logged before its turn, and nothing of its own
        trainer.log_writer.log_cache = others_log
        error: BaseException | None = None
        moment.model.eval()
        try:
            callback.at_eval(trainer.update_counter, **_data_for(callback, moment.model, trainer))
        except Exception as raised:  # noqa: BLE001 - whatever the callback raises is what is asked for
            error = raised
        self.found = _Again(when=self._when, moment=moment, error=error)
        raise Enough


def _require_again(bench: Bench) -> str | None:
    if not is_periodic(bench.built):
        return None
    entry: dict[str, Any] | None = None
    for run, after, when in (
        (bench.evaluate, "at_eval", "called for the second time"),
        (bench.train, "after_training", "called after the end of training"),
    ):
        watch = _AgainWatch(after, when, entry)
        run(watch=watch)
        entry = watch.entry
        again = watch.found
        if again is None or again.error is None:
            continue
        if bench.refuses(again.error) and not is_early_stop(again.error):
            return f"It does not work when at_eval is {when}: {in_words(again.error)}."
        raise _broken("an evaluation", f"at_eval, {when} on one instance, raised", again.error)
    return None


def _data_for(callback: Any, model: Any, trainer: Any) -> dict[str, Any]:
    iterators = data_iterators(callback)
    if not iterators:
        return {}
    batch_size = trainer.config.effective_batch_size
    batches = evaluation_batches([each.sampler_config for each in iterators], batch_size)
    return iterator_arguments(model, batches, batch_size)


def _broken(kind: str, where: str, error: BaseException) -> Finding:
    return Finding(
        seen=f"In {kind}, {where} {in_words(error)}.",
        expected=f"{_EVALUATES} The callback answers, or refuses with an error of its own that says why.",
        fix="Create in the constructor what at_eval needs, or where it is missing raise an error with a reason: "
        "raise NotImplementedError('... says nothing in an evaluation run.'). A callback that is of no use there says "
        "so: declares={'trains-only'}.",
        location=place_of_error(error),
    )


CHECKS = (works_in_an_evaluation_run,)
