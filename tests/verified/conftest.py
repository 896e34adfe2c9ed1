"""The two worlds as one fixture, and what was verified in them as a table at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.verified.behaviours import WORLDS, Behaviour, behaviours, outcomes_table
from tests.verified.silence import silence
from tests.verified.worlds import World, world_of_fakes, world_of_the_framework

from noether_testkit.adapters.framework import is_installed

ONLY_NOETHER = [
    pytest.mark.skipif(not is_installed(), reason="the framework is not installed"),
    # It warns of each batch with more entries than the model takes.
    pytest.mark.filterwarnings("ignore"),
]

DRAWN_RUNS = "drawn runs"
"""Under this name a test hands on what it counted."""


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["fakes", pytest.param("noether", marks=ONLY_NOETHER)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Returns the fakes first, then the framework."""
    return world_of_fakes(tmp_path) if request.param == "fakes" else world_of_the_framework(tmp_path)


@pytest.fixture
def framework(tmp_path: Path) -> World:
    """Returns the framework alone, for what only it does."""
    return world_of_the_framework(tmp_path)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keeps the framework's many words out of a test."""
    with silence():
        yield


@pytest.fixture(autouse=True)
def _patterns_of_this_test_only(request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes back the patterns that a test registered: the framework keeps them for the whole process."""
    if not {"world", "framework"} & set(request.fixturenames) or not is_installed():
        yield
        return
    from noether.core.providers import MetricPropertyProvider

    before = list(MetricPropertyProvider._PATTERNS)
    yield
    MetricPropertyProvider._PATTERNS[:] = before


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what was verified in this run, if the framework took part in it."""
    listed = set(behaviours())
    outcomes: dict[Behaviour, dict[str, str]] = {}
    for outcome in ("passed", "skipped", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            behaviour, world = _behaviour_in(report)
            if behaviour in listed and world is not None:
                _note(outcomes.setdefault(behaviour, {}), world, "failed" if outcome == "error" else outcome)
    if any(by_world.get("noether") in ("passed", "failed") for by_world in outcomes.values()):
        terminalreporter.section("verified behaviours")
        terminalreporter.write_line(outcomes_table(dict(sorted(outcomes.items(), key=lambda item: item[0].module))))
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for counts in (value for name, value in report.user_properties if name == DRAWN_RUNS):
                terminalreporter.section(DRAWN_RUNS)
                terminalreporter.write_line(str(counts))


def _behaviour_in(report: pytest.TestReport) -> tuple[Behaviour, str | None]:
    """Returns which behaviour a test is, and in which world it was looked at."""
    file, _, test = report.nodeid.partition("::")
    name, _, parameters = test.partition("[")
    world = next((world for world in WORLDS if world in parameters.rstrip("]").split("-")), None)
    return Behaviour(module=Path(file).stem, test=name), world


def _note(by_world: dict[str, str], world: str, outcome: str) -> None:
    """Keeps the worst outcome in a world: a test can have further parameters."""
    if by_world.get(world) != "failed":
        by_world[world] = outcome
