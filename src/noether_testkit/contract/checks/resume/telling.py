"""What is said of a search: a finding about the trial that goes wrong, or a remark."""

from __future__ import annotations

from dataclasses import replace

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, NotApplicable
from noether_testkit.contract.locate import in_words, place_of_error
from noether_testkit.contract.ordinary import LONGEST
from noether_testkit.contract.resume import Experiment, Search, Space, experiment
from noether_testkit.contract.resume.culprit import culprit_of
from noether_testkit.contract.resume.experiment import twin_of

_ROOM = 4
_GENERATORS = (
    " The state of a generator of random numbers belongs into the state, too (getstate, get_state or "
    "bit_generator.state), or it is made anew at each turn, from a seed and the update."
)


def finding_of(bench: Bench, space: Space, seen: Search, found: Experiment, *, expected: str, fix: str) -> Finding:
    """Returns what is said of a trial that goes wrong."""
    found = _with_room(bench, space, found)
    first = found.mismatches[0]
    culprit = culprit_of(bench, space, found.trial)
    parts = [f"{str(found.trial).capitalize()}: {first.told()}.", culprit.sentence, _unsteady(seen)]
    place = place_of_error(first.error) if first.error is not None else None
    return Finding(
        seen=" ".join(part for part in parts if part),
        expected=expected,
        fix=fix + (_GENERATORS if culprit.loses_a_generator else ""),
        location=place or culprit.location,
    )


def remark_of(*searches: Search) -> str | None:
    """Returns what there is to say of searches that found nothing.

    Raises:
        NotApplicable: No run could be stopped.
    """
    told = [_remark(seen) for seen in searches]
    if not any(told) and all(seen.tried == 0 for seen in searches):
        raise NotApplicable("No run could be stopped at the end of an interval before the callback ended it.")
    notes = [note for seen in searches for note in seen.notes]
    parts = [next((part for part in told if part), None), *notes, *(_unsteady(seen) for seen in searches)]
    return " ".join(dict.fromkeys(part for part in parts if part)) or None


def _with_room(bench: Bench, space: Space, found: Experiment) -> Experiment:
    """Returns a trial that is some updates longer, where the callback stopped the run at its very end anyway."""
    plan = found.trial.plan
    at_end = twin_of(bench, space, found.trial).outcome.updates == plan.total_updates
    if found.mismatches[0].kind != "decision" or not at_end:
        return found
    longer = replace(plan, updates=min(LONGEST, plan.total_updates + _ROOM), epochs=None, samples=None)
    tried = experiment(bench, space, replace(found.trial, plan=longer))
    return tried if tried.mismatches and tried.mismatches[0].kind == "decision" else found


def _remark(seen: Search) -> str | None:
    if seen.refusals:
        return f"It refuses to be resumed: {in_words(seen.refusals[0])}."
    if seen.warned:
        return f"{str(seen.warned[0].trial).capitalize()}: it warned when it was restored: {seen.warned[0].warning}"
    if not seen.passing:
        return None
    tried = max(seen.passing, key=lambda each: each.passes)
    return f"{str(tried.trial).capitalize()}: {tried.mismatches[0].what} differs{_how(tried)}."


def _how(tried: Experiment) -> str:
    if tried.passes:
        return ", and later ones agree again"
    if tried.may_pass:
        return ", and too few values are left in this run to tell whether later ones agree again"
    return ": a window started anew"


def _unsteady(seen: Search) -> str:
    names = sorted({path for _, path in seen.unsteady})
    return f"Not compared, because it differs between two equal runs: {', '.join(names)}." if names else ""
