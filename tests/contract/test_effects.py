"""The probe of effects on the world tells what a callback's own code starts from what a library does."""

from __future__ import annotations

import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from noether_testkit.contract.probes.effects import outside_effects

LIBRARY = """
import threading

class Worker(threading.Thread):
    def __init__(self):
        super().__init__(target=lambda: None, daemon=True)

def run_monitor():
    worker = Worker()
    worker.start()
    worker.join()
"""


class Callback:
    """Stands for the class under judgement."""


def library() -> dict[str, Any]:
    """Returns the names of a module that lies among the installed packages."""
    names: dict[str, Any] = {"__name__": "installed_library"}
    exec(compile(LIBRARY, f"{sysconfig.get_path('purelib')}/installed_library.py", "exec"), names)
    return names


def test_a_library_thread_that_the_callback_starts_counts(tmp_path: Path) -> None:
    """The class of a thread does not excuse whoever starts it."""
    worker = library()["Worker"]()
    with outside_effects(tmp_path, Callback) as seen:
        worker.start()
        worker.join()
    assert seen == ["started a thread"]


def test_a_thread_that_a_library_starts_is_its_own(tmp_path: Path) -> None:
    """A monitor that comes with a progress bar is no business of the callback."""
    run_monitor = library()["run_monitor"]
    with outside_effects(tmp_path, Callback) as seen:
        run_monitor()
    assert seen == []


def test_an_executor_starts_what_the_callback_asks_for(tmp_path: Path) -> None:
    """Python's own library starts nothing of its own accord."""
    with outside_effects(tmp_path, Callback) as seen, ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
    assert seen == ["started a thread"]


def test_a_saved_file_is_seen_wherever_it_lies(tmp_path: Path) -> None:
    """Only a path is a file: what is saved into memory or an open file is not noted here."""
    inside, outside = tmp_path / "runs", tmp_path / "elsewhere.pt"
    inside.mkdir()
    with outside_effects(inside, Callback) as seen:
        torch.save({"a": 1}, outside)
    assert seen == [f"wrote the file {outside}"]


def test_what_others_write_into_the_working_directory_is_not_seen(tmp_path: Path, monkeypatch: Any) -> None:
    """Another process may write there at any time."""
    here, runs = tmp_path / "here", tmp_path / "runs"
    here.mkdir()
    runs.mkdir()
    monkeypatch.chdir(here)
    with outside_effects(runs, Callback) as seen:
        writer = torch._C.PyTorchFileWriter(str(here / "of_others.pt"))
        writer.write_end_of_file()
    assert seen == []
