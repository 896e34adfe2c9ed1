"""The check of a state whose tensors come back elsewhere or otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch

from noether_testkit.contract.apart import Devices, OtherDeviceError, Place
from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, NotApplicable, check
from noether_testkit.contract.diary import last_state, ordinary_diary, resumptions
from noether_testkit.contract.harness import HookError, Moment, Outcome, Watcher
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of_error
from noether_testkit.contract.precision import in_double_precision
from noether_testkit.contract.stateful import (
    SAVED,
    place_of_method,
    refusal_to_resume,
    require_finished,
    require_state,
)

_DEEPEST = 20

Change = Callable[[torch.Tensor, str], torch.Tensor]
"""Makes one tensor out of another, by its path in the state."""


@check(
    force=Force.MUST,
    promise="works with a state whose tensors came back on another device or with another dtype, before and after the "
    "model moves.",
    why="The trainer reads states without a device map: their tensors come back where they were saved, which on the "
    "second GPU of a run is the memory of the first. A run that goes on with another precision finds those of the old "
    "one. Both end at the first update after a resume, in an error about two devices or two dtypes.",
    after=(*SAVED, "round-trips-its-state", "keeps-loaded-state-at-start"),
    explained_by=("loads-twice-like-once",),
)
def loads_state_from_another_device(bench: Bench) -> str | None:
    """Resumes with tensors of the dtype of another model, and with tensors that count as being elsewhere."""
    require_state(bench)
    if not any(_holds_tensor(entry.state) for entry in ordinary_diary(bench).entries):
        raise NotApplicable("There is no tensor in its state.")
    require_finished(bench)
    refusal = next(filter(None, (refusal_to_resume(bench, each) for each in resumptions(bench))), None)
    if refusal is not None:
        return refusal
    remark = _judge_dtypes(bench)
    return _judge_devices(bench) or remark


def _judge_dtypes(bench: Bench) -> str | None:
    """Has those tensors come back in another dtype that have the dtype of the weights."""
    checkpoints = bench.train(bench.plan_with_checkpoint).checkpoints
    if not checkpoints:
        return None
    states: list[Any] = []
    doubled = bench.train(subject=in_double_precision(bench.subject, bench.plan), watch=last_state(states))
    if doubled.error is not None:
        return "It does not train in double precision, so that other dtypes were not tried."
    followers = _followers(bench, states)
    plan = bench.plan.resumed(next(iter(checkpoints.values())))
    if not followers or bench.train(plan).error is not None:
        return None
    for dtype in (torch.float64, torch.bfloat16):
        found = _error_of(bench.train(plan, watch=_changing(_cast_to(dtype, followers))))
        if found is not None and bench.refuses(found.error):
            return f"It refuses tensors of another dtype: {error_in_words(found.error)}."
        if found is not None:
            saved = str(dtype).removeprefix("torch.")
            raise Finding(
                seen=f"Resumed in float32 from the checkpoint of a model in {saved}, with "
                f"{', '.join(sorted(followers)[:3])} in {saved}, {found.moment} raised {error_in_words(found.error)}.",
                expected="It goes on: a loaded tensor is brought to the dtype of what it is used with.",
                fix="Load into what is there, self.mean.copy_(state_dict['mean']), or convert: "
                "state_dict['mean'].to(device=…, dtype=…).",
                location=place_of_error(found.error) or place_of_method(bench, "load_state_dict"),
            )
    return None


def _followers(bench: Bench, doubled: list[Any]) -> frozenset[str]:
    """Returns the paths of the tensors that are float32 in the state, and float64 where the weights are float64."""
    states = (entry.state for entry in ordinary_diary(bench).entries)
    single = {path for state in states for path, tensor in _tensors(state) if tensor.dtype == torch.float32}
    found = {path for state in doubled for path, tensor in _tensors(state) if tensor.dtype == torch.float64}
    return frozenset(single & found)


def _judge_devices(bench: Bench) -> str | None:
    """Finds out which tensors of the state would be saved where, and has them come back from there."""
    places: dict[str, Place] = {}
    saved = bench.train(bench.plan_with_checkpoint, watch=_observing(places, bench.plan.total_updates // 2))
    if saved.error is not None or not saved.checkpoints:
        return "It does not train while devices are played, so that only other dtypes were tried."
    if not places:
        return None
    plan = bench.plan.resumed(next(iter(saved.checkpoints.values())))
    found = _error_of(bench.train(plan, watch=_from_elsewhere(places)))
    if found is None:
        return None
    if bench.refuses(found.error):
        return f"It refuses tensors of another device: {error_in_words(found.error)}."
    if not isinstance(found.error, OtherDeviceError):
        return None
    raise Finding(
        seen=f"When {', '.join(list(places)[:3])} came back on another device than the model's (played on the CPU), "
        f"{found.moment} failed: {error_in_words(found.error)}.",
        expected="It goes on: a loaded tensor is brought to the device of what it is used with.",
        fix="Move loaded tensors, state_dict['mean'].to(self.model.device), in load_state_dict or before_training; or "
        "copy them into what is there: self.mean.copy_(state_dict['mean']).",
        location=place_of_error(found.error) or place_of_method(bench, "load_state_dict"),
    )


def _error_of(outcome: Outcome) -> HookError | None:
    return next(iter(outcome.hook_errors), None) if outcome.error is not None else None


def _cast_to(dtype: torch.dtype, paths: frozenset[str]) -> Change:
    def cast(tensor: torch.Tensor, path: str) -> torch.Tensor:
        return tensor.detach().to(dtype) if path in paths else tensor

    return cast


def _changing(change: Change) -> Watcher:
    """Returns a watcher that changes the tensors of each state that is loaded."""

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook == "load_state_dict":
            _changed(moment.positional[0], change)
        yield

    return watch


def _observing(places: dict[str, Place], update: int) -> Watcher:
    """Returns a watcher that plays devices, and notes where the tensors of the state lie up to an update."""
    devices = Devices()

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        devices.place([*moment.model.parameters(), *moment.model.buffers()], Place.MODEL)
        devices.place([*moment.arguments.values()], Place.MODEL)
        with devices:
            yield
            if moment.hook in ("state_dict", "after_training") or moment.update > update:
                return
            state = moment.callback.state_dict()
        places.clear()
        places.update({path: place for path, tensor in _tensors(state) if (place := devices.place_of(tensor))})

    return watch


def _from_elsewhere(places: dict[str, Place]) -> Watcher:
    """Returns a watcher that plays devices, and puts the tensors of a state that is loaded elsewhere."""
    devices = Devices()

    def put(tensor: torch.Tensor, path: str) -> torch.Tensor:
        place = places.get(path)
        if place is not None:
            devices.place(tensor, Place.HOST if place is Place.HOST else Place.ELSEWHERE)
        return tensor

    @contextmanager
    def watch(moment: Moment) -> Iterator[None]:
        if moment.hook == "load_state_dict":
            _changed(moment.positional[0], put)
        else:
            devices.place([*moment.arguments.values()], Place.MODEL)
        devices.place([*moment.model.parameters(), *moment.model.buffers()], Place.MODEL)
        with devices:
            yield

    return watch


def _changed(value: Any, change: Change, path: str = "state", depth: int = 0) -> Any:
    """Changes the tensors below a value, in place where it can be changed, and returns it."""
    if isinstance(value, torch.Tensor):
        return change(value, path)
    if depth > _DEEPEST:
        return value
    if isinstance(value, MutableMapping):
        for key in list(value):
            value[key] = _changed(value[key], change, f"{path}[{key!r}]", depth + 1)
    elif type(value) in (list, tuple):
        changed = [_changed(each, change, f"{path}[{index}]", depth + 1) for index, each in enumerate(value)]
        if isinstance(value, tuple):
            return tuple(changed)
        value[:] = changed
    return value


def _holds_tensor(value: Any, depth: int = 0) -> bool:
    if isinstance(value, torch.Tensor) or depth > _DEEPEST:
        return isinstance(value, torch.Tensor)
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(_holds_tensor(part, depth + 1) for part in parts)


def _tensors(state: Any) -> list[tuple[str, torch.Tensor]]:
    """Returns the tensors in a state with their paths."""
    found: list[tuple[str, torch.Tensor]] = []

    def note(tensor: torch.Tensor, path: str) -> torch.Tensor:
        found.append((path, tensor))
        return tensor

    _changed(state, note)
    return found
