"""Check of the options of a callback."""

from __future__ import annotations

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, check
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.watched import watched


@check(
    force=Force.MAY,
    promise="has the same option values after a run as before.",
    why="An option that a run overwrites means something else at every update: a decay that is replaced by its own "
    "warm-up value starts the next step from there. A report of the options at the end tells what was never set.",
    after=(*BUILT, "isolates-instances"),
)
def keeps_every_option_constant(bench: Bench) -> None:
    """Compares the attributes that hold options before and after an ordinary run."""
    watch = watched(bench).options
    require_finished(bench.rehearsal.outcome)
    if not watch.before:
        raise NotApplicable("No attribute holds an option of the config or the constructor.")
    found = list(watch.changes())
    if found:
        name, change = found[0]
        raise Finding(
            seen=f"self.{name} holds the option {name.lstrip('_')}. It was {change.left} when the callback had been "
            f"built, and {change.right} after {watch.last}.",
            expected="Options stay as they were given; what changes in a run is an attribute of its own.",
            fix=f"Leave self.{name} as it is, and count, warm up or schedule in another attribute: "
            f"self.current_{name.lstrip('_')} = ...",
            location=place_of(watch.owner),
        )


CHECKS = (keeps_every_option_constant,)
