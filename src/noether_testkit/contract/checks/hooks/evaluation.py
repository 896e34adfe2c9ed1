"""Checks of evaluation runs, which call nothing but `at_eval`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noether_testkit.contract.bench import Bench, Enough, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import differences, snapshot
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.hooks import place_of_hook
from noether_testkit.contract.locate import in_words, place_of_error
from noether_testkit.contract.probes import WeightProbe
from noether_testkit.contract.trials import can_stop, provoking
from noether_testkit.fakes.batches import evaluation_batches, iterator_arguments
from noether_testkit.fakes.lineage import data_iterators, is_early_stop, is_periodic
from noether_testkit.plan import Checkpoint

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


@check(
    force=Force.MUST,
    promise="saves nothing, stops nothing and changes nothing of the trained run in at_eval.",
    why="An evaluation run looks at a run that is over. A callback that saves a checkpoint there, changes a file of "
    "the trained run or moves its weights replaces the result of days by what happened to be evaluated; one that "
    "raises to stop turns the evaluation into a crash.",
    after=BUILT,
    explained_by=("leaves-weights-untouched",),
)
def evaluates_without_changing_training(bench: Bench) -> None:
    """Looks around `at_eval` at weights, optimiser, files and checkpoints: with fresh weights and with a checkpoint."""
    callback = bench.built
    if not is_periodic(callback):
        raise NotApplicable("Evaluation runs call periodic callbacks only, and this is none.")
    saves = any(method.startswith("checkpoint_writer.") for _, method, _ in bench.rehearsal.outcome.uses)
    trials = [*provoking(bench.subject)] if saves or can_stop(callback) else []
    plan = replace(bench.plan, evaluate=True)
    trained = bench.train(bench.plan_with_checkpoint)
    sources: list[Checkpoint | None] = [None, *trained.checkpoints.values()]
    for source in sources:
        for subject in (bench.subject, *trials):
            watch = _TrainingWatch(None if source is None else source.output_root / source.run_id)
            outcome = bench.train(replace(plan, resume_from=source), subject=subject, watch=watch)
            _require_no_stop(outcome)
            _require_no_save(outcome, watch)
            _require_no_change(bench, watch)
    require_finished(bench.rehearsal.outcome)


class _TrainingWatch:
    """Looks around `at_eval` at what belongs to the training: weights, optimiser, and files of the trained run."""

    def __init__(self, source: Path | None) -> None:
        self.moment: Moment | None = None
        self.changes: list[tuple[str, str]] = []
        self._source = source

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        if moment.hook != "at_eval":
            yield
            return
        self.moment = moment
        weights = WeightProbe(moment.model)
        look, optimizer, files = weights.look(), _optimizer(moment), self._folders(moment)
        try:
            yield
        finally:
            changes = weights.changes(look, weights.look())
            self.changes += [("the weights", str(change)) for change in changes]
            self.changes += [("the optimiser", text) for text in _told(optimizer, _optimizer(moment))]
            for what, after in self._folders(moment).items():
                self.changes += [(what, text) for text in _told_of_files(files[what], after)]

    def _folders(self, moment: Moment) -> dict[str, dict[str, bytes]]:
        own = Path(moment.callback.trainer.path_provider.run_output_path)
        return {
            "the checkpoint folder": _files(own / "checkpoints"),
            "the folder of the trained run": {} if self._source is None else _files(self._source),
        }


def _optimizer(moment: Moment) -> Any:
    """Returns a copy of the optimiser's state, where there is an optimiser."""
    optimizer = getattr(moment.model, "optimizer", None)
    return None if optimizer is None else snapshot(optimizer.state_dict())


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
        trainer.log_writer.log_cache = self.entry and dict(
            self.entry
        )  # what others log before its turn, and nothing of its own
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


def _require_no_stop(outcome: Outcome) -> None:
    found = next((each for each in outcome.hook_errors if is_early_stop(each.error)), None)
    if found is not None and found.moment.hook == "at_eval":
        raise Finding(
            seen=f"In an evaluation run at_eval raised {in_words(found.error)}: there is no training to stop, and the "
            "evaluation ends as a crash.",
            expected="In an evaluation run nothing is decided about training.",
            fix="Ask for the interval before deciding: if interval_type == 'eval': return.",
            location=place_of_error(found.error),
        )


def _require_no_save(outcome: Outcome, watch: _TrainingWatch) -> None:
    saves = [use for use in outcome.uses if use[0] == "at_eval" and use[1].startswith("checkpoint_writer.save")]
    if saves and watch.moment is not None:
        raise Finding(
            seen=f"In an evaluation run at_eval called {saves[0][1]}.",
            expected="An evaluation run saves no checkpoint.",
            fix="Ask for the interval before saving: if interval_type == 'eval': return.",
            location=place_of_hook(watch.moment),
        )


def _require_no_change(bench: Bench, watch: _TrainingWatch) -> None:
    changes = [each for each in watch.changes if not _is_declared(bench, each[0])]
    if not changes or watch.moment is None:
        return
    what, change = changes[0]
    raise Finding(
        seen=f"In an evaluation run at_eval changed {what}: {change}.",
        expected="Weights, optimiser, checkpoints and the files of the trained run are as they were. Results of the "
        "evaluation go to the log, the tracker, or a file of its own in the folder of the evaluation run.",
        fix="Put weights back before at_eval ends (try/finally), and write no file but below "
        "self.trainer.path_provider.run_output_path; if interval_type == 'eval': return keeps the rest to training.",
        location=place_of_hook(watch.moment),
    )


def _is_declared(bench: Bench, what: str) -> bool:
    """Returns whether a change is the callback's declared job, which it does in training just so."""
    word = {"the weights": "writes-weights", "the optimiser": "writes-optimizer"}.get(what)
    return word in bench.subject.declares and what in bench.once("changed in training", lambda: _changed(bench))


def _changed(bench: Bench) -> frozenset[str]:
    """Returns what the callback changes in its turn of an ordinary run."""
    found: set[str] = set()

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook not in ("after_update", "after_epoch"):
            yield
            return
        inner = _TrainingWatch(None)
        with inner(replace(moment, hook="at_eval")):
            yield
        found.update(what for what, _ in inner.changes)

    bench.train(watch=watch)
    return frozenset(found)


def _told(before: Any, after: Any) -> Iterator[str]:
    for each in differences(before, after, path=""):
        yield f"{each.path} was {each.left} before and {each.right} after"


def _told_of_files(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield f"{name} is new"
        elif new is None:
            yield f"{name} is gone"
        elif old != new:
            yield f"{name} has other contents"


def _files(folder: Path) -> dict[str, bytes]:
    """Returns the contents of each file below a folder."""
    if not folder.is_dir():
        return {}
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


CHECKS = (works_in_an_evaluation_run, evaluates_without_changing_training)
