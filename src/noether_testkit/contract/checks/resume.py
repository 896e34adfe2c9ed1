"""Checks of the resume: what a run does that was stopped and goes on."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, check
from noether_testkit.contract.harness import Outcome
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of, place_of_error
from noether_testkit.contract.resume import Draws, Experiment, Search, Space, experiment, search, space_of
from noether_testkit.contract.resume.clock import PAUSE_S, mixed_sessions
from noether_testkit.contract.resume.culprit import culprit_of, has_nothing_to_lose
from noether_testkit.contract.resume.experiment import twin_of
from noether_testkit.contract.resume.sources import Source, missing_files, other_source
from noether_testkit.contract.resume.tables import changed_tables
from noether_testkit.plan import Checkpoint, Stop

_SOUND_STATE = (
    *BUILT,
    "fits-hook-signatures",
    "has-state-of-the-right-shape",
    "saves-and-loads-as-a-pair",
    "is-stateful-from-construction",
    "saves-what-loads-safely",
    "round-trips-its-state",
    "keeps-loaded-state-at-start",
)
_EXPLAINED = (
    "leaves-grad-mode-alone",
    "leaves-weights-untouched",
    "leaves-modes-untouched",
    "survives-a-zero-update-run",
    "completes-an-ordinary-run",
    "stops-only-from-periodic-hooks",
    "reads-state-without-effect",
    "loads-twice-like-once",
)
_AS_IF = "resumes-as-if-uninterrupted"
_SOURCE = "resumes-from-its-source"


@check(
    force=Force.MUST,
    promise="leaves the same log, files, decisions, weights and state when a run is stopped and resumed.",
    why="A run of days is resumed several times: after a time limit, a crash, a better offer for the machine. What the "
    "callback forgets at that moment (a best value, a patience, an average) is wrong from then on, and no error tells.",
    after=_SOUND_STATE,
    explained_by=(*_EXPLAINED, _SOURCE),
)
def resumes_as_if_uninterrupted(bench: Bench) -> str | None:
    """Trains once without a stop and once with stops at the ends of intervals, and compares."""
    space = _space(bench)

    def counts(tried: Experiment) -> bool:
        return not _only_by_crashes(bench, space, tried)

    def is_window(tried: Experiment) -> bool:
        return tried.passes and culprit_of(bench, space, tried.trial).is_window

    draws = _sized(bench, Draws(space=space))
    seen = search(bench, draws, counts, is_window)
    if seen.found is None:
        _look_far_ahead(bench, draws, seen)
    if seen.found is None:
        return _remark(seen)
    raise _finding(
        bench,
        space,
        seen.found,
        expected="A resumed run leaves what a run leaves that was never stopped.",
        fix="Hand out in state_dict everything that later hooks read, and set it again in load_state_dict; what is "
        "too large for a state goes into files, and comes back in resume_from_checkpoint.",
    )


@check(
    force=Force.SHOULD,
    promise="leaves the same when a run is stopped at any update, in the middle of an interval or an epoch too.",
    why="Machines are taken away at any update, and checkpoints have an interval of their own. What is gathered "
    "between two turns and counts beyond them is lost then.",
    after=(*_SOUND_STATE, _AS_IF, _SOURCE),
    explained_by=(*_EXPLAINED, "resumes-after-a-crash"),
)
def resumes_at_any_update(bench: Bench) -> str | None:
    """Stops runs at any update; a window that was half full, and a warning in time, are limits and no faults."""
    space = _space(bench)

    def counts(tried: Experiment) -> bool:
        return tried.warning is None and not _says_what_is_missing(tried)

    def is_window(tried: Experiment) -> bool:
        culprit = culprit_of(bench, space, tried.trial)
        return culprit.is_half_window or (tried.passes and not culprit.splits_a_window)

    draws = _sized(bench, Draws(space=space, anywhere=True, laid=4, count=4))
    seen = search(bench, draws, counts, is_window)
    if seen.found is None:
        return _remark(seen)
    raise _finding(
        bench,
        space,
        seen.found,
        expected="A run that is stopped between two turns leaves the same, but for what the first turn afterwards "
        "gathers over half an interval.",
        fix="Put what is gathered between two turns into the state as well, with the number of values in it, or warn "
        "in load_state_dict or resume_from_checkpoint that it starts anew.",
    )


@check(
    force=Force.MUST,
    promise="leaves the same when the run died without its end hooks, and can tell its state after its own failure.",
    why="Most runs that are resumed were not ended, they died: out of memory, out of time, out of power. No end hook "
    "was called, and some updates after the checkpoint are trained a second time.",
    after=(*_SOUND_STATE, _AS_IF, _SOURCE),
    explained_by=_EXPLAINED,
)
def resumes_after_a_crash(bench: Bench) -> str | None:
    """Kills runs some updates after their checkpoint, and asks for the state right after a hook has failed."""
    _require_state_after_failure(bench)
    space = _space(bench)
    for lost in (2, 0):
        draws = _sized(bench, Draws(space=space, lost=lost, crashes_only=True, laid=2, count=lost))
        seen = search(bench, draws, lambda _: True, lambda tried: tried.passes)
        if seen.found is not None:
            raise _finding(
                bench,
                space,
                seen.found,
                expected="A run that was killed and resumed leaves what a run leaves that was never stopped.",
                fix="Do not count on after_training for anything that a resume needs, and take from the checkpoint "
                "what belongs to it, not what is newest on disk.",
            )
    return _remark(seen)


@check(
    force=Force.MUST,
    promise="restores from the paths and the checkpoint that it is asked to resume from, and from no other.",
    why="A run is often resumed from a checkpoint before the last one, because later ones are spoilt. A callback that "
    "takes the newest file, or one of its new run, then goes on with something else than the model does.",
    after=_SOUND_STATE,
    explained_by=("fits-hook-signatures",),
)
def resumes_from_its_source(bench: Bench) -> str | None:
    """Resumes from an early checkpoint, once with and once without later files around, and in its own folder."""
    found = other_source(bench, _space(bench))
    if found is None:
        return None
    raise Finding(
        seen=f"{_SOURCES[found.kind]} {found.mismatch.what} is {found.mismatch.twin} where only the files of that "
        f"checkpoint are there, and {found.mismatch.resumed} {found.beside}.",
        expected="What is restored depends on the checkpoint that was asked for, and on nothing else.",
        fix="Read below resumption_paths.checkpoint_path, and only files with the tag in "
        "self.trainer.initializer.checkpoint_tag; not the newest, not `latest`, not those of the new run's own paths.",
        location=found.location,
    )


@check(
    force=Force.SHOULD,
    promise="says so clearly, or starts afresh with a warning, where the files of its resume are missing.",
    why="Checkpoints are copied, pruned and renamed. A callback that misses its file in silence goes on with an empty "
    "average; one that dies of an AttributeError keeps the whole run from being resumed.",
    after=(*_SOUND_STATE, _AS_IF, _SOURCE),
)
def resumes_without_its_files(bench: Bench) -> str | None:
    """Deletes the callback's own files before a resume."""
    found = missing_files(bench, _space(bench))
    if found is None:
        raise NotApplicable("It wrote no file of its own before the stop.")
    if isinstance(found, str):
        return found
    raise Finding(
        seen=f"Without {found.file}, {found.what}.",
        expected="An error that names the missing file, or a warning and a fresh start.",
        fix="Look whether the file is there in resume_from_checkpoint; where it is not, raise an error that names it, "
        "or log a warning and start afresh.",
        location=found.location,
    )


