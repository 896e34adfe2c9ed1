"""Tells a window that fills up again after a resume from what is lost for good."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.resume import Draws, Experiment, experiment
from noether_testkit.contract.resume.culprit import culprit_of


def is_window(bench: Bench, draws: Draws, tried: Experiment) -> bool:
    """Returns whether only values of windows differ, which agree again later."""
    culprit = culprit_of(bench, draws.space, tried.trial)
    if culprit.is_one_turn and any(each.wrong > 1 for each in tried.mismatches):
        return False
    return culprit.is_window and agrees_again(bench, draws, tried)


def is_half_window(bench: Bench, draws: Draws, tried: Experiment) -> bool:
    """Returns whether a window that each turn empties starts anew as a whole, or values agree again later."""
    culprit = culprit_of(bench, draws.space, tried.trial)
    if culprit.is_half_window:
        return True
    return not culprit.splits_a_window and agrees_again(bench, draws, tried)


def agrees_again(bench: Bench, draws: Draws, tried: Experiment) -> bool:
    """Returns whether all that differs agrees again.

    Where too few values are left to tell, or a window has a fixed length, a longer trial tells.
    """
    if tried.passes:
        return True
    if not all(each.is_in_series for each in tried.mismatches):
        return False
    if not tried.may_pass and not culprit_of(bench, draws.space, tried.trial).is_bounded:
        return False
    longer = draws.longer(tried.trial)
    if longer is None:
        return tried.may_pass
    again = experiment(bench, draws.space, longer)
    if again.is_void or again.refusal is not None:
        return tried.may_pass
    paths = {each.path for each in tried.mismatches}
    return all(each.passes for each in again.mismatches if each.path in paths)
