"""Promises of the configuration of callbacks."""

from __future__ import annotations

from typing import Any, Self

import pytest
from pydantic import ValidationError, model_validator

from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig


def complaints(config: type[CallBackBaseConfig], **fields: Any) -> set[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        config(**fields)
    return {(error["loc"], error["type"]) for error in caught.value.errors()}


@pytest.mark.parametrize(
    "fields",
    [{"every_n_epochs": 1}, {"every_n_updates": 2}, {"every_n_samples": 3, "batch_size": 1}],
    ids=str,
)
def test_one_interval_is_enough(fields: dict[str, int]) -> None:
    """All other fields are optional."""
    config = CallBackBaseConfig(**fields)
    assert config.model_dump(exclude_none=True) == fields


@pytest.mark.parametrize(
    ("fields", "place", "kind"),
    [
        ({}, (), "value_error"),
        ({"every_n_epochs": 1, "every_n_updates": 1}, (), "value_error"),
        ({"every_n_samples": 2}, (), "value_error"),
        ({"every_n_updates": 0}, ("every_n_updates",), "value_error"),
        ({"every_n_updates": -1}, ("every_n_updates",), "greater_than_equal"),
        ({"every_n_updates": 1, "batch_size": 0}, ("batch_size",), "value_error"),
        ({"every_n_updates": 1, "nothing": 1}, ("nothing",), "extra_forbidden"),
        ({"every_n_updates": 1, "name": "n"}, ("name",), "extra_forbidden"),
        ({"every_n_updates": 1, "kind": " "}, ("kind",), "value_error"),
        ({"every_n_updates": 1, "id": 3}, ("id",), "string_type"),
        ({"every_n_updates": 2.5}, ("every_n_updates",), "int_from_float"),
    ],
    ids=str,
)
def test_a_wrong_config_is_refused_where_it_is_wrong(fields: dict[str, Any], place: tuple[str, ...], kind: str) -> None:
    """Place and kind of the complaint are the framework's."""
    assert complaints(CallBackBaseConfig, **fields) == {(place, kind)}


@pytest.mark.parametrize("value", ["3", 3.0])
def test_numbers_of_other_types_are_taken(value: Any) -> None:
    """YAML and shells write them so."""
    assert CallBackBaseConfig(every_n_updates=value).every_n_updates == 3


def test_assignments_are_not_looked_at() -> None:
    """Only construction validates."""
    config = CallBackBaseConfig(every_n_updates=1)
    config.every_n_updates = 0
    assert config.every_n_updates == 0


def test_an_iterator_s_config_needs_a_data_set() -> None:
    """Its name is fixed."""
    assert complaints(PeriodicDataIteratorCallbackConfig, every_n_epochs=1) == {(("dataset_key",), "missing")}
    config = PeriodicDataIteratorCallbackConfig(every_n_epochs=1, dataset_key="test")
    assert (config.dataset_key, config.name) == ("test", "PeriodicDataIteratorCallback")
    with pytest.raises(ValidationError, match="frozen"):
        config.name = "other"  # type: ignore[assignment]


def test_subclasses_add_fields_and_keep_the_rules() -> None:
    """Unknown fields are refused there, too."""

    class Config(CallBackBaseConfig):
        decay: float = 0.9

    assert Config(every_n_updates=1, decay=0.5).decay == 0.5
    assert complaints(Config, every_n_updates=1, dekay=1) == {(("dekay",), "extra_forbidden")}
    assert complaints(Config, decay=0.5) == {((), "value_error")}


def test_a_subclass_can_relax_the_rule_of_intervals_by_its_name() -> None:
    """The validator has the framework's name, so that an override means the same in both."""

    class Config(CallBackBaseConfig):
        @model_validator(mode="after")
        def validate_callback_frequency(self) -> Self:
            return self

    assert Config().every_n_updates is None
