"""Promises of data sets and their container."""

from __future__ import annotations

import pytest
import torch

from noether_testkit.fakes import FakeDataContainer, FakeDataset, FakeRun, default_datasets


@pytest.fixture
def dataset() -> FakeDataset:
    return FakeDataset({"x": torch.arange(10.0).reshape(5, 2), "y": torch.arange(5.0)})


@pytest.fixture
def container(dataset: FakeDataset) -> FakeDataContainer:
    return FakeDataContainer({"test": dataset, "train": FakeDataset({"x": torch.ones(8, 2)})})


def test_a_sample_holds_its_index_and_its_named_tensors(dataset: FakeDataset) -> None:
    """The raw data set adds the index, as the framework's does."""
    sample = dataset[1]
    assert list(sample) == ["index", "x", "y"]
    assert (sample["index"], sample["x"].tolist(), sample["y"].item()) == (1, [2.0, 3.0], 1.0)
    assert dataset.getitem_x(2).tolist() == [4.0, 5.0]
    assert len(dataset) == len(list(dataset)) == 5
    with pytest.raises(IndexError):
        dataset[5]


def test_the_pipeline_makes_a_batch_of_samples(dataset: FakeDataset) -> None:
    """It stacks each entry."""
    batch = dataset.pipeline([dataset[0], dataset[1]])
    assert batch["index"].tolist() == [0, 1]
    assert batch["x"].shape == (2, 2)


def test_a_data_set_fails_on_demand(dataset: FakeDataset) -> None:
    """The fault sees each index before the sample is handed out."""

    def fault(index: int) -> None:
        if index == 3:
            raise OSError("broken sample")

    dataset.fault = fault
    assert dataset[2]["index"] == 2
    with pytest.raises(OSError, match="broken sample"):
        dataset[3]


def test_the_container_hands_out_a_view_with_the_time_of_reading(
    container: FakeDataContainer, dataset: FakeDataset
) -> None:
    """Samples of the view carry metadata that a model must not see; other attributes are passed on."""
    view = container.get_dataset("test")
    assert view is not dataset
    assert view.dataset is dataset
    assert list(view[0]) == ["index", "x", "y", "__meta_time_getitem"]
    assert view.pipeline is dataset.pipeline
    assert view.getitem_y(3).item() == 3.0


def test_a_view_can_be_of_some_samples_and_entries(container: FakeDataContainer) -> None:
    """Entries that were not asked for are left out, the index among them; more samples than there are is all."""
    view = container.get_dataset("test", properties={"x"}, max_size=3)
    assert (len(view), list(view[0])) == (3, ["x", "__meta_time_getitem"])
    assert len(container.get_dataset("test", max_size=99)) == 5
    with pytest.raises(IndexError):
        view[3]


def test_a_view_can_be_shuffled_by_a_seed(container: FakeDataContainer) -> None:
    """The same seed gives the same order, and the global generator is left alone."""
    state = torch.get_rng_state()
    orders = [[sample["index"] for sample in container.get_dataset("test", shuffle_seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == [0, 1, 2, 3, 4]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_first_data_set_is_meant(container: FakeDataContainer, key: str | None) -> None:
    """The order of the mapping decides."""
    assert len(container.get_dataset(key)) == 5


def test_an_unknown_key_is_refused(container: FakeDataContainer) -> None:
    """As any mapping refuses it."""
    with pytest.raises(KeyError, match="valid"):
        container.get_dataset("valid")


def test_the_first_data_set_is_trained_on_where_none_is_for_training(dataset: FakeDataset) -> None:
    """An empty container is refused."""
    assert FakeDataContainer({"test": dataset}).datasets["train"] is dataset
    with pytest.raises(ValueError, match="at least one"):
        FakeDataContainer({})


def test_the_default_problem_is_the_same_for_the_same_seed() -> None:
    """Sizes as asked for, float32, another seed is another problem."""
    first, same, other = (default_datasets(6, 3, seed) for seed in (0, 0, 1))
    assert {key: tuple(each["x"].shape) for key, each in first.items()} == {"train": (6, 4), "test": (3, 4)}
    assert first["train"]["y"].shape == (6, 1)
    assert first["train"]["x"].dtype == torch.float32
    assert torch.equal(first["train"]["x"], same["train"]["x"])
    assert not torch.equal(first["train"]["x"], other["train"]["x"])


def test_a_run_takes_other_data() -> None:
    """The training set of the default problem is added where none is given."""
    run = FakeRun(datasets=lambda: {"valid": {"x": torch.ones(3, 4), "y": torch.ones(3, 1)}})
    assert {key: len(each) for key, each in run.data_container.datasets.items()} == {"train": 8, "valid": 3}
