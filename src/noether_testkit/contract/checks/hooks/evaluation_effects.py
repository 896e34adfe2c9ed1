"""Check of what a callback does to the training in evaluation runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import differences, snapshot
from noether_testkit.contract.harness import Moment, Outcome
from noether_testkit.contract.hooks import place_of_hook
from noether_testkit.contract.locate import in_words, place_of_error
from noether_testkit.contract.probes import WeightProbe
from noether_testkit.contract.trials import can_stop, provoking
from noether_testkit.fakes.lineage import is_early_stop, is_periodic
from noether_testkit.plan import Checkpoint

_OFTEN = {0: "never", 1: "once"}


@check(
    force=Force.MUST,
    promise="saves nothing, stops nothing, decides nothing and changes nothing of the trained run in at_eval.",
    why="An evaluation run looks at a run that is over. A callback that saves a checkpoint there, changes a file of "
    "the trained run or moves its weights replaces the result of days by what happened to be evaluated; one that "
    "raises to stop turns the evaluation into a crash.",
    after=BUILT,
    explained_by=("leaves-weights-untouched",),
)
def evaluates_without_changing_training(bench: Bench) -> str | None:
    """Looks around `at_eval` at what belongs to training: with fresh weights and with a checkpoint."""
    callback = bench.built
    if not is_periodic(callback):
        raise NotApplicable("Evaluation runs call periodic callbacks only, and this is none.")
    rehearsed = bench.rehearsal.outcome
    saves = any(method.startswith("checkpoint_writer.") for _, method, _ in rehearsed.uses)
    trials = [*provoking(bench.subject)] if saves or rehearsed.summarised or can_stop(callback) else []
    plan = replace(bench.plan, evaluate=True)
    trained = bench.train(bench.plan_with_checkpoint)
    remark = None
    sources: list[Checkpoint | None] = [None, *trained.checkpoints.values()]
    for source in sources:
        for subject in (bench.subject, *trials):
            watch = _TrainingWatch(None if source is None else source.output_root / source.run_id)
            outcome = bench.train(replace(plan, resume_from=source), subject=subject, watch=watch)
            _require_no_stop(outcome)
            _require_no_save(outcome, watch)
            _require_no_change(bench, watch)
            remark = remark or _decision(bench, outcome)
    require_finished(rehearsed)
    return remark


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


def _decision(bench: Bench, outcome: Outcome) -> str | None:
    """Tells of a summary value that training sets depending on values; one that it always sets is a report.

    It is a remark: an evaluation run has a summary of its own, and that of the trained run stays as it is.
    """
    for hook, key in outcome.summarised:
        counts = bench.once("summaries in training", lambda: _summaries(bench)).get(key, {})
        if hook == "at_eval" and len({*counts.values()}) > 1:
            often = ", ".join(f"{_OFTEN.get(count, f'{count} times')} {when}" for when, count in counts.items())
            return (
                f"In an evaluation run at_eval set {key!r} in the summary of that run, as if it decided about "
                f"training, where it was set {often}. To keep the two apart: if interval_type == 'eval': return."
            )
    return None


def _summaries(bench: Bench) -> dict[str, dict[str, int]]:
    """Returns how often training sets each summary value, with metrics that rise and with metrics that fall.

    A trial that is stopped early, or fails, has fewer turns and says nothing.
    """
    rising, falling, _ = provoking(bench.subject)
    runs = {
        "in an ordinary run": bench.rehearsal.outcome,
        "with metrics that rise": bench.train(subject=rising),
        "with metrics that fall": bench.train(subject=falling),
    }
    complete = {when: run for when, run in runs.items() if run.updates == bench.plan.total_updates and not run.error}
    keys = sorted({key for run in complete.values() for _, key in run.summarised})
    return {key: {when: _times_set(run, key) for when, run in complete.items()} for key in keys}


def _times_set(run: Outcome, key: str) -> int:
    return sum(count for (_, each), count in run.summarised.items() if each == key)


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


CHECKS = (evaluates_without_changing_training,)
