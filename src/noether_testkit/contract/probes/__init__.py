"""Probes answer one question: what changed between these two moments?

Each probe looks at one thing, and `watching` compares two looks around a block:

    with watching(WeightProbe(model), ModeProbe(model)) as changes:
        callback.after_update(update_counter=counter)
    assert not changes
"""

from noether_testkit.contract.probes.autograd import AutogradProbe, RecordedOperation, recorded_operations
from noether_testkit.contract.probes.model import ModeProbe, WeightProbe
from noether_testkit.contract.probes.probe import Change, Probe, watching

__all__ = [
    "AutogradProbe",
    "Change",
    "ModeProbe",
    "Probe",
    "RecordedOperation",
    "WeightProbe",
    "recorded_operations",
    "watching",
]
