"""Contract tests, verified fakes and reference callbacks for the Noether training framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noether_testkit.api import check_callback
    from noether_testkit.contract import Report, Result, Subject
    from noether_testkit.fakes import FakeRun
    from noether_testkit.plan import Checkpoint, Stop, TrainingPlan
    from noether_testkit.pytest_contract import CallbackContract, contract_tests

__version__ = "0.1.0"

__all__ = [
    "CallbackContract",
    "Checkpoint",
    "FakeRun",
    "Report",
    "Result",
    "Stop",
    "Subject",
    "TrainingPlan",
    "__version__",
    "check_callback",
    "contract_tests",
]

_HOMES = {
    "CallbackContract": "noether_testkit.pytest_contract",
    "Checkpoint": "noether_testkit.plan",
    "FakeRun": "noether_testkit.fakes",
    "Report": "noether_testkit.contract",
    "Result": "noether_testkit.contract",
    "Stop": "noether_testkit.plan",
    "Subject": "noether_testkit.contract",
    "TrainingPlan": "noether_testkit.plan",
    "check_callback": "noether_testkit.api",
    "contract_tests": "noether_testkit.pytest_contract",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__
