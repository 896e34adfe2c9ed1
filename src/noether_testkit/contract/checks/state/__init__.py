"""Checks of the state that must survive a resume, one file a theme."""

from __future__ import annotations

from noether_testkit.contract.check import Check
from noether_testkit.contract.checks.state.asking import hands_out_a_snapshot, reads_state_without_effect
from noether_testkit.contract.checks.state.devices import loads_state_from_another_device
from noether_testkit.contract.checks.state.foreign import explains_a_foreign_state
from noether_testkit.contract.checks.state.loading import loads_twice_like_once, loads_without_changing_its_input
from noether_testkit.contract.checks.state.restoring import keeps_loaded_state_at_start, round_trips_its_state
from noether_testkit.contract.checks.state.saving import keeps_large_tensors_out_of_state, saves_what_loads_safely
from noether_testkit.contract.checks.state.shape import (
    has_state_of_the_right_shape,
    is_stateful_from_construction,
    saves_and_loads_as_a_pair,
)
from noether_testkit.contract.checks.state.twins import shares_a_run_with_its_twin
from noether_testkit.contract.checks.state.unsaved import saves_what_it_changes

CHECKS: tuple[Check, ...] = (
    has_state_of_the_right_shape,
    saves_and_loads_as_a_pair,
    is_stateful_from_construction,
    saves_what_loads_safely,
    round_trips_its_state,
    reads_state_without_effect,
    loads_without_changing_its_input,
    loads_twice_like_once,
    keeps_loaded_state_at_start,
    hands_out_a_snapshot,
    loads_state_from_another_device,
    explains_a_foreign_state,
    keeps_large_tensors_out_of_state,
    shares_a_run_with_its_twin,
    saves_what_it_changes,
)
