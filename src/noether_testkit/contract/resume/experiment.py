"""One experiment: trains twice, once without and once with stops, and compares what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.compare import Difference, differences, in_words
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.resume.closeness import ROUNDING, is_close, rounding_of
from noether_testkit.contract.resume.files import WRITTEN, contents, of_the_kit, tables
from noether_testkit.contract.resume.restoring import Restoring
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.fakes.lineage import is_early_stop

COUNTERS = ("epoch", "update", "sample")
_ENOUGH_TO_TELL = 4


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One thing that a resumed run left otherwise than its twin.

    Attributes:
        kind: `error`, `decision`, `log`, `summary`, `file`, `weights`, `optimizer` or `state`.
        what: What it is, in words, such as "the log value 'best' of update 6".
        path: Its name among others of its kind, the same in every trial.
        twin: The value in the run that was never stopped, in words.
        resumed: The value in the resumed run, in words.
        passes: Whether later values of the same name agree again, up to the end, or too few are left to tell.
        error: What ended the resumed run, for an `error`.
    """

    kind: str
    what: str
    path: str
    twin: str
    resumed: str
    passes: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What came of a trial.

    Attributes:
        trial: The trial.
        mismatches: What differs; empty for a resume that leaves no trace.
        refusal: The error by which the callback refused to be resumed, if it did.
        warning: What the callback warned of when it was restored, if it did.
        is_void: Whether the run ended, of its own accord or with an error, before it could be stopped.
    """

    trial: Trial
    mismatches: tuple[Mismatch, ...] = ()
    refusal: BaseException | None = None
    warning: str | None = None
    is_void: bool = False

    @property
    def passes(self) -> bool:
        """Whether all that differs may be over by the end."""
        return all(each.passes for each in self.mismatches)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A run, the files that it left, and the lines of those that are texts, where anybody asks for them."""

    outcome: Outcome
    files: Mapping[str, Any]
    tables: Mapping[str, list[str]] = field(default_factory=dict)


def experiment(bench: Bench, space: Space, trial: Trial) -> Experiment:
    """Trains the twin that is never stopped, then the run that is, and compares them; once for all checks."""
    return bench.once(f"experiment {trial!r}", lambda: _experiment(bench, space, trial))


def _experiment(bench: Bench, space: Space, trial: Trial) -> Experiment:
    subject = space.subject_of(trial)
    twin = twin_of(bench, space, trial)
    if twin.outcome.error is not None or any(stop.after_update >= twin.outcome.updates for stop in trial.stops):
        return Experiment(trial=trial, is_void=True)
    files: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    ignored: set[str] = set()
    restoring = Restoring()
    checkpoint, last = None, 0
    for stop in (*trial.stops, None):
        plan = trial.plan if checkpoint is None else trial.plan.resumed(checkpoint, in_place=trial.in_place)
        if stop is not None:
            ends = replace(stop, after_update=stop.after_update + trial.lost)
            plan = replace(plan, stop=ends, checkpoint_after=(stop.after_update,))
        outcome = bench.train(plan, subject=subject, watch=None if checkpoint is None else restoring)
        summary |= outcome.summary
        refused = _refusal(bench, outcome) if checkpoint is not None else None
        if refused is not None:
            return Experiment(trial=trial, refusal=refused)
        if stop is None:
            files |= contents(outcome)
            all_of_it = Session(outcome=replace(outcome, summary=summary), files=files)
            found = mismatches(twin, all_of_it, last, ignored)
            lasting = tuple(each for each in found if each.path not in restoring.moved_on)
            return Experiment(trial=trial, mismatches=lasting, warning=restoring.warning)
        if stop.after_update not in outcome.checkpoints:
            early = () if checkpoint is None else _of_early_end(outcome, twin.outcome)
            return Experiment(trial=trial, mismatches=early, is_void=not early)
        files |= contents(outcome)
        ignored |= of_the_kit(outcome)
        checkpoint, last = outcome.checkpoints[stop.after_update], stop.after_update
    raise AssertionError  # pragma: no cover - the loop returns


def twin_of(bench: Bench, space: Space, trial: Trial) -> Session:
    """Returns the run that is never stopped; trials with one plan, interval and course share it."""

    def train() -> Session:
        outcome = bench.train(trial.plan, subject=space.subject_of(trial))
        return Session(outcome=outcome, files=contents(outcome), tables=tables(outcome))

    return bench.once(f"twin {trial.plan} {trial.interval} {trial.course}", train)


def unsteady_between(left: Session, right: Session) -> frozenset[tuple[str, str]]:
    """Returns kind and path of what differs between two equal runs."""
    return frozenset((each.kind, each.path) for each in mismatches(left, right, 0))


def _refusal(bench: Bench, outcome: Outcome) -> BaseException | None:
    errors = (found.error for found in outcome.hook_errors if not is_early_stop(found.error))
    return next((error for error in errors if bench.refuses(error)), None)


def _of_early_end(outcome: Outcome, twin: Outcome) -> tuple[Mismatch, ...]:
    return tuple(_of_errors(twin, outcome)) or tuple(_of_decisions(twin, outcome))


