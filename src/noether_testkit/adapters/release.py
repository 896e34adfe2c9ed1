"""What reports say where the installed framework is not the release that the fakes are verified against."""

from __future__ import annotations

from noether_testkit.adapters.drift import drift
from noether_testkit.adapters.framework import DISTRIBUTION, VERIFIED_RELEASE, installed_release, is_installed

_SHOWN = 3


def notes_on_the_release(*, with_differences: bool = False) -> tuple[str, ...]:
    """Returns what to say of another release than the verified one; nothing of that one, or where none is installed.

    Args:
        with_differences: Whether to look for differences in names and signatures, which imports the framework.
    """
    if not is_installed() or installed_release() in (VERIFIED_RELEASE, "unknown"):
        return ()
    note = f"The fakes are verified against {DISTRIBUTION} {VERIFIED_RELEASE}, and {installed_release()} is installed"
    if not with_differences:
        return (f"{note}; `noether-testkit doctor` lists what differs.",)
    found = drift()
    if not found:
        return (f"{note}; no name and no signature differs.",)
    first = "; ".join(f"{each.where}: {each.says.rstrip('.')}" for each in found[:_SHOWN])
    more = f" (and {len(found) - _SHOWN} more, see `noether-testkit doctor`)" if len(found) > _SHOWN else ""
    return (f"{note}. What differs: {first}{more}.",)
