"""Promises about telling kinds of callbacks apart."""

from __future__ import annotations

import pytest

from noether_testkit.core.callbacks import (
    CallbackBase,
    EarlyStopIteration,
    PeriodicCallback,
    PeriodicDataIteratorCallback,
)
from noether_testkit.fakes import FakeRun, lineage


class Mine(PeriodicCallback):
    """Built on a base class."""


class Namesake:
    """Has the name of a base class and comes from elsewhere."""


Namesake.__name__ = "PeriodicCallback"


def test_kinds_follow_the_base_classes() -> None:
    """A class is what it derives from, whatever its own name."""
    assert lineage.is_callback_class(Mine)
    assert not lineage.is_callback_class(Namesake)
    assert lineage.base_of(Mine) is PeriodicCallback
    assert lineage.is_base_class(PeriodicDataIteratorCallback)
    assert not lineage.is_base_class(Mine)
    assert not lineage.is_base_class(Namesake)


def test_a_foreign_module_counts_by_its_prefix() -> None:
    """The framework's base classes are known by where they live, without being imported."""
    theirs = type("PeriodicCallback", (), {"__module__": "noether.core.callbacks.periodic"})
    assert lineage.is_periodic(type("Their", (theirs,), {})())
    assert not lineage.is_data_iterator(theirs())


@pytest.mark.parametrize(
    ("module", "expected"),
    [("noether.core.callbacks.early_stoppers.base", True), ("elsewhere", False), ("noether.corellia", False)],
)
def test_early_stops_are_known_by_name_and_home(module: str, expected: bool) -> None:
    """The framework's exception counts, and what derives from it; a namesake does not."""
    theirs = type("EarlyStopIteration", (StopIteration,), {"__module__": module})
    assert lineage.is_early_stop(theirs()) is expected
    assert lineage.is_early_stop(type("Own", (theirs,), {})()) is expected
    assert lineage.is_early_stop(EarlyStopIteration())
    assert not lineage.is_early_stop(StopIteration())


def test_data_iterators_are_found_among_all_descendants() -> None:
    """A composite hands out its children, and these theirs, in order."""
    iterator = type("I", (PeriodicDataIteratorCallback,), {"process_data": lambda *_, **__: None})

    class Composite(CallbackBase):
        def __init__(self, *children: CallbackBase) -> None:
            super().__init__(**FakeRun().callback_kwargs)
            self.children = list(children)

        def get_children(self) -> list[CallbackBase]:
            return self.children

    one, two = object.__new__(iterator), object.__new__(iterator)
    assert lineage.data_iterators(Composite(one, Composite(two), Composite())) == [one, two]
    assert lineage.data_iterators(one) == [one]
