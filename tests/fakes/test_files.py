"""Checkpoint files are read as torch reads them, whoever wrote them."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from noether_testkit.fakes import FakeModel
from noether_testkit.fakes.files import read, write


class Custom:
    """Nothing that torch loads at its defaults."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.th"


def content() -> dict[str, Any]:
    weights = OrderedDict(a=torch.ones(2), b=torch.zeros(3, dtype=torch.int64))
    return {"weights": weights, "groups": [{"lr": 0.1, "params": [0, 1]}], "tag": "latest", "pair": (1, None)}


def test_a_file_is_read_as_it_was_written(file: Path) -> None:
    """Values, types and order come back."""
    write(content(), file)
    assert repr(read(file)) == repr(torch.load(file)) == repr(content())


def test_what_is_read_belongs_to_the_reader(file: Path) -> None:
    """What one reader does to it, and what becomes of the original, the next reader does not see."""
    given = content()
    write(given, file)
    given["weights"]["a"].zero_()
    read(file)["groups"][0]["lr"] = read(file)["weights"]["a"].fill_(7)
    assert repr(read(file)) == repr(content())


def test_a_file_that_was_changed_is_read_anew(file: Path) -> None:
    """Another content counts, even with the size and the time of the first."""
    write({"a": torch.zeros(1)}, file)
    look = file.stat()
    torch.save({"a": torch.ones(1)}, file)
    os.utime(file, ns=(look.st_atime_ns, look.st_mtime_ns))
    assert file.stat().st_size == look.st_size
    assert read(file)["a"].item() == 1.0


def test_a_file_of_somebody_else_is_read(file: Path) -> None:
    """Nothing has to be written by the kit."""
    torch.save({"a": 1}, file)
    assert read(file) == {"a": 1}


def test_a_missing_file_is_missing(file: Path) -> None:
    """A deleted file is not answered from memory."""
    write({"a": 1}, file)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read(file)


@pytest.mark.parametrize("value", [Custom(), {Custom(): 1}, torch.ones(1, requires_grad=True) * 2])
def test_what_a_file_may_give_back_otherwise_goes_through_it(value: Any, file: Path) -> None:
    """Objects that torch refuses to load are refused, and a tensor with a graph comes back without it."""
    write({"value": value}, file)
    if isinstance(value, torch.Tensor):
        assert read(file)["value"].is_leaf
        return
    with pytest.raises(Exception, match="Weights only load failed"):
        read(file)


def test_versions_of_modules_are_kept(file: Path) -> None:
    """The weights know the versions of their modules, as torch's loading asks for them."""
    weights = FakeModel().state_dict()
    write({"state_dict": weights}, file)
    assert read(file)["state_dict"]._metadata == torch.load(file)["state_dict"]._metadata == weights._metadata
