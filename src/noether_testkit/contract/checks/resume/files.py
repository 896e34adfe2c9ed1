"""Checks of the files of a resume: where they are read, where they are missing, and how they go on."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, NotApplicable, check
from noether_testkit.contract.checks.resume.common import AS_IF, SOUND_STATE, SOURCE, space_for
from noether_testkit.contract.resume.sources import Source, missing_files, other_source
from noether_testkit.contract.resume.tables import changed_tables

_SOURCES = {
    Source.LATER: "Resumed from the early checkpoint of update {update}:",
    Source.OTHER_RUN: "Resumed from the checkpoint of update {update}:",
    Source.OWN_FOLDER: "Resumed from the checkpoint of update {update} in a run folder of its own:",
}


@check(
    force=Force.MUST,
    promise="restores from the paths and the checkpoint that it is asked to resume from, and from no other.",
    why="A run is often resumed from a checkpoint before the last one, because later ones are spoilt. A callback that "
    "takes the newest file, or one of its new run, then goes on with something else than the model does.",
    after=SOUND_STATE,
    explained_by=("fits-hook-signatures",),
)
def resumes_from_its_source(bench: Bench) -> str | None:
    """Resumes from an early checkpoint, once with and once without later files around, and in its own folder."""
    found = other_source(bench, space_for(bench))
    if found is None:
        return None
    raise Finding(
        seen=f"{_SOURCES[found.kind].format(update=found.update)} {found.mismatch.what} is {found.mismatch.twin} where "
        f"only the files of that checkpoint are there, and {found.mismatch.resumed} {found.beside}.",
        expected="What is restored depends on the checkpoint that was asked for, and on nothing else.",
        fix="Read below resumption_paths.checkpoint_path, and only the file of the update at which the checkpoint was "
        "written, which is str(self.trainer.start_checkpoint) where a run is resumed from `latest`, too; not the "
        "newest, and not those of the new run's own paths.",
        location=found.location,
    )


@check(
    force=Force.SHOULD,
    promise="says so clearly, or starts afresh with a warning, where the files of its resume are missing.",
    why="Checkpoints are copied, pruned and renamed. A callback that misses its file in silence goes on with an empty "
    "average; one that dies of an AttributeError keeps the whole run from being resumed.",
    after=(*SOUND_STATE, AS_IF, SOURCE),
)
def resumes_without_its_files(bench: Bench) -> str | None:
    """Deletes the callback's own files before a resume."""
    found = missing_files(bench, space_for(bench))
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
    after=(*SOUND_STATE, AS_IF, SOURCE),
    explained_by=("reads-state-without-effect", "resumes-after-a-crash"),
)
def continues_its_output_files(bench: Bench) -> str | None:
    """Resumes in the same run folder, and compares the rows of text files."""
    found = changed_tables(bench, space_for(bench))
    if found is None or isinstance(found, str):
        return found
    raise Finding(
        seen=f"{str(found.trial).capitalize()}, resumed in the same folder: {found.what}.",
        expected="The same rows as in a run that was never stopped, under one header.",
        fix="Open the file with mode 'a', and write the header only where the file is new; where rows of updates that "
        "are trained again may be there, drop those after self.trainer.start_checkpoint first.",
        location=found.location,
    )
