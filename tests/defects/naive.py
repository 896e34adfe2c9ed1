"""The tests that people write today: seven mocks, the hooks called by hand, and a round trip of the state.

It is the baseline that the contract is compared with. It is generous: the model and the counter are real, the log
holds a metric under any key, and an error anywhere counts as found.
"""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from typing import Any
from unittest.mock import MagicMock

import torch

from noether_testkit.contract.construction import build
from noether_testkit.contract.sandbox import sandbox
from noether_testkit.contract.subject import COLLABORATORS, Subject
from noether_testkit.core.utils.training import TrainingIteration, UpdateCounter
from noether_testkit.fakes import DefaultNetwork, default_datasets
from noether_testkit.fakes.lineage import data_iterators, is_periodic

UPDATES, PER_EPOCH, BATCH_SIZE = 8, 4, 2


def naive_suite_fails(subject: Subject) -> bool:
    """Returns whether the suite of plain mocks would have found a fault in a callback."""
    with sandbox(has_destructor=hasattr(subject.callback, "__del__")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _suite(subject)
        except Exception:  # noqa: BLE001 - whatever fails a test has found something
            return True
    return False


def _suite(subject: Subject) -> None:
    torch.manual_seed(0)
    callback, counter = _built(subject)
    callback.before_training(update_counter=counter)
    for _ in range(UPDATES):
        _one_update(callback, counter)
    callback.after_training(update_counter=counter)
    state = copy.deepcopy(callback.state_dict())
    restored, _ = _built(subject)
    restored.load_state_dict(copy.deepcopy(state))
    assert _as_text(restored.state_dict()) == _as_text(state)


def _built(subject: Subject) -> tuple[Any, UpdateCounter]:
    counter = UpdateCounter(TrainingIteration(0, 0, 0), TrainingIteration(update=UPDATES), PER_EPOCH, BATCH_SIZE)
    mocks: dict[str, Any] = {name: MagicMock(name=name) for name in COLLABORATORS}
    mocks["model"] = (subject.model or DefaultNetwork)()
    mocks["trainer"].update_counter = counter
    mocks["log_writer"].log_cache = defaultdict(lambda: 0.5)
    mocks["data_container"].get_dataset.return_value = MagicMock(__len__=lambda _: 4)
    return build(subject, mocks), counter


def _one_update(callback: Any, counter: UpdateCounter) -> None:
    counter.add_samples(BATCH_SIZE)
    counter.next_update()
    if counter.is_full_epoch:
        counter.next_epoch()
    if not is_periodic(callback):
        return
    loss = torch.tensor(1.0 / counter.update)
    batch = {name: tensor[:BATCH_SIZE] for name, tensor in default_datasets()["train"].items()}
    with torch.no_grad():
        callback.track_after_accumulation_step(
            update_counter=counter,
            batch=batch,
            losses={"total": loss, "mse": loss},
            update_outputs=None,
            accumulation_steps=1,
            accumulation_step=counter.update - 1,
        )
        callback.track_after_update_step(update_counter=counter, times=defaultdict(float))
        callback.after_update(update_counter=counter, **_data(callback, batch))
        if counter.is_full_epoch:
            callback.after_epoch(update_counter=counter, **_data(callback, batch))


def _data(callback: Any, batch: dict[str, torch.Tensor]) -> dict[str, Any]:
    if not data_iterators(callback):
        return {}
    return {"trainer_model": callback.model, "data_iter": iter([batch] * 2), "batch_size": BATCH_SIZE}


def _as_text(state: Any) -> str:
    """States with tensors know no plain equality, so people compare what is printed."""
    return repr(state)
