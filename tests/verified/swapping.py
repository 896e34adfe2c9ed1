"""Callbacks of the tests, on the framework's base classes instead of the kit's."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

DEFECTS = Path(__file__).parents[1] / "defects"


@cache
def swapped(name: str) -> ModuleType:
    """Returns a module of tests/defects with the one edit that a callback needs to run in the framework.

    Args:
        name: Name of the module, without its package.
    """
    file = DEFECTS / f"{name}.py"
    text = file.read_text(encoding="utf-8").replace("noether_testkit.core", "noether.core")
    spec = importlib.util.spec_from_loader(f"swapped_{name}", loader=None)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # a name was given
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    exec(compile(text, str(file), "exec"), vars(module))
    return module
