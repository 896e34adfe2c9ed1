"""Imports the user's modules and files, and says clearly why one cannot be imported."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from noether_testkit.errors import TargetError, nearest_names, nearest_sentence

T = TypeVar("T")

_OWN = str(Path(__file__).parent)
_SHOWN_FRAMES = 3
_FRAMEWORK = "noether"
_NO_FRAMEWORK = (
    "The framework (emmiai-noether, Python 3.12 or later) is not installed here, and callbacks on noether.core can "
    "only be imported with it. Run this where it is, or import the base classes from noether_testkit.core."
)


def import_module(name: str) -> ModuleType:
    """Imports a module by its dotted name.

    Raises:
        TargetError: There is no such module, or it raises when it is imported.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{name!r} is no module name: the parts between the dots must be identifiers.")
    return _guarded(name, partial(importlib.import_module, name))


def import_file(file: Path) -> ModuleType:
    """Imports a file, under the name by which Python finds it where it does.

    Raises:
        TargetError: It raises when it is imported.
    """
    file = file.resolve()
    for name in _names_of(file):
        if _guarded(str(file), partial(_leads_to, name, file)):
            return import_module(name)
    return _guarded(str(file), partial(_load, file))


def submodules(module: ModuleType) -> list[str]:
    """Returns the names of the modules right below a package; `__main__` is a program, and left out."""
    infos = pkgutil.iter_modules(getattr(module, "__path__", []))
    return [f"{module.__name__}.{info.name}" for info in infos if info.name != "__main__"]


def python_files(folder: Path) -> list[Path]:
    """Returns the Python files below a folder, but not those of hidden folders and virtual environments."""
    files: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and not (path / "pyvenv.cfg").is_file():
            files += python_files(path)
        elif path.suffix == ".py" and path.name != "__main__.py":
            files.append(path)
    return files


def failed_import(name: str, error: BaseException) -> TargetError:
    """Returns the user's own error, with the frames of the user's files."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    lines = "".join(traceback.format_list(frames[-_SHOWN_FRAMES:]))
    text = "".join(traceback.format_exception_only(error)).rstrip()
    hint = f"\n{_NO_FRAMEWORK}" if isinstance(error, ModuleNotFoundError) and error.name == _FRAMEWORK else ""
    return TargetError(f"Importing {name} failed; the error comes from the imported code:\n{lines}{text}{hint}")


def _guarded(name: str, load: Callable[[], T]) -> T:
    """Runs code that imports; what the imported code prints goes to the error stream."""
    try:
        with redirect_stdout(sys.stderr):
            return load()
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise TargetError(_unknown_module(name, error.name)) from None
        raise failed_import(name, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's module may raise anything
        raise failed_import(name, error) from None


def _names_of(file: Path) -> Iterator[str]:
    """Yields the names that a file can have: from the root of its package, and from the working folder."""
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    for folder in (root, Path.cwd()):
        if file.is_relative_to(folder):
            parts = file.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if parts and all(part.isidentifier() for part in parts):
                yield ".".join(parts)


def _leads_to(name: str, file: Path) -> bool:
    """Returns whether Python finds this file under a name; packages above it are imported for that."""
    loaded = sys.modules.get(name)
    try:
        spec = importlib.util.find_spec(name) if loaded is None else loaded.__spec__
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file


def _load(file: Path) -> ModuleType:
    """Imports a file that Python does not find, with its folder on the path for what it imports itself."""
    sys.path.insert(0, str(file.parent))
    name = file.stem if file.stem not in sys.modules and file.stem.isidentifier() else f"_target_{len(sys.modules)}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise TargetError(f"{file} is no Python file.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _unknown_module(name: str, missing: str) -> str:
    parent, _, last = missing.rpartition(".")
    if missing == _FRAMEWORK:
        return _NO_FRAMEWORK
    if not parent:
        local = [info.name for info in pkgutil.iter_modules([str(Path.cwd())])]
        near = nearest_names(missing, local) or nearest_names(missing, _installed(), cutoff=0.75)
        hint = nearest_sentence(missing, near) if near else "Run the command where it can be imported."
        return f"There is no module {name!r}. {hint}"
    package = importlib.import_module(parent)
    if hasattr(package, last):
        return (
            f"There is no module {name!r}, but {parent} has {last!r}. A class stands behind a colon: {parent}:{last}."
        )
    siblings = [info.name for info in pkgutil.iter_modules(getattr(package, "__path__", []))]
    return f"There is no module {name!r}: {parent} has no {last!r}. {nearest_sentence(last, siblings)}"


def _installed() -> list[str]:
    return [info.name for info in pkgutil.iter_modules() if not info.name.startswith("_")]


def _is_users(filename: str) -> bool:
    return not filename.startswith(("<frozen", _OWN)) and not filename.endswith("importlib/__init__.py")