@check(
    force=Force.SHOULD,
    promise="goes on with its tables and logs: loses no row, doubles no row, and writes one header.",
    why="A table that is opened for writing at every start holds the last session only. What was measured in the days "
    "before is gone, and nobody looks before it is needed.",
    after=(*_SOUND_STATE, _AS_IF, _SOURCE),
    explained_by=("reads-state-without-effect", "resumes-after-a-crash"),
)
def continues_its_output_files(bench: Bench) -> str | None:
    """Resumes in the same run folder, and compares the rows of text files."""
    found = changed_tables(bench, _space(bench))
    if found is None or isinstance(found, str):
        return found
    raise Finding(
        seen=f"{str(found.trial).capitalize()}, resumed in the same folder: {found.what}.",
        expected="The same rows as in a run that was never stopped, under one header.",
        fix="Open the file with mode 'a', and write the header only where the file is new; where rows of updates that "
        "are trained again may be there, drop those after self.trainer.start_checkpoint first.",
        location=found.location,
    )


@check(
    force=Force.MAY,
    promise="logs rates and remaining times that belong to one session.",
    why="Two days are left, says the log of a resumed run, and it takes five: the seconds of this session were divided "
    "by the updates of all sessions.",
    after=(*_SOUND_STATE, _AS_IF, _SOURCE),
    explained_by=_EXPLAINED,
)
def measures_this_session_only(bench: Bench) -> None:
    """Resumes after a long pause on a clock of the kit's own, and compares rates and remaining times."""
    found = mixed_sessions(bench, _space(bench))
    if found is None:
        return
    raise Finding(
        seen=f"{str(found.trial).capitalize()}, with one second an update and a pause of {PAUSE_S:.0f} seconds: the "
        f"log value {found.key!r} of update {found.update} is {found.twin:.6g} in a run that was never stopped, and "
        f"{found.resumed:.6g} in the resumed one.",
        expected="At the same speed, the same rate and the same remaining time.",
        fix="Note time and update in before_training, and divide what has come since then; or save how many seconds "
        "the earlier sessions took.",
        location=found.location,
    )


