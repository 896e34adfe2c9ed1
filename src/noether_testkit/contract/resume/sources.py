"""Where a callback restores from: the checkpoint that was asked for, or something that lies around."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words, place_of, place_of_error
from noether_testkit.contract.ordinary import LONGEST
from noether_testkit.contract.resume.compared import mismatches, unsteady_between
from noether_testkit.contract.resume.draws import Draws
from noether_testkit.contract.resume.experiment import twin_of
from noether_testkit.contract.resume.files import WRITTEN, Lines, contents, of_the_kit
from noether_testkit.contract.resume.mismatch import Mismatch, Session
from noether_testkit.contract.resume.restoring import Restoring
from noether_testkit.contract.resume.trial import Space, Trial
from noether_testkit.plan import Checkpoint, Stop, TrainingPlan


class Source(Enum):
    """What a callback restored from instead."""

    LATER = "later"
    OTHER_RUN = "other run"
    OWN_FOLDER = "own folder"


@dataclass(frozen=True, kw_only=True)
class OtherSource:
    """A resume that depends on what else is on disk."""

    kind: Source
    update: int
    mismatch: Mismatch
    beside: str
    location: str | None


@dataclass(frozen=True, kw_only=True)
class MissingFiles:
    """What a resume without the callback's files did."""

    file: str
    what: str
    location: str | None


def other_source(bench: Bench, space: Space) -> OtherSource | None:
    """Resumes from one checkpoint in several surroundings, and returns the first that makes a difference."""
    trial = _two_stops(space)
    if trial is None:
        raise NotApplicable("There are no two places at which a run could be stopped.")
    if not _has_files(bench, space, trial):
        raise NotApplicable("It writes no file and has no resume_from_checkpoint of its own.")
    first, second = trial.stops
    clean = _resumed(bench, space, trial, _stopped(bench, space, trial, first))
    if clean.error is not None:
        return _needs_its_own_folder(bench, space, trial, clean)
    settings: list[tuple[Source, str, Callable[[], Outcome]]] = [
        (
            Source.LATER,
            f"where there are later ones too, up to update {second.after_update}",
            lambda: _resumed(bench, space, trial, _both(bench, space, trial)),
        ),
        (
            Source.OTHER_RUN,
            "where a newer run lies beside it",
            lambda: _resumed(bench, space, trial, _beside_another(bench, space, trial)),
        ),
        (
            Source.OWN_FOLDER,
            "in the folder of the run that was stopped: it reads below its own run's paths",
            lambda: _resumed(bench, space, trial, _stopped(bench, space, trial, first), in_place=True),
        ),
    ]
    for kind, beside, resume in settings:
        mismatch = _first_difference(bench, space, trial, clean, resume, files=kind is not Source.OWN_FOLDER)
        died_of_its_tables = kind is Source.OWN_FOLDER and mismatch is not None and mismatch.error is not None
        if mismatch is not None and not died_of_its_tables:
            return OtherSource(
                kind=kind,
                update=first.after_update,
                mismatch=mismatch,
                beside=beside,
                location=_place_of_resume(bench),
            )
    return None


def _needs_its_own_folder(bench: Bench, space: Space, trial: Trial, clean: Outcome) -> OtherSource | None:
    """Returns what a resume that died says about its source: whether it goes through in the folder of the old run."""
    in_place = _resumed(bench, space, trial, _stopped(bench, space, trial, trial.stops[0]), in_place=True)
    if in_place.error is not None:
        return None
    (died,) = mismatches(_bare(in_place), _bare(clean), trial.stops[0].after_update)
    return OtherSource(
        kind=Source.OWN_FOLDER,
        update=trial.stops[0].after_update,
        mismatch=died,
        beside="although resumption_paths leads to its files, and it goes through in the folder of the old run",
        location=_place_of_resume(bench),
    )


def _place_of_resume(bench: Bench) -> str | None:
    callback = bench.built
    own = is_overridden(callback, "resume_from_checkpoint")
    return place_of(type(callback).resume_from_checkpoint if own else type(callback))


def missing_files(bench: Bench, space: Space) -> MissingFiles | str | None:
    """Deletes what the callback wrote itself before a resume.

    Returns:
        What went wrong, or in words how the callback took it, or `None` where it wrote nothing.
    """
    trial = _two_stops(space)
    if trial is None:
        raise NotApplicable("There are no two places at which a run could be stopped.")
    first = _stopped(bench, space, trial, trial.stops[0])
    if not list(_own_files(first)):
        return None
    usual, restoring = Restoring(), Restoring()
    whole = _resumed(bench, space, trial, first, restoring=usual)
    if whole.error is not None:
        return f"It cannot be resumed with its files, either: {in_words(whole.error)}."
    stopped = _stopped(bench, space, trial, trial.stops[0])
    deleted = list(_delete_files(stopped))
    bare = _resumed(bench, space, trial, stopped, restoring=restoring)
    name = deleted[0] if len(deleted) == 1 else f"{deleted[0]} and {len(deleted) - 1} more"
    if bare.error is not None:
        return _of_error(bench, bare.error, name)
    warning = restoring.warning_beyond((*usual.told, *twin_of(bench, space, trial).warned))
    if warning is not None:
        return f"Without its files it starts afresh, with a warning: {warning}"
    mismatch = _first_difference(bench, space, trial, whole, lambda: bare, files=True)
    if mismatch is None:
        return "It resumes without its files as with them."
    what = f"it was resumed without a word, and {mismatch.what} is {mismatch.resumed} instead of {mismatch.twin}"
    return MissingFiles(file=name, what=what, location=place_of(type(bench.built)))


