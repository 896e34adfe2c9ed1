"""Finds what a target of the shell stands for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from noether_testkit.cli.importing import failed_import, import_file, import_module, python_files, submodules
from noether_testkit.errors import TargetError, UsageError, nearest_names, nearest_sentence

_FORMS = "A target is package.module:Class, package.module, a package, a Python file or a folder."


def find_callbacks(targets: Iterable[str]) -> tuple[list[Any], list[UsageError]]:
    """Returns what targets stand for; one that cannot be found costs none of the others.

    Args:
        targets: `package.module:Class`, `package.module`, a package, a Python file or a folder. Behind
            the colon there may be a factory or a `Subject`, too.

    Returns:
        Classes, factories and subjects, each once, in order; and what kept others from being found.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found: list[Any] = []
    problems: list[UsageError] = []
    for target in targets:
        try:
            callbacks, more_problems = _resolve(target)
        except UsageError as problem:
            callbacks, more_problems = [], [problem]
        found += [new for new in callbacks if not any(new is known for known in found)]
        problems += more_problems
    return found, problems


def _resolve(target: str) -> tuple[list[Any], list[UsageError]]:
    place, colon, name = target.partition(":")
    if not place or (colon and not name):
        side = "before" if not place else "after"
        raise TargetError(f"{target!r} is no target{f': nothing stands {side} the colon' if colon else ''}. {_FORMS}")
    if colon:
        return [_named(_one_module(place), name)], []
    modules, problems = _all_modules(place)
    callbacks = [cls for module in modules for cls in _callback_classes(module) if _reason_against(cls, module) is None]
    if not callbacks and not problems:
        raise TargetError(_nothing_in(target, modules))
    return callbacks, problems


def _one_module(place: str) -> ModuleType:
    path = Path(place)
    if path.is_file():
        return import_file(path)
    _refuse_missing_path(place)
    return import_module(place)


def _all_modules(place: str) -> tuple[list[ModuleType], list[UsageError]]:
    """Returns the modules below a place, and why others could not be imported."""
    path = Path(place)
    modules: list[ModuleType] = []
    problems: list[UsageError] = []
    if path.is_dir() and not (path / "__init__.py").is_file():
        for file in python_files(path):
            _gather(partial(import_file, file), modules, problems)
        return modules, problems
    root = import_file(path / "__init__.py") if path.is_dir() else _one_module(place)
    waiting = [root]
    while waiting:
        module = waiting.pop(0)
        modules.append(module)
        arrived: list[ModuleType] = []
        for name in submodules(module):
            _gather(partial(import_module, name), arrived, problems)
        waiting = arrived + waiting
    return modules, problems


def _gather(load: Callable[[], ModuleType], modules: list[ModuleType], problems: list[UsageError]) -> None:
    try:
        modules.append(load())
    except TargetError as problem:
        problems.append(problem)


def _named(module: ModuleType, name: str) -> Any:
    """Returns a class, factory or subject by its name, once it is clear that it can be judged."""
    from noether_testkit.contract import Subject

    thing: Any = module
    for part in name.split("."):
        thing = _attribute(thing, part, module, name)
    try:
        Subject.of(thing)
    except TargetError as error:
        raise TargetError(f"{module.__name__}:{name} cannot be judged. {error} {_others(module)}".rstrip()) from None
    return thing


def _attribute(owner: Any, part: str, module: ModuleType, name: str) -> Any:
    try:
        return getattr(owner, part)
    except AttributeError:
        known = [cls.__name__ for cls in _callback_classes(module)] or _public_classes(module)
        raise TargetError(f"{module.__name__} has no class {name!r}. {nearest_sentence(name, known)}") from None
    except Exception as error:  # noqa: BLE001 - a module may import its names when they are asked for
        raise failed_import(f"{module.__name__}:{name}", error) from None


def _others(module: ModuleType) -> str:
    names = [cls.__name__ for cls in _callback_classes(module) if _reason_against(cls, module) is None]
    return f"Callbacks that {module.__name__} defines: {', '.join(sorted(names))}." if names else ""


def _nothing_in(target: str, modules: Iterable[ModuleType]) -> str:
    sentence = f"{target} defines no callback class that can be built."
    passed_over = [
        f"{cls.__name__} ({_reason_against(cls, module)})" for module in modules for cls in _callback_classes(module)
    ]
    if passed_over:
        return f"{sentence} Passed over: {', '.join(passed_over)}. Name one to judge it: {target}:Class."
    return f"{sentence} Callbacks derive from CallbackBase (noether.core.callbacks or noether_testkit.core.callbacks)."


def _reason_against(cls: type, module: ModuleType) -> str | None:
    """Returns why a class is not judged unless it is named, or `None` if it is."""
    if cls.__module__ != module.__name__:
        return f"from {cls.__module__}"
    return "abstract" if inspect.isabstract(cls) else None


def _callback_classes(module: ModuleType) -> list[type]:
    from noether_testkit.fakes.lineage import is_callback_class

    return [thing for thing in vars(module).values() if isinstance(thing, type) and is_callback_class(thing)]


def _public_classes(module: ModuleType) -> list[str]:
    return [name for name, thing in vars(module).items() if isinstance(thing, type) and not name.startswith("_")]


def _refuse_missing_path(place: str) -> None:
    """Refuses what is meant as a path, and leads nowhere."""
    path = Path(place)
    if path.suffix != ".py" and "/" not in place:
        return
    kind = "file" if path.suffix == ".py" else "folder"
    near = nearest_names(path.name, [each.name for each in path.parent.glob("*") if each.suffix == path.suffix])
    raise TargetError(f"There is no {kind} {place}. {nearest_sentence(path.name, near) if near else _FORMS}")
