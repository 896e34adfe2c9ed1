"""Checks of what a state is made of."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.compare import in_words
from noether_testkit.contract.diary import last_state, ordinary_diary
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.stateful import SAVED, SHAPED, place_of_method, require_finished, require_state
from noether_testkit.fakes.model import DefaultNetwork

_BALLAST = 4096
"""Numbers in the parameter by which a model is made larger."""

_LARGEST = 1_000_000


@check(
    force=Force.MUST,
    promise="has a state that survives torch.save and torch.load at the installed defaults.",
    why="Saving takes anything; loading, at the defaults of today, refuses all but tensors and plain types. The fault "
    "shows on the day when the run must be resumed, and then the checkpoint cannot be read at all.",
    after=SHAPED,
)
def saves_what_loads_safely(bench: Bench) -> None:
    """Puts the state of every moment through torch.save and torch.load."""
    require_state(bench)
    for entry in ordinary_diary(bench).entries:
        try:
            through_disk(entry.state)
        except Exception as error:  # noqa: BLE001 - torch raises many kinds
            raise Finding(
                seen=f"The state {entry.when} does not survive torch.save and torch.load: {_culprit(entry.state)} "
                f"({error_in_words(error).partition('. ')[0]}).",
                expected="Every value is a tensor, a number, a string, None, or a list, tuple or dict of these.",
                fix="Convert the value in state_dict (float(x), x.item(), list(x), dict(x), torch.as_tensor(x)) and "
                "back in load_state_dict.",
                location=place_of_method(bench, "state_dict"),
            ) from None
    require_finished(bench)


@check(
    force=Force.SHOULD,
    promise="leaves model-sized tensors to files and resume_from_checkpoint.",
    why="The states of all callbacks lie in one small file, which is written with every checkpoint, read twice at a "
    "resume, and read without a device map: every rank puts its tensors on the device on which they were saved. A "
    "second set of weights in it makes each checkpoint slower and larger, and on a GPU fills the memory of the first.",
    after=SAVED,
)
def keeps_large_tensors_out_of_state(bench: Bench) -> str | None:
    """Makes the model larger, and looks whether the state grows with it."""
    require_state(bench)
    require_finished(bench)
    state = ordinary_diary(bench).entries[-1].state
    numbers = _numbers_in(state)
    parameters = sum(weights.numel() for weights in ordinary_diary(bench).outcome.weights.values())
    if numbers < parameters / 4:
        return None
    grown, path = _state_beside_a_large_model(bench)
    if grown is None:
        return "It does not train with another model, so that whether its state grows with the model is not known."
    if grown - numbers < _BALLAST / 2:
        return None
    raise Finding(
        seen=f"The state holds {numbers:,} numbers beside a model of {parameters:,}, and {grown:,} when the model has "
        f"{_BALLAST:,} more, most of them in {path}.",
        expected="A state of a few numbers, whatever the size of the model.",
        fix="Write model-sized tensors with self.checkpoint_writer.save_model_checkpoint, and read them in "
        "resume_from_checkpoint(resumption_paths, model) with torch.load(…, map_location=…). Leave the numbers here.",
        location=place_of_method(bench, "state_dict"),
    )


def through_disk(state: Any) -> Any:
    """Returns a state as it comes back from a file, at torch's default settings."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


def _culprit(state: Any, path: str = "state") -> str:
    """Returns the first entry that does not survive on its own."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            if not _survives(value):
                return _culprit(value, f"{path}[{key!r}]")
    elif isinstance(state, list | tuple):
        for index, value in enumerate(state):
            if not _survives(value):
                return _culprit(value, f"{path}[{index}]")
    return f"{path} is {in_words(state)}"


def _survives(value: Any) -> bool:
    try:
        through_disk(value)
    except Exception:  # noqa: BLE001 - torch raises many kinds
        return False
    return True


def _state_beside_a_large_model(bench: Bench) -> tuple[int | None, str]:
    """Returns how many numbers the state has beside a larger model, and where most of them are."""
    factory = bench.subject.model or DefaultNetwork
    states: list[Any] = []

    def larger() -> nn.Module:
        model: nn.Module = factory()
        model.register_parameter("noether_testkit_ballast", nn.Parameter(torch.ones(_BALLAST)))
        return model

    outcome = bench.train(subject=replace(bench.subject, model=larger), watch=last_state(states))
    if outcome.error is not None or not states:
        return None, ""
    return _numbers_in(states[-1]), _largest_entry(states[-1])


def _largest_entry(state: Any) -> str:
    if not isinstance(state, Mapping) or not state:
        return "state"
    return f"state[{max(state, key=lambda key: _numbers_in(state[key]))!r}]"


def _numbers_in(state: Any) -> int:
    """Returns how many numbers a state holds, in tensors, arrays and lists."""
    count, waiting, seen = 0, [state], set()
    while waiting and count < _LARGEST:
        value = waiting.pop()
        if isinstance(value, torch.Tensor | np.ndarray):
            count += prod(value.shape)
        elif isinstance(value, int | float | complex):
            count += 1
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, Mapping) else value)
    return count
