"""The pytest plugin: the fakes as fixtures. It imports nothing of the kit until a fixture is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from noether_testkit.core.utils.training import UpdateCounter
    from noether_testkit.fakes import (
        FakeCheckpointWriter,
        FakeDataContainer,
        FakeLogWriter,
        FakeMetricPropertyProvider,
        FakeModel,
        FakeRun,
        FakeTracker,
        FakeTrainer,
    )


@pytest.fixture
def fake_run() -> Iterator[FakeRun]:
    """A run of the fake trainer with all collaborators: two epochs of four updates."""
    from noether_testkit.fakes import FakeRun

    with FakeRun() as run:
        yield run


@pytest.fixture
def fake_trainer(fake_run: FakeRun) -> FakeTrainer:
    """The trainer of `fake_run`."""
    return fake_run.trainer


@pytest.fixture
def fake_model(fake_run: FakeRun) -> FakeModel:
    """The model of `fake_run`."""
    return fake_run.model


@pytest.fixture
def fake_data_container(fake_run: FakeRun) -> FakeDataContainer:
    """The data container of `fake_run`, with the sets `train` and `test`."""
    return fake_run.data_container


@pytest.fixture
def fake_tracker(fake_run: FakeRun) -> FakeTracker:
    """The tracker of `fake_run`."""
    return fake_run.tracker


@pytest.fixture
def fake_log_writer(fake_run: FakeRun) -> FakeLogWriter:
    """The log writer of `fake_run`."""
    return fake_run.log_writer


@pytest.fixture
def fake_checkpoint_writer(fake_run: FakeRun) -> FakeCheckpointWriter:
    """The checkpoint writer of `fake_run`; it writes below a temporary folder."""
    return fake_run.checkpoint_writer


@pytest.fixture
def metric_property_provider(fake_run: FakeRun) -> FakeMetricPropertyProvider:
    """The metric property provider of `fake_run`."""
    return fake_run.metric_property_provider


@pytest.fixture
def update_counter(fake_run: FakeRun) -> UpdateCounter:
    """The update counter of `fake_run`."""
    return fake_run.update_counter


@pytest.fixture
def callback_kwargs(fake_run: FakeRun) -> dict[str, Any]:
    """The seven collaborators of `fake_run`, ready for `**`."""
    return fake_run.callback_kwargs


@pytest.fixture
def _contract_item(request: pytest.FixtureRequest) -> None:
    """Tells a decorated contract test in which item it runs."""
    case = request.node.callspec.params["check"]
    case.item = request.node
