"""What becomes of tables and logs on disk when a run goes on in the same folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.locate import in_words, place_of, place_of_error
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import second_twin_of, twin_of
from noether_testkit.contract.resume.files import tables
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.plan import Stop


@dataclass(frozen=True, kw_only=True)
class ChangedTable:
    """A text file with other rows than in a run that was never stopped, or a resume that died beside it.

    Attributes:
        trial: What was tried.
        what: What came of it, in words.
        location: The place in the callback's code.
    """

    trial: Trial
    what: str
    location: str | None


LOST = 2
"""Updates that are trained again after a real crash."""


def changed_tables(bench: Bench, space: Space) -> ChangedTable | str | None:
    """Stops runs, goes on in their folders, and returns the first text file or JSON list with other rows.

    Returns:
        What is wrong; or in words how the callback refused to go on there, or what a crash some updates after the
        checkpoint does to its rows; or `None`.
    """
    trials = list(_trials(space))
    if not trials:
        raise NotApplicable("There is no place at which a run could be stopped.")
    if not any(twin_of(bench, space, trial).tables for trial in trials):
        raise NotApplicable("It writes no table below the run folder: no text file, and no list as JSON.")
    for trial in trials:
        found = _changed(bench, space, trial)
        if found is not None:
            return found
    return _after_a_crash(bench, space, trials[0])


def _trials(space: Space) -> Iterator[Trial]:
    """Yields a trial for each course of the metrics."""
    for laid_out in {trial.course: trial for trial in Draws(space=space).laid_out() if len(trial.stops) == 1}.values():
        places = space.boundaries(laid_out.plan, None)
        stop = Stop(after_update=places[len(places) // 2], kind="crash")
        yield replace(laid_out, stops=(stop,), in_place=True)


def _after_a_crash(bench: Bench, space: Space, trial: Trial) -> str | None:
    """Returns what becomes of the rows of updates that are trained again, which is no fault but worth to know."""
    lossy = replace(trial, lost=min(LOST, trial.plan.total_updates - 1 - trial.stops[0].after_update))
    found = _changed(bench, space, lossy) if lossy.lost else None
    if not isinstance(found, ChangedTable):
        return found
    again = "such rows can be dropped in before_training, by self.trainer.start_checkpoint"
    return f"{str(lossy).capitalize()}, resumed in the same folder: {found.what}; {again}."


def _changed(bench: Bench, space: Space, trial: Trial) -> ChangedTable | str | None:
    (stop,), plan, subject = trial.stops, trial.plan, space.subject_of(trial)
    ends = replace(stop, after_update=stop.after_update + trial.lost)
    stopped = bench.train(replace(plan, stop=ends, checkpoint_after=(stop.after_update,)), subject=subject)
    checkpoint = stopped.checkpoints.get(stop.after_update)
    whole = twin_of(bench, space, trial).tables
    if checkpoint is None or not whole:
        return None
    outcome = bench.train(plan.resumed(checkpoint, in_place=True), subject=subject)
    if outcome.error is not None:
        return _of_error(bench, trial, outcome.error)
    resumed = tables(outcome)
    for file, rows in whole.items():
        new = [row for other in resumed if other not in whole for row in _without_header(resumed[other], rows)]
        mine = [*resumed.get(file, []), *new]
        unsteady = rows != mine and rows != second_twin_of(bench, space, trial).tables.get(file)
        what = _told(rows, mine, by_number=unsteady)
        if what is not None:
            return ChangedTable(trial=trial, what=f"{file} {what}", location=place_of(type(bench.built)))
    return None


def _of_error(bench: Bench, trial: Trial, error: BaseException) -> ChangedTable | str:
    if bench.refuses(error):
        return f"It refuses to go on in the same folder: {in_words(error)}."
    return ChangedTable(trial=trial, what=f"it died of {in_words(error)}", location=place_of_error(error))


def _without_header(rows: list[str], whole: list[str]) -> list[str]:
    """Returns the rows of a file that a session began, without the header that it shares with the whole table."""
    return rows[1:] if rows[:1] == whole[:1] else rows


def _told(whole: list[str], resumed: list[str], *, by_number: bool) -> str | None:
    """Returns what is wrong with the rows; only with their number, where they differ between equal runs.

    Rows that the whole table never had, such as a line that tells of the resume, are nobody's loss.
    """
    if by_number:
        if len(whole) == len(resumed):
            return None
        return f"has {len(resumed)} rows, and {len(whole)} in a run that was never stopped"
    if len(whole) == len(resumed) == 1 and whole != resumed:
        return f"holds {resumed[0][:80]!r}, and {whole[0][:80]!r} in a run that was never stopped"
    lost, more = Counter(whole) - Counter(resumed), Counter(resumed) - Counter(whole)
    if lost:
        return f"has lost {_rows(lost)}"
    doubled = Counter({row: count for row, count in more.items() if row in whole})
    return f"has {_rows(doubled)} too many" if doubled else None


def _rows(rows: Counter[str]) -> str:
    count, first = rows.total(), next(iter(rows))
    return f"{count} row{'s' if count > 1 else ''} (first: {first[:80]!r})"
