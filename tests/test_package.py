"""The public names of the package."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import noether_testkit


@pytest.mark.parametrize("name", noether_testkit.__all__)
def test_each_public_name_is_there(name: str) -> None:
    """Every name that is announced can be imported, and is documented."""
    thing = getattr(noether_testkit, name)
    assert name == "__version__" or thing.__doc__


def test_public_names_are_listed() -> None:
    """Completion in a shell offers the public names before anything is imported."""
    assert dir(noether_testkit) == sorted(noether_testkit.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """`hasattr` and `from noether_testkit import …` work as with any module."""
    assert not hasattr(noether_testkit, "check_callbacks")
    with pytest.raises(ImportError, match="cannot import name 'check_callbacks'"):
        exec("from noether_testkit import check_callbacks")


def test_public_names_are_the_same_wherever_they_are_imported_from() -> None:
    """A name has one home."""
    contract = importlib.import_module("noether_testkit.contract")
    assert noether_testkit.Subject is contract.Subject
    assert noether_testkit.Report is contract.Report


@pytest.mark.parametrize("module", ["noether_testkit", "noether_testkit.errors", "noether_testkit.plan"])
def test_a_cheap_import_loads_nothing_heavy(module: str) -> None:
    """Neither torch nor pytest nor any other library comes with the bare package."""
    code = f"import sys, {module}; print(*{{'torch', 'numpy', 'pytest', 'pydantic', 'hypothesis'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
