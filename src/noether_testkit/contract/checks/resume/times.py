"""Check of rates and remaining times."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.checks.resume.common import AS_IF, EXPLAINED, SOUND_STATE, SOURCE, space_for
from noether_testkit.contract.resume.clock import PAUSE_S, mixed_sessions


@check(
    force=Force.MAY,
    promise="logs rates and remaining times that belong to one session.",
    why="Two days are left, says the log of a resumed run, and it takes five: the seconds of this session were divided "
    "by the updates of all sessions.",
    after=(*SOUND_STATE, AS_IF, SOURCE),
    explained_by=EXPLAINED,
)
def measures_this_session_only(bench: Bench) -> None:
    """Resumes after a long pause on a clock of the kit's own, and compares rates and remaining times."""
    found = mixed_sessions(bench, space_for(bench))
    if found is None:
        return
    raise Finding(
        seen=f"{str(found.trial).capitalize()}, with one second an update and a pause of {PAUSE_S:.0f} seconds: the "
        f"log value {found.key!r} of update {found.update} is {found.twin:.6g} in a run that was never stopped, and "
        f"{found.resumed:.6g} in the resumed one.",
        expected="At the same speed, the same rate and the same remaining time.",
        fix="Note time and update in before_training, and divide what has come since then; or save how many seconds "
        "the earlier sessions took.",
        location=found.location,
    )
