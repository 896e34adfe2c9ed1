"""Check of the options of a callback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from noether_testkit.contract.bench import Bench, require_finished
from noether_testkit.contract.check import BUILT, Finding, Force, NotApplicable, check
from noether_testkit.contract.compare import Difference, differences
from noether_testkit.contract.configs import fields_of
from noether_testkit.contract.construction import signature
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.locate import place_of
from noether_testkit.contract.reach import collaborators_and_model, leaves
from noether_testkit.contract.subject import COLLABORATORS


@check(
    force=Force.MAY,
    promise="has the same option values after a run as before.",
    why="An option that a run overwrites means something else at every update: a decay that is replaced by its own "
    "warm-up value starts the next step from there. A report of the options at the end tells what was never set.",
    after=(*BUILT, "isolates-instances"),
)
def keeps_every_option_constant(bench: Bench) -> None:
    """Compares the attributes that hold options before and after an ordinary run."""
    watch = _OptionWatch(bench)
    bench.train(watch=watch)
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


class _OptionWatch:
    """Remembers what the attributes with the names of options hold, where they hold the option."""

    def __init__(self, bench: Bench) -> None:
        self.before: dict[str, dict[str, Any]] = {}
        self.after: dict[str, dict[str, Any]] = {}
        self.last = ""
        self.owner: Any = None
        self._bench = bench
        self._closed: frozenset[int] = frozenset()

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        yield
        callback = moment.callback
        if moment.hook == "__init__":
            self.owner = type(callback)
            self._closed = collaborators_and_model(moment.arguments)
            options = {**fields_of(moment.stage.config), **_arguments(self._bench)}
            names = [name for option in options for name in (option, f"_{option}") if name in vars(callback)]
            held = {name: self._look(callback, name) for name in names}
            given = {name: leaves(options[name if name in options else name[1:]], name="") for name in names}
            self.before = {name: look for name, look in held.items() if not differences(given[name], look)}
            self.after = self.before
        elif moment.hook != "state_dict":
            changed = {name: self._look(callback, name) for name in self.before if name in vars(callback)}
            if differences(changed, self.after):
                self.last = str(moment)
            self.after = changed

    def changes(self) -> Iterator[tuple[str, Difference]]:
        """Yields the names of options that changed, and their first difference."""
        for name, look in self.before.items():
            for change in differences(look, self.after.get(name, look))[:1]:
                yield name, change

    def _look(self, callback: Any, name: str) -> dict[str, Any]:
        return leaves(vars(callback)[name], self._closed, name="")


def _arguments(bench: Bench) -> Mapping[str, Any]:
    """Returns the options that the constructor takes beside the config."""
    given = bench.subject.kwargs or {}
    defaults = {each.name: each.default for each in signature(bench.subject).values() if each.default is not each.empty}
    return {name: value for name, value in {**defaults, **given}.items() if name not in (*COLLABORATORS, "name")}


CHECKS = (keeps_every_option_constant,)
