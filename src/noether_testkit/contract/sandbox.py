"""Keeps a check from leaving traces in the process, and the caller's settings from changing a verdict."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

import numpy as np
import torch

from noether_testkit.contract.probes.autograd import restored_modes


@contextmanager
def sandbox() -> Iterator[None]:
    """Mutes what callbacks print, log and warn of, and puts modes and random generators back."""
    with restored_modes(), _restored_generators(), _muted():
        yield


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