def _of_error(bench: Bench, error: BaseException, name: str) -> MissingFiles | str:
    if bench.refuses(error) or isinstance(error, OSError):
        return f"Without its files it refuses to be resumed: {in_words(error)}."
    return MissingFiles(file=name, what=f"the resume died of {in_words(error)}", location=place_of_error(error))


def _two_stops(space: Space) -> Trial | None:
    """Returns a trial with the first and the last place to stop, both ends of intervals."""
    plan = next((trial.plan for trial in Draws(space=space).laid_out()), None)
    if plan is None:
        return None
    places = space.boundaries(plan, None)
    if len(places) < 2:
        places = space.boundaries(replace(plan, updates=LONGEST), None)[:2]
        plan = replace(plan, updates=min(LONGEST, 2 * places[-1])) if places else plan
    if len(places) < 2:
        return None
    stops = tuple(Stop(after_update=place, kind="crash") for place in (places[0], places[-1]))
    return Trial(plan=plan, stops=stops)


def _has_files(bench: Bench, space: Space, trial: Trial) -> bool:
    """Returns whether the callback writes files, or has a resume of its own that may read some."""
    if is_overridden(bench.built, "resume_from_checkpoint"):
        return True
    return bool(twin_of(bench, space, trial).files)


def _stopped(bench: Bench, space: Space, trial: Trial, stop: Stop) -> Outcome:
    plan = replace(trial.plan, stop=stop, checkpoint_after=(stop.after_update,))
    return bench.train(plan, subject=space.subject_of(trial))


def _both(bench: Bench, space: Space, trial: Trial) -> Outcome:
    places = tuple(stop.after_update for stop in trial.stops)
    plan = replace(trial.plan, stop=trial.stops[1], checkpoint_after=places)
    return bench.train(plan, subject=space.subject_of(trial))


def _beside_another(bench: Bench, space: Space, trial: Trial) -> Outcome:
    stopped = _stopped(bench, space, trial, trial.stops[0])
    places = tuple(stop.after_update for stop in trial.stops)
    bench.train(replace(trial.plan, seed=trial.plan.seed + 1, checkpoint_after=places), subject=space.subject_of(trial))
    return stopped


def _resumed(
    bench: Bench,
    space: Space,
    trial: Trial,
    stopped: Outcome,
    *,
    in_place: bool = False,
    restoring: Restoring | None = None,
) -> Outcome:
    checkpoint = _checkpoint(stopped, trial.stops[0])
    if checkpoint is None:
        return stopped
    plan: TrainingPlan = trial.plan.resumed(checkpoint, in_place=in_place)
    return bench.train(plan, subject=space.subject_of(trial), watch=restoring)


def _checkpoint(stopped: Outcome, stop: Stop) -> Checkpoint | None:
    return stopped.checkpoints.get(stop.after_update)


def _first_difference(
    bench: Bench, space: Space, trial: Trial, clean: Outcome, resume: Callable[[], Outcome], *, files: bool = False
) -> Mismatch | None:
    """Returns what differs for sure; files count only where both runs have the same ones to begin with."""

    def session(outcome: Outcome) -> Session:
        return Session(outcome=outcome, files=_without_texts(outcome) if files else {})

    resumed = resume()
    if resumed.error is not None and bench.refuses(resumed.error):
        return None
    found = list(mismatches(session(clean), session(resumed), trial.stops[0].after_update))
    if not found:
        return None
    again = _resumed(bench, space, trial, _stopped(bench, space, trial, trial.stops[0]))
    unsteady = unsteady_between(session(clean), session(again))
    steady = [each for each in found if (each.kind, each.path) not in unsteady]
    return min(steady, key=_is_of_numbers, default=None)


def _is_of_numbers(mismatch: Mismatch) -> bool:
    """Returns whether a mismatch shows rows of numbers, which tell less than a single value or a missing file."""
    return mismatch.twin.endswith("…") or mismatch.resumed.endswith("…")


def _without_texts(outcome: Outcome) -> dict[str, Any]:
    """Returns what is in the files; of texts only that they are there: what is in tables is said elsewhere."""
    found = contents(outcome)
    return {name: WRITTEN if isinstance(each, Lines) and each.number is None else each for name, each in found.items()}


def _bare(outcome: Outcome) -> Session:
    return Session(outcome=outcome, files={})


def _delete_files(outcome: Outcome) -> Iterator[str]:
    """Deletes the callback's own files below the run folder, and yields their names."""
    for name, file in _own_files(outcome):
        file.unlink()
        yield name


def _own_files(outcome: Outcome) -> Iterator[tuple[str, Path]]:
    """Yields the callback's own files below the run folder, by name."""
    if outcome.run_folder is None:
        return
    kept = of_the_kit(outcome)
    for file in sorted(outcome.run_folder.rglob("*")):
        name = str(file.relative_to(outcome.run_folder))
        if file.is_file() and name not in kept and Path(name).parts[0] != "tracker":
            yield name, file
