"""Small working stand-ins for the seven collaborators of a callback."""

from noether_testkit.fakes.checkpoint_writer import FakeCheckpointWriter
from noether_testkit.fakes.data import FakeDataContainer, FakeDataset, default_datasets
from noether_testkit.fakes.log_writer import FakeLogWriter
from noether_testkit.fakes.model import DefaultNetwork, FakeModel
from noether_testkit.fakes.optimizer import FakeOptimizer
from noether_testkit.fakes.providers import FakeMetricPropertyProvider, FakePathProvider, Ordinality
from noether_testkit.fakes.run import FakeRun
from noether_testkit.fakes.strict import Call
from noether_testkit.fakes.tracker import FakeTracker
from noether_testkit.fakes.trainer import FakeTrainer
from noether_testkit.fakes.trainer_config import FakeTrainerConfig
from noether_testkit.fakes.watch import HookCall, Watch

__all__ = [
    "Call",
    "DefaultNetwork",
    "FakeCheckpointWriter",
    "FakeDataContainer",
    "FakeDataset",
    "FakeLogWriter",
    "FakeMetricPropertyProvider",
    "FakeModel",
    "FakeOptimizer",
    "FakePathProvider",
    "FakeRun",
    "FakeTracker",
    "FakeTrainer",
    "FakeTrainerConfig",
    "HookCall",
    "Ordinality",
    "Watch",
    "default_datasets",
]