_SOURCES = {
    Source.LATER: "Resumed from an early checkpoint:",
    Source.OTHER_RUN: "Resumed from a checkpoint:",
    Source.OWN_FOLDER: "Resumed in a run folder of its own:",
}


def _space(bench: Bench) -> Space:
    if bench.rehearsal.outcome.error is not None:
        raise unfinished(bench.rehearsal.outcome)
    space = bench.once("space of trials", lambda: space_of(bench))
    return replace(space, subject=bench.subject)


def _sized(bench: Bench, draws: Draws) -> Draws:
    """Returns what to try, which is less where nothing can be lost: one trial shows that the run goes through.

    A callback that ends runs by itself is tried as often as others: the one trial could be over before its stop.
    """
    space, first = draws.space, list(islice(Draws(space=draws.space).laid_out(), 2))
    ends = any(twin_of(bench, space, each).outcome.updates < each.plan.total_updates for each in first)
    is_bare = not ends and bench.once("nothing to lose", lambda: has_nothing_to_lose(bench, space, first))
    return replace(draws, laid=1, count=0) if is_bare else draws


def _look_far_ahead(bench: Bench, draws: Draws, seen: Search) -> None:
    """Tries one long run where attributes were lost that made no difference in the short ones."""
    trial = draws.long_one() if draws.count else None
    if trial is None or seen.refusals or not culprit_of(bench, draws.space, trial).lost:
        return
    tried = experiment(bench, draws.space, trial)
    decided = tuple(each for each in tried.mismatches if each.kind == "decision")
    if decided:
        seen.found = replace(tried, mismatches=decided)


def _says_what_is_missing(tried: Experiment) -> bool:
    """Returns whether the resumed run died of a file that is not there, which the error names."""
    return isinstance(tried.mismatches[0].error, OSError)


def _only_by_crashes(bench: Bench, space: Space, tried: Experiment) -> bool:
    """Returns whether the same trial holds where the run is ended in order; that is a matter of another check."""
    if all(stop.kind != "crash" for stop in tried.trial.stops):
        return False
    orderly = tuple(replace(stop, kind="early-stop") for stop in tried.trial.stops)
    return not experiment(bench, space, replace(tried.trial, stops=orderly)).mismatches


def _finding(bench: Bench, space: Space, found: Experiment, *, expected: str, fix: str) -> Finding:
    first = found.mismatches[0]
    culprit = culprit_of(bench, space, found.trial)
    what = f"{first.what} is {first.twin} in a run that was never stopped, and {first.resumed} in the resumed one."
    if first.error is not None:
        what = f"a run that was never stopped goes through, and in the resumed one {first.what} {first.resumed}."
    seen = f"{str(found.trial).capitalize()}: {what} {culprit.sentence}"
    place = place_of_error(first.error) if first.error is not None else None
    return Finding(seen=seen.rstrip(), expected=expected, fix=fix, location=place or culprit.location)


def _remark(seen: Search) -> str | None:
    if seen.refusals:
        return f"It refuses to be resumed: {error_in_words(seen.refusals[0])}."
    if seen.warned:
        return f"{str(seen.warned[0].trial).capitalize()}: it warned when it was restored: {seen.warned[0].warning}"
    if seen.passing:
        tried = seen.passing[0]
        how = ", and later ones agree again" if tried.passes else ": a window that was half full started anew"
        return f"{str(tried.trial).capitalize()}: {tried.mismatches[0].what} differs{how}."
    if seen.tried == 0:
        raise NotApplicable("No run could be stopped at the end of an interval before the callback ended it.")
    if seen.unsteady:
        names = sorted({path for _, path in seen.unsteady})
        return f"Not compared, because it differs between two equal runs: {', '.join(names)}."
    return None


def _require_state_after_failure(bench: Bench) -> None:
    """Lets a call of the callback fail in a round, where the trainer saves a checkpoint before it dies."""
    for hook, method, _ in bench.rehearsal.outcome.uses:
        if hook not in ("after_update", "after_epoch"):
            continue
        outcome = bench.train(hook_faults={(hook, method, 1): _injected})
        raised = next((found.error for found in outcome.hook_errors if found.moment.hook == "state_dict"), None)
        if raised is not None:
            raise _state_lost(bench, f"after {method} had failed in {hook}, state_dict raised {error_in_words(raised)}")
        loads = is_overridden(bench.built, "load_state_dict")
        refused = _load_error(bench, outcome) if loads else None
        if refused is not None:
            raise _state_lost(
                bench,
                f"the state saved after {method} had failed in {hook} cannot be loaded: {error_in_words(refused)}",
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


def _injected() -> BaseException:
    return RuntimeError("This call fails because the kit makes it fail.")


CHECKS = (
    resumes_from_its_source,
    resumes_as_if_uninterrupted,
    resumes_at_any_update,
    resumes_after_a_crash,
    resumes_without_its_files,
    continues_its_output_files,
    measures_this_session_only,
)