def mismatches(twin: Session, resumed: Session, last: int, ignored: Collection[str] = ()) -> Iterator[Mismatch]:
    """Yields what differs after the last stop, the most telling first."""
    mine, theirs = resumed.outcome, twin.outcome
    errors = list(_of_errors(theirs, mine))
    if errors:
        yield from errors
        return
    rounding = rounding_of(theirs.state)
    yield from _of_decisions(theirs, mine)
    yield from _of_log(theirs, mine, last, rounding)
    yield from _of_leaves("summary", "the summary value", theirs.summary, mine.summary, rounding=rounding)
    yield from _of_leaves("state", "the value at the end of", theirs.state, mine.state, rounding=rounding)
    yield from _of_files({name: twin.files[name] for name in twin.files if name not in ignored}, resumed.files)
    yield from _of_leaves("optimizer", "the value at the end of", _groups_of(theirs), _groups_of(mine))
    yield from _of_leaves("weights", "the value at the end of", theirs.weights, mine.weights)
    yield from _of_leaves("optimizer", "the value at the end of", theirs.optimizer, mine.optimizer)


def _groups_of(outcome: Outcome) -> dict[str, Any]:
    """Returns the options of the optimiser, such as learning rates; where they differ, weights do for that reason."""
    return {"param_groups": (outcome.optimizer or {}).get("param_groups")}


def _of_errors(twin: Outcome, resumed: Outcome) -> Iterator[Mismatch]:
    if resumed.error is None:
        return
    hook = next((str(found.moment) for found in resumed.hook_errors), "the trainer")
    yield Mismatch(
        kind="error",
        what=hook,
        path="error",
        twin="nothing unusual" if twin.error is None else error_in_words(twin.error),
        resumed=f"raised {error_in_words(resumed.error)}",
        error=resumed.error,
    )


def _of_decisions(twin: Outcome, resumed: Outcome) -> Iterator[Mismatch]:
    left, right = _end_of(twin), _end_of(resumed)
    if left != right:
        yield Mismatch(kind="decision", what="the end of the run", path="end", twin=left, resumed=right)


def _end_of(outcome: Outcome) -> str:
    stopped = any(is_early_stop(found.error) for found in outcome.hook_errors)
    return f"{'stopped early' if stopped else 'trained to the end,'} after update {outcome.updates}"


def _of_log(twin: Outcome, resumed: Outcome, last: int, rounding: float) -> Iterator[Mismatch]:
    left, right = _by_key(twin.log, last), _by_key(resumed.log, last)
    for key in [*left, *(key for key in right if key not in left)]:
        yield from _of_series(key, left.get(key, {}), right.get(key, {}), rounding)


def _of_series(key: str, left: Mapping[int, Any], right: Mapping[int, Any], rounding: float) -> Iterator[Mismatch]:
    updates = sorted({*left, *right})
    wrong = [update for update in updates if not _agree(left, right, update, rounding)]
    if not wrong:
        return
    first = wrong[0]
    yield Mismatch(
        kind="log",
        what=f"the log value {key!r} of update {first}",
        path=key,
        twin=in_words(left[first]) if first in left else "not logged",
        resumed=in_words(right[first]) if first in right else "not logged",
        passes=_may_pass(updates, wrong),
    )


def _may_pass(updates: list[int], wrong: list[int]) -> bool:
    """Returns whether a series may be one over a window, which had to fill up again after the resume.

    It agrees again up to the end, for two values at least; where it has fewer than four values, nobody can tell.
    """
    return len(updates) < _ENOUGH_TO_TELL or len(updates) - updates.index(wrong[-1]) > 2


def _agree(left: Mapping[int, Any], right: Mapping[int, Any], update: int, rounding: float) -> bool:
    return update in left and update in right and is_close(left[update], right[update], rounding)


def _by_key(log: Iterable[Mapping[str, Any]], last: int) -> dict[str, dict[int, Any]]:
    found: dict[str, dict[int, Any]] = {}
    for entry in log:
        if entry["update"] > last:
            for key, value in entry.items():
                if key not in COUNTERS:
                    found.setdefault(key, {})[entry["update"]] = value
    return found


def _of_files(twin: Mapping[str, Any], resumed: Mapping[str, Any]) -> Iterator[Mismatch]:
    for name, content in twin.items():
        if name not in resumed and _is_named_otherwise(name, content, twin, resumed):
            continue
        if name not in resumed:
            yield Mismatch(kind="file", what=f"the file {name}", path=name, twin="written", resumed="missing")
        else:
            yield from _of_leaves("file", f"the file {name},", content, resumed[name], prefix=name)


def _is_named_otherwise(name: str, content: Any, twin: Mapping[str, Any], resumed: Mapping[str, Any]) -> bool:
    """Returns whether a table may be there under another name, such as one with the start of its session."""
    others = (other for other in resumed if other not in twin)
    return content == WRITTEN and any(PurePath(other).suffix == PurePath(name).suffix for other in others)


def _of_leaves(
    kind: str, what: str, twin: Any, resumed: Any, prefix: str = "", rounding: float = ROUNDING
) -> Iterator[Mismatch]:
    for each in _apart(twin, resumed, kind, rounding):
        yield Mismatch(
            kind=kind, what=f"{what} {each.path}", path=f"{prefix}{each.path}", twin=each.left, resumed=each.right
        )


def _apart(twin: Any, resumed: Any, kind: str, rounding: float) -> list[Difference]:
    return [each for each in differences(twin, resumed, path=kind) if not is_close(*each.values, rounding)]
