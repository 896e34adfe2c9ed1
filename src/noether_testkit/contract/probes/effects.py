"""Probe of effects on the world: files, threads, processes, sockets and random draws."""

from __future__ import annotations

import builtins
import io
import os
import random
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.locate import belongs_to

_Maker = Callable[[Callable[..., Any], list[str]], Callable[..., Any]]
"""Makes a function that notes its calls in a list from the one that it stands for."""

_WRITING = frozenset("wax+")
_PYTHON = sysconfig.get_path("stdlib")
_INSTALLED = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_COLLECTIVES = tuple(
    name
    for name in dir(torch.distributed)
    if name.startswith(
        ("all_", "reduce", "broadcast", "barrier", "gather", "scatter", "send", "recv", "isend", "irecv")
    )
    or name in ("monitored_barrier", "new_group", "batch_isend_irecv")
)


_INITIALISERS = tuple(name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_"))
"""Functions that fill new modules with random numbers; a module of the callback's own is no draw on purpose."""


@contextmanager
def outside_effects(folder: Path, callback: Any) -> Iterator[list[str]]:
    """Notes, in words, each file written, thread or process started, socket opened and random number drawn in a block.

    Args:
        folder: Files below it are seen however they were written.
        callback: The class or factory, to tell what its own code starts from what a library does.

    Yields:
        The list; it is complete when the block is over.
    """
    seen: list[str] = []
    files = _files(folder)
    states = _generators()
    with ExitStack() as stack:
        for owner, name, make in (*_WATCHED, *_starters(callback)):
            stack.enter_context(_replaced(owner, name, make(getattr(owner, name), seen)))
        for name in _INITIALISERS:
            stack.enter_context(_replaced(torch.nn.init, name, _without_draws(getattr(torch.nn.init, name))))
        try:
            yield seen
        finally:
            new = [path for path, look in _files(folder).items() if files.get(path) != look]
            seen += [_wrote(path) for path in new if _wrote(path) not in seen]
            seen += [
                f"drew from the generator of {name}" for name, state in _generators().items() if state != states[name]
            ]


@contextmanager
def collectives(*modules: Any) -> Iterator[list[str]]:
    """Makes a block believe that it is rank 0 of two, and notes the collectives that it calls; none takes place.

    Args:
        *modules: Modules that may have imported the functions by name.
    """
    seen: list[str] = []
    facts = {"is_available": True, "is_initialized": True, "get_rank": 0, "get_world_size": 2, "get_backend": "gloo"}
    fakes: dict[str, Callable[..., Any]] = {name: _answering(value) for name, value in facts.items()}
    fakes |= {name: _noting(name, seen) for name in _COLLECTIVES if callable(getattr(torch.distributed, name))}
    with ExitStack() as stack:
        for name, fake in fakes.items():
            original = getattr(torch.distributed, name, None)
            if original is None:
                continue
            stack.enter_context(_replaced(torch.distributed, name, fake))
            for module in modules:
                for alias, value in list(vars(module).items()):
                    if value is original:
                        stack.enter_context(_replaced(module, alias, fake))
        yield seen


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


def _without_draws(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with torch.random.fork_rng(devices=[]):
            return original(*args, **kwargs)

    return call


def _opening(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(file: Any, mode: Any = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(mode, str) and _WRITING & {*mode} and isinstance(file, str | bytes | os.PathLike):
            _note_file(file, seen)
        return original(file, mode, *args, **kwargs)

    return call


def _opening_low(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and isinstance(path, str | bytes | os.PathLike):
            _note_file(path, seen)
        return original(path, flags, *args, **kwargs)

    return call


def _saving(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(f, str | os.PathLike):
            _note_file(f, seen)
        return original(obj, f, *args, **kwargs)

    return call


def _starting(kind: str, callback: Any) -> _Maker:
    def make(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _is_asked_for_by(callback, sys._getframe(1)):  # noqa: SLF001 - the way to whoever starts it
                seen.append(f"started a {kind}")
            return original(self, *args, **kwargs)

        return call

    return make


def _socketing(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(self: Any, family: int = -1, *args: Any, **kwargs: Any) -> Any:
        if family in (-1, socket.AF_INET, socket.AF_INET6):
            seen.append("opened a socket")
        return original(self, family, *args, **kwargs)

    return call


def _resolving(original: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        seen.append("looked up an address in the network")
        return original(*args, **kwargs)

    return call


_WATCHED: tuple[tuple[Any, str, _Maker], ...] = (
    (builtins, "open", _opening),
    (io, "open", _opening),
    (os, "open", _opening_low),
    (torch, "save", _saving),
    (socket.socket, "__init__", _socketing),
    (socket, "getaddrinfo", _resolving),
)


def _starters(callback: Any) -> Iterator[tuple[Any, str, _Maker]]:
    yield threading.Thread, "start", _starting("thread", callback)
    yield BaseProcess, "start", _starting("process", callback)
    yield subprocess.Popen, "__init__", _starting("process", callback)


def _note_file(path: Any, seen: list[str]) -> None:
    file = Path(os.fsdecode(path)).absolute()
    hidden = file.is_relative_to(Path.home()) and any(
        part.startswith(".") for part in file.relative_to(Path.home()).parts
    )
    in_temporary = file.is_relative_to(tempfile.gettempdir())
    if str(file) != os.devnull and (in_temporary or not hidden) and _wrote(file) not in seen:
        seen.append(_wrote(file))


def _wrote(path: Path) -> str:
    return f"wrote the file {path}"


def _is_asked_for_by(callback: Any, caller: FrameType | None) -> bool:
    """Returns whether the callback's own code starts something, not a library such as the monitor of a progress bar.

    Python's own library is passed over: an executor starts what others ask it for.
    """
    while caller is not None and _is_pythons(caller.f_code.co_filename):
        caller = caller.f_back
    return caller is not None and belongs_to(caller.f_code.co_filename, callback)


def _is_pythons(file: str) -> bool:
    return file.startswith(("<frozen ", _PYTHON)) and not file.startswith(_INSTALLED)


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Returns size and time of the files in a folder."""
    found: dict[Path, tuple[int, int]] = {}
    for file in folder.rglob("*"):
        try:
            look = file.stat()
        except OSError:  # gone in the meantime
            continue
        if file.is_file():
            found[file.absolute()] = look.st_size, look.st_mtime_ns
    return found


def _generators() -> dict[str, Any]:
    return {
        "Python": random.getstate(),
        "NumPy": repr(np.random.get_state()[1:3]) + bytes(np.random.get_state()[1]).hex(),  # type: ignore[index]
        "torch": bytes(torch.get_rng_state().numpy()),
    }


def _answering(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _noting(name: str, seen: list[str]) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> None:
        seen.append(f"torch.distributed.{name}")

    return call
