"""Callbacks around `continues-its-output-files`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.defects.catalogue import guilty, innocent
from torch import nn

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "continues-its-output-files"


class WritesATable(PeriodicCallback):
    """Writes a row of a table at each turn."""

    @property
    def file(self) -> Path:
        """The table, in the folder of the run."""
        folder: Path = self.checkpoint_writer.path_provider.run_output_path
        return folder / f"{self.checkpoint_key}.csv"

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        if interval_type != "eval":
            self.append(f"{update_counter.update},{self.writer.log_cache['mse']}")

    def append(self, row: str) -> None:
        """Writes a row at the end of the table."""
        with self.file.open("a") as table:
            table.write(f"{row}\n")


@guilty(CHECK)
class OpensItsTableAnew(WritesATable):
    """Opens its table for writing when training starts.

    See https://github.com/DeepLabCut/DeepLabCut/issues/3176 (B162).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        with self.file.open("w") as table:
            table.write("update,mse\n")


@guilty(CHECK)
class WritesItsHeaderTwice(WritesATable):
    """Goes on with its table, under a second header."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.append("update,mse")


@guilty(CHECK)
class DeletesTheTableThatItFinds(WritesATable):
    """Tidies up when training starts: what lies there must be of an earlier run.

    See https://github.com/roboflow/rf-detr/issues/1321 (B161).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.file.unlink(missing_ok=True)
        self.append("update,mse")


@guilty(CHECK)
class WritesAllRowsAtEachTurn(WritesATable):
    """Writes all rows of this session over the table at each turn."""

    def __init__(self, callback_config: Any, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rows = ["update,mse"]

    def append(self, row: str) -> None:
        self.rows.append(row)
        self.file.write_text("".join(f"{each}\n" for each in self.rows))


@guilty(CHECK)
class CopiesItsOldRows(WritesATable):
    """Takes the rows of the earlier run over, also where they are in the same table.

    See https://github.com/DeepLabCut/DeepLabCut/pull/3183 (B162), where a repair doubled all rows.
    """

    def resume_from_checkpoint(self, resumption_paths: Any, model: nn.Module) -> None:
        earlier = resumption_paths.run_output_path / f"{self.checkpoint_key}.csv"
        for row in earlier.read_text().splitlines() if earlier.exists() else ():
            self.append(row)


@guilty(CHECK)
class WritesTheStartOfItsRun(WritesATable):
    """Writes what belongs before the first update at each start.

    See https://github.com/EleutherAI/gpt-neox/pull/764 (B067).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.append("0,nan")


@guilty(CHECK)
class ReadsTheLastLineOfItsTable(WritesATable):
    """Reads the last line of a table that it finds, which is empty.

    See https://github.com/atomistic-machine-learning/schnetpack/issues/192 (B165).
    """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if self.file.exists():
            last = self.file.read_text().split("\n")[-1]
            self.logger.info("The table goes up to update %d.", int(last.split(",")[0]))


@innocent(CHECK)
class GoesOnWithItsTable(WritesATable):
    """Writes its header where the table is new, and goes on with one that is there."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.file.exists():
            self.append("update,mse")


@innocent(CHECK)
class WritesATableForEachSession(WritesATable):
    """Begins a table of its own at each start, and leaves those of earlier sessions alone."""

    def __init__(self, callback_config: Any, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.start = 0

    @property
    def file(self) -> Path:
        folder: Path = self.checkpoint_writer.path_provider.run_output_path
        return folder / f"{self.checkpoint_key}_from_{self.start}.csv"

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.start = update_counter.update


@innocent(CHECK)
class WritesItsTableFromItsState(WritesATable):
    """Writes the whole table at each turn, from rows that are in its state."""

    def __init__(self, callback_config: Any, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rows = ["update,mse"]

    def append(self, row: str) -> None:
        self.rows.append(row)
        self.file.write_text("".join(f"{each}\n" for each in self.rows))

    def state_dict(self) -> dict[str, list[str]]:
        return {"rows": list(self.rows)}

    def load_state_dict(self, state_dict: dict[str, list[str]]) -> None:
        self.rows = list(state_dict["rows"])


@innocent(CHECK)
class DropsWhatIsTrainedAgain(WritesATable):
    """Keeps the rows up to the checkpoint when training starts, and drops later ones."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not self.file.exists():
            self.append("update,mse")
        header, *rows = self.file.read_text().splitlines()
        kept = [row for row in rows if int(row.split(",")[0]) <= update_counter.update]
        self.file.write_text("".join(f"{each}\n" for each in [header, *kept]))


@innocent(CHECK)
class WritesTheTimeOfItsTurns(WritesATable):
    """Writes rows that no two runs have in common."""

    def append(self, row: str) -> None:
        super().append(f"{row},{time.perf_counter()}")


@innocent(CHECK)
class ShowsWhatIsNewOnly(WritesATable):
    """Overwrites a file with its last row: there is nothing to lose in it."""

    def append(self, row: str) -> None:
        self.file.write_text(f"{row}\n")


@innocent(CHECK)
class RefusesToMixTwoRuns(WritesATable):
    """Says clearly that it will not write into a table that is already there."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if self.file.exists():
            raise FileExistsError(f"{self.file.name} is there already: move it away, or resume in another folder.")


@innocent(CHECK)
class TellsOfTheResume(WritesATable):
    """Writes a line into its log when a run goes on: the whole run never had it, and nobody loses a row."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if update_counter.update > 0 and self.file.exists():
            with self.file.open("a", encoding="utf-8") as table:
                table.write(f"# resumed after update {update_counter.update}\n")
