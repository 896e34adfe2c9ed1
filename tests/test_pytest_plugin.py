"""The pytest plugin: fixtures that share one run, and no cost where they are not used."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from noether_testkit import FakeRun, pytest_plugin
from noether_testkit.core.callbacks import CallbackBase

FIXTURES = (
    "fake_run",
    "fake_trainer",
    "fake_model",
    "fake_data_container",
    "fake_tracker",
    "fake_log_writer",
    "fake_checkpoint_writer",
    "metric_property_provider",
    "update_counter",
    "callback_kwargs",
)


def test_fixtures_share_one_run(
    fake_run: FakeRun,
    fake_trainer: Any,
    fake_model: Any,
    fake_data_container: Any,
    fake_tracker: Any,
    fake_log_writer: Any,
    fake_checkpoint_writer: Any,
    metric_property_provider: Any,
    update_counter: Any,
    callback_kwargs: dict[str, Any],
) -> None:
    """Whatever a test asks for belongs to the same run."""
    assert callback_kwargs == {
        "trainer": fake_trainer,
        "model": fake_model,
        "data_container": fake_data_container,
        "tracker": fake_tracker,
        "log_writer": fake_log_writer,
        "checkpoint_writer": fake_checkpoint_writer,
        "metric_property_provider": metric_property_provider,
    }
    assert fake_run.trainer is fake_trainer
    assert fake_trainer.update_counter is update_counter


def test_the_seven_build_a_callback(callback_kwargs: dict[str, Any], fake_log_writer: Any) -> None:
    """`callback_kwargs` is ready for `**`."""
    assert CallbackBase(**callback_kwargs, name="mine").writer is fake_log_writer


def test_a_run_can_be_watched(fake_run: FakeRun, fake_log_writer: Any, mocker: MockerFixture) -> None:
    """Fixtures are working fakes: a test trains with them, and counts calls where it needs to."""
    flush = mocker.spy(fake_log_writer, "flush")
    fake_run.train()
    assert fake_run.update_counter.update == 8
    assert flush.call_count >= 8


def test_each_test_has_a_fresh_run(fake_run: FakeRun) -> None:
    """No test finds what another one did."""
    assert fake_run.update_counter.update == 0
    assert fake_run.log_writer.calls == []


@pytest.fixture
def folder_of_a_closed_run(request: pytest.FixtureRequest) -> Path:
    generator = inspect.unwrap(pytest_plugin.fake_run)()
    root: Path = next(generator).path_provider.output_root
    assert root.is_dir()
    assert next(generator, None) is None
    return root


def test_the_folder_of_a_run_is_removed(folder_of_a_closed_run: Path) -> None:
    """After the test nothing of the run is left on disk."""
    assert not folder_of_a_closed_run.exists()


@pytest.mark.parametrize("name", FIXTURES)
def test_each_fixture_is_documented(name: str) -> None:
    """`pytest --fixtures` explains each of them."""
    assert getattr(pytest_plugin, name).__doc__


def test_an_unrelated_project_pays_nothing(tmp_path: Path) -> None:
    """In a project that uses no fixture, the plugin loads neither torch nor numpy nor the kit behind it."""
    (tmp_path / "test_unrelated.py").write_text(
        "import sys\n"
        "def test_nothing_heavy_is_loaded(request):\n"
        "    assert request.config.pluginmanager.has_plugin('noether_testkit')\n"
        "    heavy = {'torch', 'numpy', 'pydantic', 'hypothesis'} & set(sys.modules)\n"
        "    kit = {name for name in sys.modules if name.startswith('noether_testkit')}\n"
        "    assert (heavy, kit) == (set(), {'noether_testkit', 'noether_testkit.pytest_plugin'})\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:torchmetrics"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
