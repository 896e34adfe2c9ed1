"""The error tree of the kit.

```text
TestkitError
├── UsageError               the kit was asked for something it cannot do: exit code 2
│   ├── TargetError          a target that cannot be imported or is no callback
│   ├── SubjectError         a subject that cannot be built: config, arguments, declarations
│   ├── UnknownNameError     a check, declaration or format that does not exist
│   └── PlanError            a training plan that contradicts itself
├── FakeError                a fake was used in a way that the framework's object does not allow
└── ContractError            raised by ``Report.raise_for_failures``
```

Every message says what was promised, what was seen and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 20


class TestkitError(Exception):
    """Root of all errors that the kit raises on purpose."""

    __test__ = False


class UsageError(TestkitError):
    """The kit was asked for something that it cannot do."""


class TargetError(UsageError):
    """A target cannot be found, imported, or is no callback."""


class SubjectError(UsageError):
    """A subject cannot be built from what was given."""


class UnknownNameError(UsageError):
    """A name that stands for nothing, with the nearest names that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = sorted(known)
        super().__init__(f"There is no {kind} {name!r}. {nearest_sentence(name, self.known)}")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.known)


class PlanError(UsageError):
    """A training plan contradicts itself."""


class FakeError(TestkitError):
    """A fake was used in a way that the framework's object does not allow."""


class ContractError(TestkitError):
    """A callback broke the contract."""


def nearest_names(name: str, known: Iterable[str], count: int = 3, cutoff: float = 0.5) -> list[str]:
    """Returns up to `count` of the known names that look most like `name`, nearest first.

    Args:
        name: The name that stands for nothing.
        known: The names that stand for something.
        count: Length of the answer at most.
        cutoff: Likeness from which a name counts as near, between 0 and 1.
    """
    by_fold = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(str(name).casefold(), by_fold, n=count, cutoff=cutoff)
    return [by_fold[fold] for fold in close]


def nearest_sentence(name: str, known: Iterable[str]) -> str:
    """Returns a sentence that names the nearest known names, or all of them where none is near and they are few."""
    names = sorted(known)
    near = nearest_names(name, names)
    if near:
        return f"Did you mean {_either(near)}?"
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"Known: {', '.join(names[:_SHOWN])}{more}."
    return "None is known here."


def _either(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
