"""What the checks of a state have in common: when there is one, whether it can be loaded, and where it is made."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from noether_testkit.contract.bench import Bench, unfinished
from noether_testkit.contract.check import BUILT, NotApplicable, Unjudged
from noether_testkit.contract.compare import Difference
from noether_testkit.contract.diary import Resumption, ordinary_diary
from noether_testkit.contract.hooks import is_overridden
from noether_testkit.contract.locate import in_words as error_in_words
from noether_testkit.contract.locate import place_of

SHAPED = (*BUILT, "has-state-of-the-right-shape")
"""What speaks first for all checks that look into a state."""

SAVED = (*SHAPED, "saves-and-loads-as-a-pair", "is-stateful-from-construction", "saves-what-loads-safely")
"""What speaks first for all checks that load a state."""


def require_state(bench: Bench) -> None:
    """Makes sure that there is a state to judge.

    Raises:
        NotApplicable: There is none.
    """
    diary = ordinary_diary(bench)
    if diary.is_stateless:
        seen = f"state_dict() answered None at all {len(diary.entries)} moments of a run"
        if overrides(bench, "state_dict"):
            raise NotApplicable(f"{seen}, although it is overridden: the run never led to a state, or there is none.")
        raise NotApplicable(f"{seen}: there is no state.")


def require_finished(bench: Bench) -> None:
    """Makes sure that an ordinary run was not cut short.

    Raises:
        Unjudged: It was.
    """
    outcome = ordinary_diary(bench).outcome
    if outcome.error is not None:
        raise unfinished(outcome)


def load_error(resumption: Resumption) -> BaseException | None:
    """Returns what `load_state_dict` raised when a run was resumed."""
    errors = resumption.diary.outcome.hook_errors
    return next((each.error for each in errors if each.moment.hook == "load_state_dict"), None)


def refusal_to_resume(bench: Bench, resumption: Resumption) -> str | None:
    """Returns in a sentence that the callback refuses to be resumed, or `None` if it does not.

    Raises:
        Unjudged: It cannot be loaded, and does not say why.
    """
    for found in resumption.diary.outcome.hook_errors:
        if bench.refuses(found.error):
            return f"It refuses to be resumed: {error_in_words(found.error)}."
    error = load_error(resumption)
    if error is not None:
        raise Unjudged("round-trips-its-state", f"load_state_dict raised {error_in_words(error)}")
    return None


def overrides(bench: Bench, name: str) -> bool:
    """Returns whether a method is the callback's own, not the base class's."""
    return is_overridden(bench.built, name)


def place_of_method(bench: Bench, name: str) -> str | None:
    """Returns the place of the callback's own method, or of its class where the method is the base class's."""
    callback = bench.built
    method = getattr(type(callback), name, None) if is_overridden(callback, name) else type(callback)
    return place_of(method.fget if isinstance(method, property) else method)


def more(found: Sequence[Difference]) -> str:
    """Returns in a sentence how many differences there are beside the first."""
    if len(found) == 1:
        return ""
    return " One more entry differs." if len(found) == 2 else f" {len(found) - 1} more entries differ."


def left_out_of_comparison(paths: Collection[str]) -> str | None:
    """Returns in a sentence what was not compared."""
    return f"Not compared, because it differs between two equal runs: {', '.join(sorted(paths))}." if paths else None
