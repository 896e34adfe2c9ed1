"""Finds the callback classes that a target of the shell stands for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from noether_testkit.errors import TargetError, nearest_sentence


def callbacks_of(targets: Iterable[str]) -> list[type]:
    """Returns the callback classes of all targets, each once, in order.

    Args:
        targets: `package.module:Class`, `package.module`, a package, a Python file or a folder.

    Raises:
        TargetError: A target cannot be found or imported, or holds no callback.
    """
    if sys.path[:1] != [str(Path.cwd())]:
        sys.path.insert(0, str(Path.cwd()))
    found: dict[type, None] = {}
    for target in targets:
        found.update(dict.fromkeys(_resolve(target)))
    return list(found)


def _resolve(target: str) -> list[type]:
    module_name, colon, class_name = target.partition(":")
    modules = list(_modules(module_name))
    if colon:
        return [_named(modules[0], class_name)]
    classes = [cls for module in modules for cls in _own_callbacks(module)]
    if not classes:
        raise TargetError(
            f"{target} holds no callback class that can be built. Classes must be defined there, derive from "
            "CallbackBase, and not be abstract."
        )
    return classes


def _modules(name: str) -> Iterator[ModuleType]:
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        yield _import_file(path)
        return
    if path.is_dir() and ("/" in name or not _is_importable(name)):
        for file in sorted(path.rglob("*.py")):
            yield _import_file(file)
        return
    module = _import(name)
    yield module
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        yield _import(info.name)


def _named(module: ModuleType, name: str) -> type:
    thing: object = module
    for part in name.split("."):
        if not hasattr(thing, part):
            known = [cls.__name__ for cls in _callback_classes(module)] or [
                each for each, value in vars(module).items() if isinstance(value, type)
            ]
            raise TargetError(f"{module.__name__} has no class {name!r}. {nearest_sentence(name, known)}")
        thing = getattr(thing, part)
    if not isinstance(thing, type):
        raise TargetError(f"{module.__name__}:{name} is no class, but {type(thing).__name__}.")
    return thing


def _own_callbacks(module: ModuleType) -> list[type]:
    return [cls for cls in _callback_classes(module) if cls.__module__ == module.__name__ and not inspect.isabstract(cls)]


def _callback_classes(module: ModuleType) -> list[type]:
    from noether_testkit.fakes.lineage import is_callback_class

    return [thing for thing in vars(module).values() if isinstance(thing, type) and is_callback_class(thing)]


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise TargetError(_unknown_module(name, error.name)) from None
        raise TargetError(_failed_import(name, error)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's module may raise anything
        raise TargetError(_failed_import(name, error)) from None


def _import_file(path: Path) -> ModuleType:
    """Imports a file under its dotted name where it lies below the working directory, else under its stem."""
    resolved = path.resolve()
    if resolved.is_relative_to(Path.cwd()):
        parts = resolved.relative_to(Path.cwd()).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
        if all(part.isidentifier() for part in parts):
            return _import(".".join(parts))
    sys.path.insert(0, str(resolved.parent))
    return _import(resolved.stem)


def _unknown_module(name: str, missing: str) -> str:
    parent, _, last = missing.rpartition(".")
    if parent:
        package = importlib.import_module(parent)
        siblings = [info.name for info in pkgutil.iter_modules(getattr(package, "__path__", []))]
        return f"There is no module {name!r}: {parent} has no {last!r}. {nearest_sentence(last, siblings)}"
    known = [info.name for info in pkgutil.iter_modules()]
    near = nearest_sentence(missing, known)
    hint = near if near.startswith("Did") else ""
    return f"There is no module {name!r}. {hint} Run the command where the package can be imported.".replace("  ", " ")


def _failed_import(name: str, error: BaseException) -> str:
    """Returns the user's own error, with the frames of the user's files."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and "noether_testkit/cli" not in frame.filename
    ]
    frames = [frame for frame in frames if not frame.filename.endswith("importlib/__init__.py")]
    lines = "".join(traceback.format_list(frames[-3:]))
    text = "".join(traceback.format_exception_only(error)).rstrip()
    return f"Importing {name} failed; the error comes from the imported code:\n{lines}{text}"
