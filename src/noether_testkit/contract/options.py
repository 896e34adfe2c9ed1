"""What a callback holds as options of its config or its constructor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from noether_testkit.contract.compare import Difference, differences
from noether_testkit.contract.configs import fields_of
from noether_testkit.contract.construction import signature
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.reach import collaborators_and_model, leaves
from noether_testkit.contract.subject import COLLABORATORS, Subject


class OptionWatch:
    """Remembers what the attributes with the names of options hold, where they hold the option."""

    def __init__(self, subject: Subject) -> None:
        self.before: dict[str, dict[str, Any]] = {}
        self.after: dict[str, dict[str, Any]] = {}
        self.last = ""
        self.owner: Any = None
        self._subject = subject
        self._closed: frozenset[int] = frozenset()

    @contextmanager
    def __call__(self, moment: Moment) -> Iterator[None]:
        """Looks after each call."""
        yield
        callback = moment.callback
        if moment.hook == "__init__":
            self.owner = type(callback)
            self._closed = collaborators_and_model(moment.arguments)
            options = {**fields_of(moment.stage.config), **_arguments(self._subject)}
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


def _arguments(subject: Subject) -> Mapping[str, Any]:
    """Returns the options that the constructor takes beside the config."""
    given = subject.kwargs or {}
    defaults = {each.name: each.default for each in signature(subject).values() if each.default is not each.empty}
    return {name: value for name, value in {**defaults, **given}.items() if name not in (*COLLABORATORS, "name")}
