"""Callbacks that write down each call of their hooks, and how the run looks at that moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig

HOOKS = (
    "state_dict",
    "load_state_dict",
    "resume_from_checkpoint",
    "before_training",
    "after_training",
    "track_after_accumulation_step",
    "track_after_update_step",
    "after_update",
    "after_epoch",
    "at_eval",
    "periodic_callback",
    "process_data",
    "process_results",
)


class Note(NamedTuple):
    """One call of a hook, and what the run looked like."""

    name: str
    hook: str
    point: str
    positional: tuple[Any, ...]
    arguments: dict[str, Any]
    is_recording: bool
    is_training: bool
    has_gradients: bool


class Diary(list[Note]):
    """The calls of all recorders of a run, in order."""

    def calls(self, *hooks: str, but: tuple[str, ...] = ("state_dict",)) -> list[str]:
        """Returns the calls of these hooks, or of all hooks but some, as `name.hook`."""
        chosen = [note for note in self if (note.hook in hooks if hooks else note.hook not in but)]
        return [f"{note.name}.{note.hook}" for note in chosen]

    def of(self, hook: str) -> list[Note]:
        """Returns the calls of one hook."""
        return [note for note in self if note.hook == hook]

    def points(self, hook: str) -> list[str]:
        """Returns where in the run a hook was called."""
        return [note.point for note in self.of(hook)]


Act = Callable[[Any], Any]
"""Done in a hook, with the callback; for `state_dict` and `process_data` its value is the hook's answer."""


def recorder(
    diary: Diary, name: str = "A", base: type = PeriodicCallback, acts: Mapping[str, Act] | None = None, **config: Any
) -> Callable[..., Any]:
    """Returns a factory of a recording callback.

    Args:
        diary: Where the calls are written down.
        name: Stands in the diary, and is the name of the class.
        base: The base class; its own hooks are called, too.
        acts: What is done in a hook.
        **config: The config; every update where it is empty.
    """
    namespace = {hook: _hook(diary, name, hook, base, acts or {}) for hook in HOOKS if hasattr(base, hook)}
    cls = type(name, (base,), namespace)
    if base is CallbackBase:
        return cls
    schema = PeriodicDataIteratorCallbackConfig if base is PeriodicDataIteratorCallback else CallBackBaseConfig
    return lambda **collaborators: cls(schema(**(config or {"every_n_updates": 1})), **collaborators)


def raising(error: BaseException, *, at: int | None = None) -> Act:
    """Returns an act that raises, at one update or always."""

    def act(callback: Any) -> None:
        if at in (None, callback.trainer.update_counter.update):
            raise error

    return act


def logging_as(key: str) -> Act:
    """Returns an act that logs the update under a key."""
    return lambda callback: callback.writer.add_scalar(key, callback.trainer.update_counter.update)


def _hook(diary: Diary, name: str, hook: str, base: type, acts: Mapping[str, Act]) -> Callable[..., Any]:
    original = getattr(base, hook)

    def method(self: Any, *positional: Any, **arguments: Any) -> Any:
        diary.append(
            Note(
                name=name,
                hook=hook,
                point=str(self.trainer.update_counter.cur_iteration),
                positional=positional,
                arguments=arguments,
                is_recording=torch.is_grad_enabled(),
                is_training=self.model.training,
                has_gradients=any(parameter.grad is not None for parameter in self.model.parameters()),
            )
        )
        answer = acts[hook](self) if hook in acts else None
        if hook in ("state_dict", "process_data"):
            return answer
        return original(self, *positional, **arguments)

    return method
