"""The watcher of a resume: what it hears, and what it sees move on."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import Any

from tests.contract.resume.benches import Idle, bench_of

from noether_testkit.contract.resume.restoring import Restoring
from noether_testkit.plan import Stop


class Sessions(Idle):
    """Counts its sessions in its state, and its turns as well."""

    sessions = 0
    turns = 0

    def before_training(self, **_: Any) -> None:
        self.sessions += 1

    def periodic_callback(self, **_: Any) -> None:
        self.turns += 1

    def state_dict(self) -> dict[str, int]:
        return {"sessions": self.sessions, "turns": self.turns}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.sessions, self.turns = state_dict["sessions"], state_dict["turns"]


class WarnsByLogger(Sessions):
    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        super().load_state_dict(state_dict)
        self.logger.info("quietly")
        self.logger.warning("The turns are %s.", "old")


class WarnsByModule(Sessions):
    def resume_from_checkpoint(self, resumption_paths: Any, model: Any) -> None:
        warnings.warn("There is no file.", stacklevel=2)


class WarnsInTheRun(Sessions):
    def periodic_callback(self, **_: Any) -> None:
        self.logger.warning("This is no matter of the resume.")


def resumed(callback: Any) -> Restoring:
    restoring = Restoring()
    with bench_of(callback) as bench:
        plan = replace(bench.plan, checkpoint_after=(4,), stop=Stop(after_update=4))
        checkpoint = bench.train(plan).checkpoints[4]
        bench.train(bench.plan.resumed(checkpoint), watch=restoring)
    return restoring


def test_a_warning_of_the_logger_is_heard() -> None:
    """With its values, and on the level of a warning only."""
    assert resumed(WarnsByLogger).warning_beyond() == "The turns are old."


def test_a_warning_of_the_module_is_heard() -> None:
    """The module `warnings` is as good as a logger, whatever its filters."""
    assert resumed(WarnsByModule).warning_beyond() == "There is no file."


def test_a_warning_in_the_run_is_not_heard() -> None:
    """Only the hooks that restore are listened to."""
    assert resumed(WarnsInTheRun).warning_beyond() is None


def test_what_the_start_hook_moves_on_is_seen() -> None:
    """A count of sessions goes on by intention; a count of turns does not move then."""
    assert resumed(Sessions).moved_on == {"state['sessions']"}


def test_the_ear_is_taken_off_again() -> None:
    """The root logger has the handlers that it had."""
    before = list(logging.getLogger().handlers)
    resumed(WarnsByLogger)
    assert logging.getLogger().handlers == before


def test_a_warning_that_is_given_anyway_is_not_told() -> None:
    """What a fresh start warns of is no word about the resume, whatever numbers are in it."""
    restoring = Restoring()
    restoring.told = ["The disk has 3 GB left.", "The window starts anew."]
    assert restoring.warning_beyond(["The disk has 7 GB left."]) == "The window starts anew."
    assert restoring.warning_beyond(restoring.told) is None
