"""The hooks of a callback: how the trainer calls them, and which of them a class overrides."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from noether_testkit.contract.harness import Moment
from noether_testkit.contract.locate import place_of, place_of_constructor
from noether_testkit.fakes.lineage import data_iterators, is_base_class, is_data_iterator, is_periodic

PERIODIC_HOOKS = frozenset({"after_update", "after_epoch", "at_eval", "periodic_callback"})
TRACKING_HOOKS = frozenset({"track_after_accumulation_step", "track_after_update_step"})
TRAINING_HOOKS = frozenset({"before_training", "after_training"}) | TRACKING_HOOKS | PERIODIC_HOOKS
STATE_METHODS = frozenset({"state_dict", "load_state_dict", "resume_from_checkpoint"})

_CALLED_BY_BASE = ("periodic_callback", "process_results", "process_data")
_ITERATOR = ("trainer_model", "data_iter", "batch_size")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """How the trainer calls a hook.

    Attributes:
        positional: How many arguments it gives by position.
        keywords: The arguments that it gives by keyword.
    """

    positional: int = 0
    keywords: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join([*("…" for _ in range(self.positional)), *(f"{name}=…" for name in self.keywords)])


def calls_of(callback: Any) -> dict[str, Signature]:
    """Returns how the trainer calls each hook that this kind of callback has."""
    calls = {
        "before_training": Signature(keywords=("update_counter",)),
        "after_training": Signature(keywords=("update_counter",)),
        "state_dict": Signature(),
        "load_state_dict": Signature(positional=1),
        "resume_from_checkpoint": Signature(keywords=("resumption_paths", "model")),
    }
    if is_periodic(callback):
        iterator = _ITERATOR if data_iterators(callback) else ()
        calls |= {
            "track_after_accumulation_step": Signature(
                keywords=(
                    "update_counter",
                    "batch",
                    "losses",
                    "update_outputs",
                    "accumulation_steps",
                    "accumulation_step",
                )
            ),
            "track_after_update_step": Signature(keywords=("update_counter", "times")),
            "after_update": Signature(keywords=("update_counter", *iterator)),
            "after_epoch": Signature(keywords=("update_counter", *iterator)),
            "at_eval": Signature(positional=1, keywords=iterator),
            "periodic_callback": Signature(keywords=("interval_type", "update_counter", *iterator)),
        }
    if is_data_iterator(callback):
        calls["process_data"] = Signature(positional=1, keywords=("trainer_model",))
        calls["process_results"] = Signature(positional=1, keywords=("interval_type", "update_counter"))
    return calls


def overrides(callback: Any) -> Iterator[tuple[str, Any]]:
    """Yields the names and bound methods of the hooks that are not the base class's own."""
    for name in calls_of(callback):
        if is_overridden(callback, name):
            yield name, getattr(callback, name)


def is_overridden(callback: Any, name: str) -> bool:
    """Returns whether a method is not the base class's own, by its class or on the instance."""
    if name in vars(callback):
        return True
    owner = next((cls for cls in type(callback).__mro__ if name in vars(cls)), None)
    return owner is not None and not is_base_class(owner)


def why_unbound(method: Any, call: Signature) -> str | None:
    """Returns why a method does not take the trainer's call, in Python's words, or `None` if it does."""
    if not callable(method):
        return f"it is no method but {method!r}"
    try:
        signature = inspect.signature(method, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * call.positional, **dict.fromkeys(call.keywords))
    except TypeError as error:
        return str(error)
    return None


def place_of_hook(moment: Moment) -> str | None:
    """Returns the place of the callback's own code that a hook runs.

    Where the hook is the base class's, that is the first override which the base class calls.
    """
    callback = moment.callback
    if callback is None:
        return place_of_constructor(moment.owner)
    names = (moment.hook, *(_CALLED_BY_BASE if moment.hook in PERIODIC_HOOKS else ()))
    own = next((name for name in names if is_overridden(callback, name)), None)
    return None if own is None else place_of(getattr(type(callback), own, None))
