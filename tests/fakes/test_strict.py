"""Promises that all fakes share."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from noether_testkit.errors import FakeError
from noether_testkit.fakes import Call, FakeRun

FAKES = [
    ("trainer", "callback", "callbacks", "BaseTrainer"),
    ("trainer", "updatecounter", "update_counter", "BaseTrainer"),
    ("model", "parms_count", "param_count", "Model"),
    ("log_writer", "add_scaler", "add_scalar", "LogWriter"),
    ("checkpoint_writer", "save_checkpoint", "save_model_checkpoint", "CheckpointWriter"),
    ("data_container", "get_data_set", "get_dataset", "DataContainer"),
    ("tracker", "set_sumary", "set_summary", "BaseTracker"),
    ("metric_property_provider", "higher_better", "higher_is_better", "MetricPropertyProvider"),
    ("path_provider", "checkpoints_path", "checkpoint_path", "PathProvider"),
]


@pytest.fixture
def run() -> FakeRun:
    return FakeRun()


@pytest.mark.parametrize(("fake", "wrong", "right", "original"), FAKES)
def test_an_unknown_attribute_is_refused_with_the_nearest_real_one(
    run: FakeRun, fake: str, wrong: str, right: str, original: str
) -> None:
    """The message names the framework's class and what was probably meant."""
    with pytest.raises(AttributeError, match=rf"framework's {original} has no attribute '{wrong}'.*'{right}'"):
        getattr(getattr(run, fake), wrong)


def test_data_set_and_optimiser_are_strict_as_well(run: FakeRun) -> None:
    """The groups of the optimiser are one step further than in torch."""
    run.model.initialize()
    with pytest.raises(AttributeError, match="OptimizerWrapper has no attribute 'param_groups'"):
        run.model.optimizer.param_groups  # noqa: B018
    with pytest.raises(AttributeError, match=r"Dataset has no attribute 'pipelin'\. Did you mean 'pipeline'"):
        run.data_container.get_dataset("test").pipelin  # noqa: B018


def test_what_only_the_kit_has_is_never_suggested(run: FakeRun) -> None:
    """A callback must not be led to what the framework lacks."""
    for wrong in ("call", "faults"):
        with pytest.raises(AttributeError) as caught:
            getattr(run.log_writer, wrong)
        assert "'calls'" not in str(caught.value)
        assert "'fault'" not in str(caught.value)


@pytest.mark.parametrize(
    ("fake", "name"),
    [
        ("trainer", "update"),
        ("model", "initialize_weights"),
        ("data_container", "get_data_loader"),
        ("path_provider", "link"),
    ],
)
def test_what_a_fake_does_without_is_no_missing_attribute(run: FakeRun, fake: str, name: str) -> None:
    """Where the framework's object has the attribute, the fake says so, and `hasattr` does not answer no."""
    with pytest.raises(FakeError, match=f"has '{name}', but Fake.* does without it"):
        getattr(getattr(run, fake), name, None)


def test_private_names_are_refused_in_short(run: FakeRun) -> None:
    """Protocols of Python ask for names with underscores often; nobody reads a suggestion there."""
    with pytest.raises(AttributeError, match=r"^'FakeLogWriter' object has no attribute '_nothing'$"):
        run.log_writer._nothing  # noqa: B018


def test_fakes_can_be_copied(run: FakeRun) -> None:
    """A deep copy of the model is a model of its own with the same weights."""
    twin = copy.deepcopy(run.model)
    assert twin.state_dict().keys() == run.model.state_dict().keys()
    assert twin.net.head.weight is not run.model.net.head.weight


def test_calls_are_recorded_by_name(run: FakeRun) -> None:
    """Defaults are recorded, too, so that a test compares whole calls."""
    run.log_writer.add_scalar("a", 1.0)
    run.tracker.set_summary("best", 2)
    assert run.log_writer.calls == [Call("add_scalar", {"key": "a", "value": 1.0, "logger": None, "format_str": None})]
    assert run.tracker.calls == [Call("set_summary", {"key": "best", "value": 2})]


def test_a_fault_is_raised_before_the_call_takes_effect(run: FakeRun) -> None:
    """It sees the call, which is recorded all the same."""

    def fault(call: Call) -> None:
        if call.arguments["key"] == "b":
            raise OSError("disk full")

    run.log_writer.fault = fault
    run.log_writer.add_scalar("a", 1)
    with pytest.raises(OSError, match="disk full"):
        run.log_writer.add_scalar("b", 1)
    assert run.log_writer.log_cache == {"epoch": 0, "update": 0, "sample": 0, "a": 1}
    assert [call.arguments["key"] for call in run.log_writer.calls] == ["a", "b"]


def test_all_public_methods_of_recording_fakes_are_recorded(run: FakeRun) -> None:
    """Nothing that a callback calls goes unseen."""
    calls: dict[str, tuple[Any, ...]] = {
        "log_writer.add_scalar": ("a", 1),
        "log_writer.add_nonscalar": ("b", []),
        "log_writer.flush": (),
        "log_writer.get_all_metric_values": ("a",),
        "log_writer.finish": (),
        "tracker.init": ("cpu", "name", None, {}, "id", "uri"),
        "tracker.log": ({},),
        "tracker.set_summary": ("a", 1),
        "tracker.update_summary": ({},),
        "tracker.summarize_logvalues": (),
        "tracker.close": (),
        "metric_property_provider.register_pattern": ("a", None),
        "metric_property_provider.get_ordinality": ("a",),
        "metric_property_provider.higher_is_better": ("accuracy",),
        "metric_property_provider.is_neutral_key": ("a",),
        "data_container.get_dataset": (),
        "checkpoint_writer.save": (run.model, "tag"),
        "checkpoint_writer.save_model_checkpoint": ("name", "tag", {}),
    }
    for call, arguments in calls.items():
        owner, method = call.split(".")
        fake = getattr(run, owner)
        fake.calls.clear()
        getattr(fake, method)(*arguments)
        assert fake.calls[0].method == method
    for owner in {call.split(".")[0] for call in calls}:
        public = {name for name, value in vars(type(getattr(run, owner))).items() if name[0] != "_" and callable(value)}
        assert {f"{owner}.{name}" for name in public} <= calls.keys()


@pytest.mark.parametrize("name", ["fault", "calls", "faults"])
def test_a_fault_where_none_can_happen_is_refused(run: FakeRun, name: str) -> None:
    """A test that sets it would pass although nothing fails."""
    with pytest.raises(AttributeError, match="FakeTrainer records no calls and cannot be made to fail"):
        setattr(run.trainer, name, print)


def test_a_misspelt_fault_is_refused(run: FakeRun) -> None:
    """The right name is told."""
    with pytest.raises(AttributeError, match=r"FakeTracker has no 'faults'\. Did you mean 'fault'"):
        run.tracker.faults = print


def test_a_fault_is_a_function(run: FakeRun) -> None:
    """An exception in its place would only show at the first call, if there is one."""
    with pytest.raises(TypeError, match=r"FakeTracker\.fault must be a function"):
        run.tracker.fault = OSError(28, "No space left on device")  # type: ignore[assignment]
    run.tracker.fault = None
