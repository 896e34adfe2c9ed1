"""Names of methods that look like hooks and are none."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from types import CodeType, FunctionType
from typing import Any

from noether_testkit.contract.hooks import calls_of, is_overridden, why_unbound
from noether_testkit.fakes.lineage import is_base_class, is_callback_class

HOOKS = (
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
    "state_dict",
    "load_state_dict",
    "resume_from_checkpoint",
    "get_children",
    "checkpoint_key",
)
"""What the framework calls, on one kind of callback or another."""

_STARTS = ("before_train", "before_fit", "before_run", "train_start", "training_start", "fit_start", "at_start")
_ENDS = ("after_train", "after_fit", "after_run", "train_end", "training_end", "fit_end", "at_end", "end_training")
_UPDATES = ("after_step", "after_batch", "after_iter", "after_train_iter", "after_iteration", "batch_end", "step_end")
_BEFORE = (
    "before_update",
    "before_step",
    "before_batch",
    "before_iter",
    "before_train_iter",
    "batch_start",
    "batch_begin",
)
_EPOCHS = ("after_train_epoch", "epoch_end", "end_epoch", "after_val_epoch")
_BEFORE_EPOCHS = ("before_epoch", "before_train_epoch", "epoch_start", "epoch_begin")
_EVALUATIONS = ("after_eval", "after_evaluation", "at_evaluation", "on_evaluate", "eval_end", "after_validate")
_PLAIN_WORDS = {"get_state": "state_dict", "save_state": "state_dict", "set_state": "load_state_dict"}
"""Names that other frameworks call and people, too: such as `save_state(path)` in a notebook."""
_FOREIGN: dict[str, str | None] = {
    **dict.fromkeys((*_STARTS, "setup_training", "on_init_end", "on_sanity_check_end"), "before_training"),
    **dict.fromkeys((*_ENDS, "on_exception"), "after_training"),
    **dict.fromkeys((*_UPDATES, "training_step_end"), "after_update"),
    **dict.fromkeys(_BEFORE, None),
    **dict.fromkeys(_EPOCHS, "after_epoch"),
    **dict.fromkeys(_BEFORE_EPOCHS, None),
    **dict.fromkeys((*_EVALUATIONS, "validation_end", "test_end"), "at_eval"),
    **dict.fromkeys(("on_save_checkpoint", "before_save_checkpoint", "on_save"), "state_dict"),
    **dict.fromkeys(("on_load_checkpoint", "after_load_checkpoint", "on_resume"), "load_state_dict"),
    **_PLAIN_WORDS,
    "__post_init__": "__init__",
}
"""Names that other frameworks call, and the hook that comes nearest to each, where there is one."""
_LIKENESS = 0.87


def hook_meant_by(name: str) -> tuple[bool, str | None]:
    """Returns whether a name looks like a hook without being one, and the hook that may be meant."""
    plain = _snake(name)
    if name in HOOKS:
        return False, None
    if plain in _FOREIGN:
        return True, _FOREIGN[plain]
    if plain.startswith("on_") and plain.endswith(("_start", "_begin", "_end")):
        return True, _of_event(plain)
    near = get_close_matches(plain, HOOKS, n=1, cutoff=_LIKENESS)
    return bool(near), near[0] if near else None


def lookalikes(callback: Any) -> Iterator[tuple[str, Any, str | None]]:
    """Yields methods of the callback's own classes that look like hooks, which nothing of its own calls.

    Each comes with the hook that may be meant. A hook that this kind of callback does not have counts, too.
    """
    known = calls_of(callback)
    own = {name: function for cls in _own_classes(callback) for name, function in _functions(cls)}
    suspects: dict[str, tuple[Any, str | None]] = {}
    for name, function in own.items():
        is_like, hook = hook_meant_by(name)
        misplaced = name in HOOKS and name not in (*known, "get_children", "checkpoint_key")
        if (is_like or misplaced) and not _is_of_another_base(callback, name) and not _is_for_people(callback, name):
            suspects[name] = (function, hook)
    if not suspects:
        return
    used = _names_used(callback, suspects)
    yield from ((name, function, hook) for name, (function, hook) in suspects.items() if name not in used)


def does_nothing(method: Any) -> bool:
    """Returns whether a method's body is empty: a hook that is switched off on purpose."""
    code = getattr(inspect.unwrap(getattr(method, "__func__", method)), "__code__", None)
    return code is not None and not code.co_names


def _own_classes(callback: Any) -> list[type]:
    return [cls for cls in type(callback).__mro__ if is_callback_class(cls) and not is_base_class(cls)]


def _functions(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        is_public = not name.startswith("_") or (name == "__post_init__" and not hasattr(cls, "__dataclass_fields__"))
        if is_public and isinstance(function, FunctionType):
            yield name, function


def _is_for_people(callback: Any, name: str) -> bool:
    """Returns whether a plainly named method is no hook: the real one is there, too, or its parameters are others."""
    hook = _PLAIN_WORDS.get(name)
    if hook is None:
        return False
    return is_overridden(callback, hook) or why_unbound(getattr(callback, name), calls_of(callback)[hook]) is not None


def _is_of_another_base(callback: Any, name: str) -> bool:
    """Returns whether a class beside the callbacks in the line of descent has a method of that name."""
    return any(name in vars(cls) for cls in type(callback).__mro__ if not is_callback_class(cls) and cls is not object)


def _names_used(callback: Any, suspects: dict[str, tuple[Any, str | None]]) -> set[str]:
    """Returns the names that the callback's own code uses, but for the suspects' own use of each other."""
    dead = {inspect.unwrap(function).__code__ for function, _ in suspects.values()}
    used: set[str] = set()
    pending = [code for cls in type(callback).__mro__ if not is_base_class(cls) for code in codes_in(cls)]
    while pending:
        code = pending.pop()
        if code not in dead:
            texts = (each for each in code.co_consts if isinstance(each, str))
            used.update(code.co_names, texts)
    reached = {function for name, (function, _) in suspects.items() if name in used}
    for function in reached:
        used.update(inspect.unwrap(function).__code__.co_names)
    return used


def codes_in(cls: type) -> Iterator[CodeType]:
    """Yields the codes of a class's own functions, and of those inside them."""
    for value in vars(cls).values():
        for part in (value, *(getattr(value, name, None) for name in ("fget", "fset", "__func__"))):
            code = getattr(inspect.unwrap(part), "__code__", None) if callable(part) else None
            if isinstance(code, CodeType):
                yield from _nested(code)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _of_event(name: str) -> str | None:
    """Returns the hook that comes nearest to an event such as `on_train_batch_end`."""
    words = name.split("_")[1:]
    begins = words[-1] in ("start", "begin")
    if "epoch" in words:
        return None if begins else "after_epoch"
    if {"batch", "step", "update"} & {*words}:
        return None if begins else "after_update"
    if {"validation", "test", "eval", "evaluation"} & {*words}:
        return "at_eval"
    return "before_training" if begins else "after_training"


def _snake(name: str) -> str:
    """Returns a name in lower case with underscores, as of `afterEpoch`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
