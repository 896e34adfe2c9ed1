"""Callbacks around `constructs-without-side-effects`."""

from __future__ import annotations

import io
import os
import random
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "constructs-without-side-effects"


@guilty(CHECK)
class LogsWhenBuilt(CallbackBase):
    """Logs a value when it is built: it lands in the entry of update 0."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tracker.set_summary("parameters", sum(weight.numel() for weight in self.model.parameters()))


@guilty(CHECK)
class WritesItsHeaderWhenBuilt(CallbackBase):
    """Writes the first line of its file when it is built, also for an evaluation.

    Each rank does it at the same time: https://github.com/allenai/allennlp/issues/3841 (B097).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file = self.trainer.path_provider.run_output_path / "losses.csv"
        self.file.write_text("update,loss\n", encoding="utf-8")


@guilty(CHECK)
class StartsAThreadWhenBuilt(CallbackBase):
    """Starts a thread, and nobody may ever end it.

    See https://github.com/lincc-frameworks/hyrax/pull/1011 (B181).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.done = threading.Event()
        thread = threading.Thread(target=self.done.set, daemon=True)
        thread.start()
        thread.join()


@guilty(CHECK)
class ConnectsWhenBuilt(CallbackBase):
    """Asks a service whether it is there.

    See https://github.com/leggedrobotics/rsl_rl/issues/150 (B087).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with socket.create_connection(("example.com", 443), timeout=1):
            self.is_reachable = True


@guilty(CHECK)
class DrawsWhenBuilt(CallbackBase):
    """Draws directions from the global generator, which draws the initial weights, too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directions = torch.randn(3, 4)


@guilty(CHECK)
class WaitsForTheOtherRanks(CallbackBase):
    """Calls a collective when it is built, where there are several ranks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()


@guilty(CHECK)
class InitialisesTheHeadWhenBuilt(CallbackBase):
    """Sets weights that are initialised afterwards."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with torch.no_grad():
            self.model.net.head.bias.zero_()


@guilty(CHECK)
class TriesItsStoreWhenBuilt(CallbackBase):
    """Saves a tensor beside the runs, to see whether it could, and takes it away again."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        file = Path(tempfile.gettempdir()) / f"store-{os.getpid()}.pt"
        torch.save(torch.zeros(1), file)
        file.unlink()


@innocent(CHECK)
class WeighsAnEntryWhenBuilt(CallbackBase):
    """Saves a tensor into memory, to know how large an entry will be."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        buffer = io.BytesIO()
        torch.save(torch.zeros(1), buffer)
        self.entry_bytes = buffer.tell()


@innocent(CHECK)
class ReadsWhenBuilt(CallbackBase):
    """Reads options, data, sizes and the rank, and says so to its logger."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = self.trainer.path_provider.run_output_path
        self.samples = len(self.data_container.get_dataset("train"))
        self.is_first = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
        self.logger.info("%d samples, %d parameters", self.samples, self.model.param_count)


@innocent(CHECK)
class DrawsFromGeneratorsOfItsOwn(CallbackBase):
    """Draws from generators that belong to nobody else."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directions = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
        self.order = random.Random(1).sample(range(5), 5)
        self.noise = np.random.default_rng(1).normal(size=3)


@innocent(CHECK, declares=("draws-random-numbers",))
class DrawsAndSaysSo(CallbackBase):
    """Draws on purpose."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = random.random()


@innocent(CHECK)
class PreparesWhatItUsesLater(PeriodicCallback):
    """Makes a lock, a thread that is not started, and a module of its own."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.lock = threading.Lock()
        self.worker = threading.Thread(target=print, daemon=True)
        self.probe = torch.nn.Linear(2, 1)
