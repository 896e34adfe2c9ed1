"""Holds the direction of imports, and what an import costs."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import noether_testkit

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/noether_testkit"

ORDER = ("errors", "plan", "core", "fakes", "contract", "adapters", "api", "pytest_contract", "pytest_plugin", "cli")
"""The rooms of the kit; each may import those before it."""
ROUTES = ("pytest_contract", "pytest_plugin", "cli")
"""Routes do not know one another."""
STRATEGIES_MAY_SEE = {"errors", "plan", "core"}
FILES = sorted(SOURCE.rglob("*.py"))
REFERENCE_CALLBACKS = sorted((ROOT / "reference_callbacks").glob("*.py"))


def kit_imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yields line and module of each import of the kit, inside functions and for type checkers, too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_kit(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} is a relative import; name the whole module."
            if node.module == "noether_testkit":
                yield from ((node.lineno, f"noether_testkit.{alias.name}") for alias in node.names)
            elif is_kit(node.module or ""):
                yield node.lineno, node.module or ""


def is_kit(module: str) -> bool:
    return module.partition(".")[0] == "noether_testkit"


def room_of(module: str) -> str:
    return module.split(".")[1]


def may_see(room: str) -> set[str]:
    if room == "strategies":
        return {room, *STRATEGIES_MAY_SEE}
    earlier = set(ORDER[: ORDER.index(room)]) - (set(ROUTES) if room in ROUTES else set())
    return {room, "__version__", *earlier}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_point_one_way(file: Path) -> None:
    """Errors, plan, core, fakes, contract, adapters, api, routes: each room sees only those before it."""
    room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    assert room in (*ORDER, "strategies"), f"{room} is new: give it its place in ORDER."
    wrong = [f"line {line}: {module}" for line, module in kit_imports(file) if room_of(module) not in may_see(room)]
    assert not wrong


@pytest.mark.parametrize("file", sorted(SOURCE.glob("contract/checks/*.py")), ids=lambda file: file.stem)
def test_checks_do_not_see_one_another(file: Path) -> None:
    """A file of checks uses the contract's tools, never another file of checks."""
    assert not [module for _, module in kit_imports(file) if module.startswith("noether_testkit.contract.checks")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_adapters_know_the_framework(file: Path) -> None:
    """Nobody else imports the framework."""
    if "adapters" in file.parts:
        return
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.partition(".")[0] == "noether"]


@pytest.mark.parametrize("file", REFERENCE_CALLBACKS, ids=lambda file: file.stem)
def test_reference_callbacks_see_the_core_only(file: Path) -> None:
    """What is copied into a project needs nothing but the callback side."""
    assert {room_of(module) for _, module in kit_imports(file)} <= {"core"}


@pytest.mark.parametrize("name", noether_testkit.__all__)
def test_public_names_resolve(name: str) -> None:
    """Each public name is there, and comes from the module that it is said to come from."""
    assert getattr(noether_testkit, name) is not None
    assert name in dir(noether_testkit)


@pytest.mark.parametrize(
    "module", ["fakes", "contract", "contract.probes", "core.callbacks", "core.utils.training", "strategies"]
)
def test_public_names_of_the_rooms_resolve(module: str) -> None:
    """What a room lists, it has."""
    room = importlib.import_module(f"noether_testkit.{module}")
    assert all(hasattr(room, name) for name in room.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy names do not hide slips."""
    with pytest.raises(AttributeError, match="no attribute 'chekc_callback'"):
        _ = noether_testkit.chekc_callback


def loaded_by(code: str) -> set[str]:
    """Returns the modules in a new interpreter after the code."""
    script = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_kit_is_cheap() -> None:
    """`import noether_testkit` loads no library that is not Python's own."""
    loaded = loaded_by("import noether_testkit")
    assert not loaded & {"torch", "numpy", "pytest", "pydantic", "hypothesis", "yaml"}
    assert {name for name in loaded if is_kit(name)} == {"noether_testkit"}


def test_help_is_cheap() -> None:
    """The shell shows its help without torch."""
    code = (
        "from contextlib import suppress\nfrom noether_testkit.cli import main\n"
        "with suppress(SystemExit):\n    main(['check', '--help'])"
    )
    assert not loaded_by(code) & {"torch", "numpy", "pytest", "pydantic", "hypothesis", "yaml"}


def test_the_plugin_is_cheap_where_it_is_not_used(tmp_path: Path) -> None:
    """In an unrelated project pytest loads the plugin, and nothing of the kit or its libraries with it."""
    (tmp_path / "test_unrelated.py").write_text(
        "import sys\n\n\ndef test_nothing(pytestconfig):\n"
        "    assert 'noether_testkit.pytest_plugin' in sys.modules\n"
        "    loaded = {name for name in sys.modules if name.partition('.')[0] == 'noether_testkit'}\n"
        "    assert loaded == {'noether_testkit', 'noether_testkit.pytest_plugin'}\n"
        "    assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
