"""Checkpoint files: written by torch, and read by torch unless they are, byte for byte, what was just written here."""

from __future__ import annotations

import copy
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

_KEPT_FILES = 16
_LARGEST_BYTES = 2**18
_PLAIN = frozenset({bool, int, float, str, type(None)})
_TENSORS = frozenset({torch.Tensor, torch.nn.Parameter})

_kept: OrderedDict[Path, tuple[bytes, Any]] = OrderedDict()
"""The bytes of the files that were written last, and copies of their contents."""


def write(content: Any, file: Path) -> None:
    """Writes a file by `torch.save`, and keeps a copy of a small content of tensors and plain values."""
    _kept.pop(file, None)
    torch.save(content, file)
    if file.stat().st_size > _LARGEST_BYTES:
        return
    try:
        kept = _copied(content)
    except TypeError:
        return
    _kept[file] = file.read_bytes(), kept
    if len(_kept) > _KEPT_FILES:
        _kept.popitem(last=False)


def read(file: Path) -> Any:
    """Reads a file by `torch.load` at its default settings, which takes longer than some updates.

    What was written by `write`, and is still there byte for byte, is answered from its copy.
    """
    data, content = _kept.get(file, (None, None))
    if data is not None and data == file.read_bytes():
        return _copied(content)
    return torch.load(file)


def _copied(content: Any) -> Any:
    """Returns a copy.

    Raises:
        TypeError: There is something in it that a file may give back otherwise.
    """
    kind = type(content)
    if kind in _PLAIN:
        return content
    if kind in _TENSORS:
        return _copied_tensor(content)
    if kind is list or kind is tuple:
        return kind(_copied(each) for each in content)
    if kind is dict or kind is OrderedDict:
        copied = copy.copy(content)  # an ordered one has attributes of its own, such as the versions of the modules
        for key, value in content.items():
            if type(key) not in _PLAIN:
                raise TypeError(key)
            copied[key] = _copied(value)
        return copied
    raise TypeError(content)


def _copied_tensor(tensor: torch.Tensor) -> torch.Tensor:
    is_plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not is_plain or tensor.grad_fn is not None or vars(tensor):
        raise TypeError(tensor)
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)
