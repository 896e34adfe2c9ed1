"""What a target stands for: a class, a factory, a subject, a module, a package, a file or a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Shell

SOUND = "from callbacks import Sound\n\nclass {name}(Sound):\n    pass\n"


def make(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def judged(shell: Shell, *targets: str) -> list[str]:
    answer = shell("check", *targets, "--format", "json", "--select", "fits-hook-signatures")
    return [report["subject"] for report in json.loads(answer.out)]


PACKAGE = {
    "pack/__init__.py": "from pack.inner import Inner\n",
    "pack/inner.py": SOUND.format(name="Inner"),
    "pack/deep/__init__.py": "",
    "pack/deep/deeper.py": SOUND.format(name="Deeper"),
    "pack/__main__.py": "raise SystemExit('a program was started')\n",
}


@pytest.mark.parametrize(
    ("target", "subjects"),
    [
        ("callbacks:Sound", ["Sound"]),
        ("callbacks", ["Sound", "Broken"]),
        ("callbacks.py", ["Sound", "Broken"]),
        ("callbacks.py:Broken", ["Broken"]),
        ("./callbacks.py:Broken", ["Broken"]),
        ("oddities:Outer.Inner", ["Outer.Inner"]),
        ("oddities:make_greeter", ["make_greeter"]),
        ("oddities:greeter", ["Greeter"]),
        ("pack", ["Deeper", "Inner"]),
        ("pack/", ["Deeper", "Inner"]),
        ("./pack", ["Deeper", "Inner"]),
        ("pack.deep", ["Deeper"]),
        ("pack/deep/deeper.py", ["Deeper"]),
        ("pack:Inner", ["Inner"]),
        ("folder", ["First", "Second"]),
        ("folder/", ["First", "Second"]),
    ],
)
def test_each_form_of_a_target(shell: Shell, project: Path, target: str, subjects: list[str]) -> None:
    """Every class that is defined in a place is judged, imported and abstract ones only where they are named."""
    make(project, PACKAGE)
    make(
        project,
        {
            "folder/first.py": SOUND.format(name="First"),
            "folder/sub/second.py": SOUND.format(name="Second"),
            "folder/.hidden/third.py": "raise RuntimeError('hidden')\n",
            "folder/venv/pyvenv.cfg": "",
            "folder/venv/fourth.py": "raise RuntimeError('installed')\n",
        },
    )
    assert judged(shell, target) == subjects


def test_an_absolute_path_is_a_target(shell: Shell, project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file may lie anywhere, and imports what lies beside it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    make(
        elsewhere,
        {"beside.py": SOUND.format(name="Beside"), "far.py": "from beside import Beside\nclass Far(Beside): pass\n"},
    )
    assert judged(shell, str(elsewhere / "far.py")) == ["Far"]
    assert judged(shell, f"{elsewhere / 'far.py'}:Far") == ["Far"]


def test_a_file_of_a_package_is_imported_by_its_full_name(shell: Shell, project: Path) -> None:
    """Relative imports work, and a package below `src` has the name that its own code uses."""
    make(
        project,
        {
            "src/mine/__init__.py": "",
            "src/mine/base.py": SOUND.format(name="Base"),
            "src/mine/special.py": "from .base import Base\n\nclass Special(Base):\n    pass\n",
        },
    )
    sys.path.insert(0, str(project / "src"))
    assert judged(shell, "src/mine/special.py") == ["Special"]
    assert "mine.special" in sys.modules
    assert judged(shell, "src/mine") == ["Base", "Special"]


def test_a_file_with_the_name_of_a_library_is_still_the_file(shell: Shell, project: Path) -> None:
    """A path says which file is meant, whatever Python would find by the name."""
    make(project, {"statistics.py": SOUND.format(name="Mine"), "not-a-name.py": SOUND.format(name="Odd")})
    import statistics  # noqa: F401 - another module of this name is loaded

    assert judged(shell, "statistics.py") == ["Mine"]
    assert judged(shell, "not-a-name.py") == ["Odd"]


def test_classes_of_one_name_are_all_judged(shell: Shell, project: Path) -> None:
    """Two files may define classes of one name."""
    make(project, {"folder/a/same.py": SOUND.format(name="Same"), "folder/b/same.py": SOUND.format(name="Same")})
    assert judged(shell, "folder") == ["Same", "Same"]


@pytest.mark.parametrize("target", ["pack", "pack/", "folder"])
def test_one_module_that_cannot_be_imported_costs_no_other(shell: Shell, project: Path, target: str) -> None:
    """The rest of a package or folder is judged, and the user's error is shown."""
    bad = "raise RuntimeError('my own fault')\n"
    make(project, {**PACKAGE, "pack/bad.py": bad, "pack/worse/__init__.py": bad})
    make(project, {"folder/bad.py": bad, "folder/inner.py": SOUND.format(name="Inner")})
    answer = shell("check", target, "--select", "fits-hook-signatures")
    assert answer.code == 2
    assert "Inner: 1 planned = 1 passed" in answer.out
    assert "RuntimeError: my own fault" in answer.err
    assert "Traceback" not in answer.err


def test_a_module_without_callbacks_says_what_was_passed_over(shell: Shell, project: Path) -> None:
    """Imported and abstract classes are named with the reason."""
    make(project, {"shelf.py": "from callbacks import Sound\nfrom oddities import Abstract\n"})
    answer = shell("check", "shelf")
    assert answer.code == 2
    assert "Sound (from callbacks)" in answer.err
    assert "shelf:Class" in answer.err


def test_an_abstract_class_is_passed_over_in_a_module(shell: Shell) -> None:
    """A base class of the user's own does not fail the whole module."""
    answer = shell("check", "oddities", "--select", "fits-hook-signatures")
    assert "Abstract" not in answer.out + answer.err
    assert "Risky: 1 planned = 1 passed" in answer.out


def test_a_name_that_is_made_when_asked_for_may_fail(shell: Shell, project: Path) -> None:
    """A module that imports its names lazily shows the error of that import."""
    make(project, {"lazy.py": "def __getattr__(name):\n    raise RuntimeError('my own fault')\n"})
    answer = shell("check", "lazy:Class")
    assert answer.code == 2
    assert "RuntimeError: my own fault" in answer.err


def test_the_shell_finds_the_working_folder(project: Path) -> None:
    """The installed command finds modules where it is run."""
    command = [
        sys.executable,
        "-m",
        "noether_testkit.cli",
        "check",
        "callbacks:Sound",
        "--select",
        "fits-hook-signatures",
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_gone_is_no_fault_of_the_kit(project: Path) -> None:
    """`noether-testkit list | head -1` ends without a trace."""
    command = f"{sys.executable} -m noether_testkit.cli list | head -0; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=project, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() in {"141", "0"}
