"""Fakes of the providers: where files go, and which metrics should rise."""

from __future__ import annotations

import fnmatch
import logging
from enum import Enum
from pathlib import Path

from noether_testkit.fakes.strict import Strict, StrictFake


class FakePathProvider(Strict):
    """Knows the folders of a run; a folder is made when it is asked for.

    Args:
        output_root_path: Folder that holds the run folders.
        run_id: Name of the run folder.
        stage_name: Name of a stage below the run folder.
        debug: Puts the run below a folder `debug`.
    """

    _stands_for = "PathProvider"
    _not_faked = frozenset({"generate_run_id", "link"})

    def __init__(self, output_root_path: Path, run_id: str, stage_name: str | None = None, debug: bool = False) -> None:
        self.output_root = Path(output_root_path)
        self.run_id = run_id
        self.stage_name = stage_name
        self.debug = debug

    @property
    def run_output_path(self) -> Path:
        """Folder of the run, or of its stage."""
        folder = self.output_root / "debug" / self.run_id if self.debug else self.output_root / self.run_id
        return _made(folder / self.stage_name if self.stage_name else folder)

    @property
    def checkpoint_path(self) -> Path:
        """Folder of the checkpoints."""
        return _made(self.run_output_path / "checkpoints")

    @property
    def logfile_uri(self) -> Path:
        """Path of the log file."""
        return self.run_output_path / "log.txt"

    @property
    def basetracker_config_uri(self) -> Path:
        """Path of the tracker's config."""
        return self._tracker_path / "config.yaml"

    @property
    def basetracker_entries_uri(self) -> Path:
        """Path of the tracker's log entries."""
        return self._tracker_path / "entries.th"

    @property
    def basetracker_summary_uri(self) -> Path:
        """Path of the tracker's summary."""
        return self._tracker_path / "summary.yaml"

    def with_run(self, run_id: str | None = None, stage_name: str | None = None) -> FakePathProvider:
        """Returns the provider of another run below the same root."""
        return FakePathProvider(self.output_root, self.run_id if run_id is None else run_id, stage_name)

    @property
    def _tracker_path(self) -> Path:
        return _made(self.run_output_path / "tracker")


class Ordinality(Enum):
    """In which direction a metric improves."""

    HIGHER_IS_BETTER = 1
    LOWER_IS_BETTER = 2
    NEUTRAL = 3


_NEUTRAL_SPACES = (
    "ctx",
    "detach",
    "gradient",
    "loss_weight",
    "lossdiff",
    "optim",
    "profiler",
    "profiling",
    "train_time",
)
_DEFAULTS = (
    *((f"{space}/*", Ordinality.NEUTRAL) for space in _NEUTRAL_SPACES),
    ("*accuracy*", Ordinality.HIGHER_IS_BETTER),
    ("*loss*", Ordinality.LOWER_IS_BETTER),
    ("*error*", Ordinality.LOWER_IS_BETTER),
)


class FakeMetricPropertyProvider(StrictFake):
    """Tells in which direction metrics improve, by patterns of their keys.

    Args:
        ordinality: The directions that are answered; those of another enumeration are taken by their names.
    """

    _stands_for = "MetricPropertyProvider"

    def __init__(self, ordinality: type[Enum] = Ordinality) -> None:
        super().__init__()
        self._kinds = ordinality
        self._patterns = [(pattern, ordinality[kind.name]) for pattern, kind in _DEFAULTS]
        self.logger = logging.getLogger("FakeMetricPropertyProvider")

    def register_pattern(self, pattern: str, ordinality: Enum) -> None:
        """Adds a pattern with `*`, `?` and `[…]`; those that were there before win.

        It is compared with keys in lower case, so one with a capital letter fits none, as in the framework.
        """
        self._record("register_pattern", pattern=pattern, ordinality=ordinality)
        known = self._kinds.__members__.get(getattr(ordinality, "name", ""), ordinality)
        self._patterns.append((pattern, known))

    def get_ordinality(self, key: str) -> Enum | None:
        """Returns the direction of a metric, or `None` for an unknown key."""
        self._record("get_ordinality", key=key)
        return self._ordinality(key)

    def higher_is_better(self, key: str) -> bool:
        """Returns whether a metric should rise; an unknown key warns and counts as rising, a neutral one does not."""
        self._record("higher_is_better", key=key)
        ordinality = self._ordinality(key)
        if ordinality is None:
            self.logger.warning("The metric %r is unknown; it is taken as higher-is-better.", key)
        return ordinality in (None, self._kinds["HIGHER_IS_BETTER"])

    def is_neutral_key(self, key: str) -> bool:
        """Returns whether a metric has no better direction."""
        self._record("is_neutral_key", key=key)
        return self._ordinality(key) is self._kinds["NEUTRAL"]

    def _ordinality(self, key: str) -> Enum | None:
        key = key.lower()
        return next((kind for pattern, kind in self._patterns if fnmatch.fnmatchcase(key, pattern)), None)


def _made(folder: Path) -> Path:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
    return folder
