"""Verified behaviours of the directions of metrics."""

from __future__ import annotations

import logging

import pytest
from tests.verified.worlds import World


@pytest.mark.parametrize("key", ["accuracy", "test/accuracy/top1", "Accuracy", "mse_loss_accuracy", "errors/accuracy"])
def test_an_accuracy_is_better_when_higher(world: World, key: str) -> None:
    """Whatever stands around the word, in upper or lower case, and before a loss or an error."""
    assert world.run().metric_property_provider.higher_is_better(key)


@pytest.mark.parametrize("key", ["loss", "loss/test/total", "LOSS/x", "error", "my_error_rate", "lossy"])
def test_losses_and_errors_are_better_when_lower(world: World, key: str) -> None:
    """Whatever stands around the words."""
    provider = world.run().metric_property_provider
    assert not provider.higher_is_better(key)
    assert provider.get_ordinality(key).name == "LOWER_IS_BETTER"


@pytest.mark.parametrize(
    "key",
    [
        "ctx/a",
        "detach/a",
        "gradient/a",
        "loss_weight/a",
        "lossdiff/a",
        "optim/lr",
        "optim/loss",
        "profiler/a",
        "profiling/accuracy",
        "train_time/a",
        "Optim/lr",
    ],
)
def test_some_name_spaces_have_no_better_direction(world: World, key: str) -> None:
    """They are neutral, before any other word counts, and higher is not better."""
    provider = world.run().metric_property_provider
    assert provider.is_neutral_key(key)
    assert provider.get_ordinality(key).name == "NEUTRAL"
    assert not provider.higher_is_better(key)


@pytest.mark.parametrize("key", ["optim", "a/optim/b", "accuracy", "mse"])
def test_other_keys_are_not_neutral(world: World, key: str) -> None:
    """The name space must stand at the start and hold something."""
    assert not world.run().metric_property_provider.is_neutral_key(key)


@pytest.mark.parametrize("key", ["mse", "err", "optim", ""])
def test_an_unknown_metric_warns_and_counts_as_higher_is_better(
    world: World, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its direction itself is `None`, and asking for that warns of nothing."""
    provider = world.run().metric_property_provider
    with caplog.at_level(logging.WARNING):
        assert provider.get_ordinality(key) is None
        assert not provider.is_neutral_key(key)
        assert not caplog.records
        assert provider.higher_is_better(key)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_registered_pattern_is_known(world: World) -> None:
    """It has wildcards, and the case of a key does not count."""
    provider = world.run().metric_property_provider
    provider.register_pattern("my*/[ab]?", world.Ordinality.LOWER_IS_BETTER)
    assert provider.get_ordinality("mymetric/a1") is world.Ordinality.LOWER_IS_BETTER
    assert provider.get_ordinality("MYMETRIC/B2") is world.Ordinality.LOWER_IS_BETTER
    assert provider.get_ordinality("mymetric/c1") is None


def test_a_pattern_with_a_capital_letter_fits_no_key(world: World) -> None:
    """Not even one with that letter: keys are compared in lower case, patterns as they are."""
    provider = world.run().metric_property_provider
    provider.register_pattern("My*", world.Ordinality.LOWER_IS_BETTER)
    assert [provider.get_ordinality(key) for key in ("mymetric", "MyMetric", "My")] == [None, None, None]


def test_patterns_that_were_there_before_win(world: World) -> None:
    """The kinds of old as well as those registered first."""
    provider = world.run().metric_property_provider
    provider.register_pattern("*loss*", world.Ordinality.HIGHER_IS_BETTER)
    provider.register_pattern("mine*", world.Ordinality.NEUTRAL)
    provider.register_pattern("mine*", world.Ordinality.LOWER_IS_BETTER)
    assert provider.get_ordinality("loss") is world.Ordinality.LOWER_IS_BETTER
    assert provider.get_ordinality("mine") is world.Ordinality.NEUTRAL


def test_directions_are_three(world: World) -> None:
    """By name and value."""
    assert [(each.name, each.value) for each in world.Ordinality] == [
        ("HIGHER_IS_BETTER", 1),
        ("LOWER_IS_BETTER", 2),
        ("NEUTRAL", 3),
    ]
