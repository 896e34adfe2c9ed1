"""What lies around a resume: later checkpoints, other runs, missing files, tables that go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.contract.resume.benches import Idle, Waits, bench_of
from tests.defects.continues_its_output_files import (
    DropsWhatIsTrainedAgain,
    GoesOnWithItsTable,
    OpensItsTableAnew,
    ReadsTheLastLineOfItsTable,
    RefusesToMixTwoRuns,
    WritesATableForEachSession,
    WritesItsHeaderTwice,
    WritesTheTimeOfItsTurns,
)
from tests.defects.resumes_from_its_source import (
    NotesWhereItCameFrom,
    TakesItsOwnFolder,
    TakesTheFileOfTheCheckpoint,
    TakesTheNewestFile,
    TakesTheNewestRun,
)
from tests.defects.resumes_without_its_files import (
    RaisesWithTheName,
    StartsEmptyInSilence,
    TakesTheFirstOfNone,
    WarnsThatItStartsAfresh,
    WritesForOthersOnly,
)

from noether_testkit.contract.check import NotApplicable
from noether_testkit.contract.resume import space_of
from noether_testkit.contract.resume.sources import MissingFiles, Source, missing_files, other_source
from noether_testkit.contract.resume.tables import ChangedTable, changed_tables


@contextmanager
def stage(callback: Any) -> Iterator[Any]:
    with bench_of(callback) as bench:
        yield bench, space_of(bench)


@pytest.mark.parametrize(
    ("callback", "source"),
    [
        (TakesTheNewestFile, Source.LATER),
        (TakesTheNewestRun, Source.OTHER_RUN),
        (TakesItsOwnFolder, Source.OWN_FOLDER),
    ],
)
def test_another_source_is_told_by_its_kind(callback: Any, source: Source) -> None:
    """A later file, a newer run, the folder of the new run."""
    with stage(callback) as (bench, space):
        found = other_source(bench, space)
    assert found is not None
    assert found.kind is source
    assert (found.location or "").endswith(f"in {callback.__name__}.resume_from_checkpoint")


@pytest.mark.parametrize("callback", [TakesTheFileOfTheCheckpoint, NotesWhereItCameFrom, RefusesToMixTwoRuns])
def test_the_right_source_is_no_finding(callback: Any) -> None:
    """A callback that takes the file of the checkpoint resumes alike everywhere, and a refusal is none, either."""
    with stage(callback) as (bench, space):
        assert other_source(bench, space) is None


@pytest.mark.parametrize("callback", [Idle, Waits])
def test_without_files_there_is_no_source_to_judge(callback: Any) -> None:
    """Nothing is written, and nothing can be read."""
    with stage(callback) as (bench, space), pytest.raises(NotApplicable):
        other_source(bench, space)


@pytest.mark.parametrize(
    ("callback", "text"),
    [(StartsEmptyInSilence, "it was resumed without a word"), (TakesTheFirstOfNone, "the resume died of IndexError")],
)
def test_missing_files_are_not_taken_in_silence_or_by_accident(callback: Any, text: str) -> None:
    """Both are findings, and name the first file."""
    with stage(callback) as (bench, space):
        found = missing_files(bench, space)
    assert isinstance(found, MissingFiles)
    assert text in found.what
    assert found.file.startswith(f"checkpoints/{callback.__name__}_cp=")


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (RaisesWithTheName, "it refuses to be resumed"),
        (WarnsThatItStartsAfresh, "it starts afresh, with a warning"),
        (WritesForOthersOnly, "It resumes without its files as with them."),
    ],
)
def test_what_a_callback_without_files_does_well_is_told(callback: Any, text: str) -> None:
    """It refuses, warns, or needs none of them."""
    with stage(callback) as (bench, space):
        answer = missing_files(bench, space)
    assert isinstance(answer, str)
    assert text in answer


def test_without_files_nothing_can_be_missing() -> None:
    """A callback that wrote nothing is not judged."""
    with stage(Waits) as (bench, space):
        assert missing_files(bench, space) is None


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (OpensItsTableAnew, "OpensItsTableAnew.csv has lost 3 rows (first: '2,0.9')"),
        (WritesItsHeaderTwice, "WritesItsHeaderTwice.csv has 1 row (first: 'update,mse') too many"),
        (ReadsTheLastLineOfItsTable, "it died of ValueError: invalid literal for int() with base 10: ''"),
    ],
)
def test_a_table_that_does_not_go_on_is_told(callback: Any, text: str) -> None:
    """Rows that are lost, rows that are there twice, and a table that the callback stumbles over."""
    with stage(callback) as (bench, space):
        found = changed_tables(bench, space)
    assert isinstance(found, ChangedTable)
    assert found.what == text
    assert found.trial.in_place


@pytest.mark.parametrize("callback", [GoesOnWithItsTable, WritesATableForEachSession, WritesTheTimeOfItsTurns])
def test_a_table_that_goes_on_is_no_finding(callback: Any) -> None:
    """In one file or in several, with rows that two runs have in common or not."""
    with stage(callback) as (bench, space):
        assert not isinstance(changed_tables(bench, space), ChangedTable)


def test_rows_that_are_trained_again_are_told() -> None:
    """A table that only goes on has them twice after a real crash; one that drops them has not."""
    with stage(GoesOnWithItsTable) as (bench, space):
        told = changed_tables(bench, space)
    assert isinstance(told, str)
    assert "2 updates after its checkpoint, resumed in the same folder: GoesOnWithItsTable.csv has 1 row" in told
    with stage(DropsWhatIsTrainedAgain) as (bench, space):
        assert changed_tables(bench, space) is None


def test_a_refusal_to_go_on_in_a_folder_is_told() -> None:
    """It is the callback's good right."""
    with stage(RefusesToMixTwoRuns) as (bench, space):
        answer = changed_tables(bench, space)
    assert isinstance(answer, str)
    assert answer.startswith("It refuses to go on in the same folder: FileExistsError")


def test_without_tables_there_is_nothing_to_go_on_with() -> None:
    """Files of torch and JSON are judged elsewhere."""
    with stage(WritesForOthersOnly) as (bench, space), pytest.raises(NotApplicable):
        changed_tables(bench, space)
