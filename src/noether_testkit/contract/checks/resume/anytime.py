"""Check of the resume at any update."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import Force, check
from noether_testkit.contract.checks.resume.common import AS_IF, EXPLAINED, SOUND_STATE, SOURCE, sized, space_for
from noether_testkit.contract.checks.resume.telling import finding_of, remark_of
from noether_testkit.contract.checks.resume.windows import is_half_window
from noether_testkit.contract.resume import Draws, Experiment, search


@check(
    force=Force.SHOULD,
    promise="leaves the same when a run is stopped at any update, in the middle of an interval or an epoch too.",
    why="Machines are taken away at any update, and checkpoints have an interval of their own. What is gathered "
    "between two turns and counts beyond them is lost then.",
    after=(*SOUND_STATE, AS_IF, SOURCE),
    explained_by=(*EXPLAINED, "resumes-after-a-crash"),
)
def resumes_at_any_update(bench: Bench) -> str | None:
    """Stops runs at any update; a window that was half full, and a warning in time, are limits and no faults."""
    space = space_for(bench)
    draws = sized(bench, Draws(space=space, anywhere=True, laid=4, count=4))
    seen = search(
        bench,
        draws,
        lambda tried: tried.warning is None and not _says_what_is_missing(tried),
        lambda tried: is_half_window(bench, draws, tried),
    )
    if seen.found is None:
        return remark_of(seen)
    raise finding_of(
        bench,
        space,
        seen,
        seen.found,
        expected="A run that is stopped between two turns leaves the same, but for what the first turn afterwards "
        "gathers over half an interval.",
        fix="Put what is gathered between two turns into the state as well, with the number of values in it, or warn "
        "in load_state_dict or resume_from_checkpoint that it starts anew.",
    )


def _says_what_is_missing(tried: Experiment) -> bool:
    """Returns whether the resumed run died of a file that is not there, which the error names."""
    return isinstance(tried.mismatches[0].error, OSError)
