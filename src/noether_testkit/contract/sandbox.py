"""Keeps a check from leaving traces in the process, and the caller's settings from changing a verdict."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import random
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noether_testkit.contract.probes.autograd import restored_modes

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def sandbox(*, has_destructor: bool = False) -> Iterator[None]:
    """Mutes what callbacks print, log and warn of, closes the network, and puts modes and generators back.

    Args:
        has_destructor: Whether the callback's class has `__del__`; then what is left is freed before the end.
    """
    freed = _freed() if has_destructor else nullcontext()
    with (
        _ONE_AT_A_TIME,
        restored_modes(),
        _restored_generators(),
        _restored_process(),
        _muted(),
        _closed_network(),
        freed,
    ):
        yield


@contextmanager
def _freed() -> Iterator[None]:
    """Frees what a block leaves, and swallows what destructors raise."""
    previous, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook = previous


@contextmanager
def _restored_process() -> Iterator[None]:
    """Puts back what callbacks may do to the whole process, so that the next check finds the same world."""
    root = logging.getLogger()
    handlers, level, folder, environment = root.handlers[:], root.level, Path.cwd(), dict(os.environ)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    deterministic, anomaly = torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    collecting = gc.isenabled()
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)  # the runs are tiny: more threads only wait for one another on a busy machine
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.autograd.set_detect_anomaly(anomaly)
        (gc.enable if collecting else gc.disable)()


@contextmanager
def _closed_network() -> Iterator[None]:
    """Lets connections go to this machine only, so that a check never sends a real message."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _require_loopback(address[0])
            return original(self, address)

        return call

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        _require_loopback(host)
        return resolve(host, *args, **kwargs)

    socket.socket.connect, socket.socket.connect_ex = guarded(connect), guarded(connect_ex)  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_resolve
    try:
        yield
    finally:
        socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = resolve


def _require_loopback(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost") or _is_local_address(str(name)):
        return
    raise ConnectionRefusedError(f"The network is closed during checks; {name} was asked for")


@contextmanager
def _restored_generators() -> Iterator[None]:
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextmanager
def _muted() -> Iterator[None]:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(handler)


def _is_local_address(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
