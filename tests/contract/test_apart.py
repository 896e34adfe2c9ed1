"""Devices are played on one: tensors of two places cannot meet, and moves between them are followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from noether_testkit.contract.apart import ELSEWHERE, Devices, OtherDeviceError, Place


@pytest.fixture
def here() -> torch.Tensor:
    return torch.ones(3)


@pytest.fixture
def there() -> torch.Tensor:
    return torch.full((3,), 2.0)


@pytest.fixture
def devices(here: torch.Tensor, there: torch.Tensor) -> Devices:
    played = Devices()
    played.place(here, Place.MODEL)
    played.place({"nested": [there]}, Place.ELSEWHERE)
    return played


@pytest.mark.parametrize(
    "meet",
    [
        torch.add,
        torch.equal,
        lambda left, right: left.lerp_(right, 0.5),
        lambda left, right: torch.stack([left, right]),
        lambda left, right: left.clone() @ right[:],
        lambda left, right: torch._foreach_add([left], [right]),
    ],
)
def test_tensors_of_two_places_cannot_meet(
    devices: Devices, here: torch.Tensor, there: torch.Tensor, meet: Callable[..., object]
) -> None:
    """An operation raises, on views and copies, too."""
    with devices, pytest.raises(OtherDeviceError, match="all must be on the same device"):
        meet(here, there)


@pytest.mark.parametrize(
    "move",
    [
        lambda tensor, other: tensor.to(other),
        lambda tensor, other: tensor.to(other.device),
        lambda tensor, other: tensor.to(device=other.device, dtype=torch.float64),
        lambda tensor, other: torch.zeros_like(other).copy_(tensor),
    ],
)
def test_a_tensor_that_was_moved_fits(
    devices: Devices, here: torch.Tensor, there: torch.Tensor, move: Callable[..., torch.Tensor]
) -> None:
    """What was moved meets the model's tensors, and the original stays where it was."""
    with devices:
        assert (move(there, here) + here).tolist() == [3.0, 3.0, 3.0]
    assert devices.place_of(there) is Place.ELSEWHERE


def test_a_tensor_tells_its_device(devices: Devices, here: torch.Tensor, there: torch.Tensor) -> None:
    """A callback that compares devices before it moves is answered truly, while devices are played."""
    with devices:
        assert here.device == torch.device("cpu")
        assert there.device == ELSEWHERE
        assert torch.zeros(2, device=there.device).device == ELSEWHERE
    assert there.device == torch.device("cpu")


def test_what_a_callback_makes_itself_fits_everywhere(
    devices: Devices, here: torch.Tensor, there: torch.Tensor
) -> None:
    """A tensor without history is on no side."""
    with devices:
        assert (torch.ones(3) + here).sum() == 6
        assert (torch.ones(3) + there).sum() == 9


def test_numbers_on_the_host_fit_everywhere(devices: Devices, here: torch.Tensor) -> None:
    """As in torch, a tensor of no dimension on the CPU may meet one of any device, and no other may."""
    with devices:
        on_host = here.cpu()
        assert (here + on_host.sum()).tolist() == [4.0, 4.0, 4.0]
        with pytest.raises(OtherDeviceError):
            here.add(on_host)
