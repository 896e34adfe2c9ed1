"""A check leaves no trace in the process, whatever the callback does to it."""

from __future__ import annotations

import logging
import os
import random
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from noether_testkit.contract.sandbox import sandbox


@pytest.mark.parametrize(
    ("disturb", "look"),
    [
        (lambda: random.seed(7), random.getstate),
        (lambda: np.random.seed(7), lambda: list(np.random.get_state()[1])),
        (lambda: torch.manual_seed(7), lambda: torch.get_rng_state().tolist()),
        (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
        (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
        (lambda: torch.use_deterministic_algorithms(True), torch.are_deterministic_algorithms_enabled),
        (lambda: torch.set_num_threads(torch.get_num_threads() + 1), torch.get_num_threads),
        (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
        (lambda: logging.getLogger().addHandler(logging.NullHandler()), lambda: list(logging.getLogger().handlers)),
        (lambda: logging.getLogger().setLevel(5), lambda: logging.getLogger().level),
        (lambda: os.environ.update(NOETHER_TESTKIT_TEST="1"), lambda: dict(os.environ)),
        (lambda: os.chdir("/"), Path.cwd),
        (lambda: setattr(sys, "stdout", sys.stderr), lambda: sys.stdout),
    ],
    ids=[
        "python generator",
        "numpy generator",
        "torch generator",
        "gradients",
        "default dtype",
        "deterministic",
        "threads",
        "warning filters",
        "log handlers",
        "log level",
        "environment",
        "folder",
        "stdout",
    ],
)
def test_the_process_is_as_before(disturb: Callable[[], object], look: Callable[[], object]) -> None:
    """What a block changes in the process is put back, also when the block raises."""
    before = look()
    with pytest.raises(ZeroDivisionError), sandbox():
        _disturb_and_fail(disturb)
    assert look() == before


def _disturb_and_fail(disturb: Callable[[], object]) -> None:
    disturb()
    _ = 1 / 0


def test_what_callbacks_say_is_muted(capfd: pytest.CaptureFixture[str]) -> None:
    """Prints, log messages and warnings of the callback do not stand between the lines of a report."""
    with sandbox():
        print("printed")  # noqa: T201
        print("printed, too", file=sys.stderr)  # noqa: T201
        logging.getLogger("Callback").warning("logged")
        warnings.warn("warned", UserWarning, stacklevel=1)
    assert capfd.readouterr() == ("", "")


def test_the_network_is_closed() -> None:
    """A check never sends a real message, and the network is open again afterwards."""
    connect = socket.socket.connect
    with sandbox(), pytest.raises(ConnectionRefusedError, match=r"network is closed during checks; example.org"):
        socket.create_connection(("example.org", 80), timeout=1)
    assert socket.socket.connect is connect


def test_this_machine_can_be_reached() -> None:
    """A callback that talks to a server of its own on this machine works."""
    with sandbox(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
