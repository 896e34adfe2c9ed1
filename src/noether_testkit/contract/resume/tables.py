"""What becomes of tables and logs on disk when a run goes on in the same folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.locate import in_words, place_of, place_of_error
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import twin_of
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


def changed_tables(bench: Bench, space: Space) -> ChangedTable | str | None:
    """Stops a run, goes on in its folder, and returns the first text file with other rows.

    Returns:
        What is wrong, or in words how the callback refused to go on there, or `None`.
    """
    plan = next((trial.plan for trial in Draws(space=space).laid_out()), None)
    places = [] if plan is None else space.boundaries(plan, None)
    if plan is None or not places:
        raise NotApplicable("There is no place at which a run could be stopped.")
    stop = Stop(after_update=places[len(places) // 2], kind="crash")
    trial = Trial(plan=plan, stops=(stop,), in_place=True)
    subject = space.subject_of(trial)
    whole = twin_of(bench, space, trial).tables
    if not whole:
        raise NotApplicable("It writes no text file below the run folder.")
    stopped = bench.train(replace(plan, stop=stop, checkpoint_after=(stop.after_update,)), subject=subject)
    checkpoint = stopped.checkpoints.get(stop.after_update)
    if checkpoint is None:
        return None
    outcome = bench.train(plan.resumed(checkpoint, in_place=True), subject=subject)
    if outcome.error is not None:
        return _of_error(bench, trial, outcome.error)
    resumed = tables(outcome)
    again = tables(bench.train(plan, subject=subject))
    for file, rows in whole.items():
        unsteady = rows != again.get(file)
        new = [row for other in resumed if other not in whole for row in _without_header(resumed[other], rows)]
        what = _told(rows, [*resumed.get(file, []), *new], by_number=unsteady)
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
