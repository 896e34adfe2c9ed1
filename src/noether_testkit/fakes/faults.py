"""Makes calls to the collaborators fail, as a plan says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from noether_testkit.errors import UnknownNameError
from noether_testkit.plan import Fault


def install(faults: Iterable[Fault], collaborators: Mapping[str, Any]) -> None:
    """Sets the `fault` of each collaborator of which a call shall fail.

    Args:
        faults: The calls, such as `log_writer.add_scalar` or `model.forward`.
        collaborators: The fakes by the names of the callback's arguments.

    Raises:
        UnknownNameError: A fault names a collaborator or a method that does not exist.
    """
    by_owner: dict[str, list[Fault]] = {}
    for fault in faults:
        owner, _, method = fault.call.partition(".")
        if owner not in _failing(collaborators):
            raise UnknownNameError("collaborator that can fail", owner, _failing(collaborators))
        methods = _methods(collaborators[owner])
        if method not in methods:
            raise UnknownNameError(f"method of {owner} that can fail", method, methods)
        by_owner.setdefault(owner, []).append(fault)
    for owner, own in by_owner.items():
        collaborators[owner].fault = _failing_at(own)


def _failing(collaborators: Mapping[str, Any]) -> list[str]:
    return [name for name, fake in collaborators.items() if "fault" in vars(fake)]


def _methods(fake: Any) -> list[str]:
    if not hasattr(type(fake), "_record"):
        return ["forward"]
    return [name for name, value in vars(type(fake)).items() if not name.startswith("_") and callable(value)]


def _failing_at(faults: list[Fault]) -> Callable[[Any], None]:
    """Returns a listener that counts the calls of each method, and raises at those that shall fail."""
    counts: dict[str, int] = {}

    def listen(call: Any) -> None:
        method = getattr(call, "method", "forward")
        counts[method] = counts.get(method, 0) + 1
        for fault in faults:
            if fault.call.partition(".")[2] == method and fault.at == counts[method]:
                raise fault.error()

    return listen
