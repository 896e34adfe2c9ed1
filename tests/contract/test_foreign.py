"""What a load that fails leaves behind: entries of the other state are a remark, anything else is a finding."""

from __future__ import annotations

from typing import Any

from noether_testkit import check_callback
from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

CHECK = "explains-a-foreign-state"


class CountsTwice(PeriodicCallback):
    """Counts turns by one and by two."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.ones = 0
        self.twos = 0

    def periodic_callback(self, **_: Any) -> None:
        self.ones += 1
        self.twos += 2

    def state_dict(self) -> dict[str, Any]:
        return {"ones": self.ones, "twos": self.twos}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.ones = state_dict["ones"]
        self.twos = state_dict["twos"]


class ReadsAllFirst(CountsTwice):
    """Sets nothing before all is read."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.ones, self.twos = state_dict["ones"], state_dict["twos"]


class AddsBeforeItFails(CountsTwice):
    """Leaves the sum of two states when the second entry is missing."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.ones += state_dict["ones"]
        self.ones, self.twos = state_dict["ones"], state_dict["twos"]


def test_a_load_that_is_done_by_half_is_a_remark() -> None:
    """Whoever reads entry after entry holds, and is told which one was set."""
    result = check_callback(CountsTwice, select=[CHECK])[CHECK]
    assert result.outcome == "passed"
    assert "without the entry 'twos' was done by half: state['ones'] was" in (result.seen or "")


def test_a_load_that_reads_all_first_is_silent() -> None:
    """A load that fails changes nothing."""
    result = check_callback(ReadsAllFirst, select=[CHECK])[CHECK]
    assert (result.outcome, result.seen) == ("passed", None)


def test_a_load_that_mixes_two_states_is_a_finding() -> None:
    """What is neither as before nor as in the other state is broken."""
    result = check_callback(AddsBeforeItFails, select=[CHECK])[CHECK]
    assert result.outcome == "warned"
    assert "A state of another update, without the entry 'twos', was loaded after a good one" in (result.seen or "")
