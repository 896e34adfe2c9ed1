"""Checks of the keywords that a callback is built with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from noether_testkit.contract.bench import Bench, Enough
from noether_testkit.contract.check import Finding, Force, check
from noether_testkit.contract.construction import is_class, refused_collaborators, signature
from noether_testkit.contract.harness import Moment
from noether_testkit.contract.locate import in_words, place_of_constructor, place_of_error
from noether_testkit.contract.subject import COLLABORATORS
from noether_testkit.errors import nearest_names
from noether_testkit.fakes.lineage import base_of, is_callback_class


@check(
    force=Force.MUST,
    promise="is built from the seven collaborators, its config if it takes one, and a name, all by keyword.",
    why="The trainer builds every callback with the same keywords. One that does not take them cannot be used in a "
    "run at all: it dies before the first update, after the data has been loaded.",
    explained_by=("constructs-without-side-effects",),
)
def accepts_the_collaborators(bench: Bench) -> None:
    """Builds the callback with the trainer's keywords, with and without a name."""
    _require_all_collaborators(bench)
    outcome = bench.rehearsal.outcome
    _require_built(bench, outcome.hook_errors, "the seven collaborators")
    _require_a_callback(bench)
    if is_class(bench.subject):
        named = replace(bench.subject, kwargs={**(bench.subject.kwargs or {}), "name": "a-name"})
        outcome = bench.train(subject=named, watch=_ending)
        _require_built(bench, outcome.hook_errors, "the seven collaborators and name='a-name'")


@check(
    force=Force.MUST,
    promise="has all attributes of the base class after its constructor.",
    why="Everything that the base class offers, and every helper built on it, reads these attributes. Where one is "
    "missing or holds another object, the run fails in the first hook that needs it, or writes to the wrong place.",
    after=("accepts-the-collaborators",),
)
def hands_collaborators_to_the_base(bench: Bench) -> None:
    """Compares the attributes with those of a plain base class instance."""
    callback, collaborators = bench.build()
    base = base_of(type(callback))
    given = {"writer" if name == "log_writer" else name: thing for name, thing in collaborators.items()}
    missing = [name for name in _attributes_of(base, collaborators) if not _has(callback, name)]
    if missing:
        raise Finding(
            seen=f"After the constructor the callback has no attribute {_listed(missing)}.",
            expected=f"It has every attribute that {base.__name__} sets.",
            fix="Call super().__init__(...) in the constructor and hand it all that the base class takes; "
            "the short way is `def __init__(self, callback_config, **kwargs)` with `super().__init__(..., **kwargs)`.",
            location=place_of_constructor(type(callback)),
        )
    for name, thing in given.items():
        _require_own_place(callback, name, thing, given)


@contextmanager
def _ending(_: Moment) -> Iterator[None]:
    """Ends the run when the callback is built."""
    yield
    raise Enough


def _require_all_collaborators(bench: Bench) -> None:
    refused = refused_collaborators(bench.subject)
    if not refused:
        return
    own = [name for name in signature(bench.subject) if name not in (*COLLABORATORS, "name")]
    hints = [f"{name} (there is {near[0]!r})" for name in refused if (near := nearest_names(name, own, 1))]
    raise Finding(
        seen=f"The constructor of {bench.subject.label} does not take {_listed(refused)}, which the trainer passes by "
        f"keyword.{' Perhaps another name was meant: ' + ', '.join(hints) + '.' if hints else ''}",
        expected=f"It takes {', '.join(COLLABORATORS)} and name.",
        fix="Name the parameters exactly so, or take **kwargs and hand them on: super().__init__(**kwargs).",
        location=place_of_constructor(bench.subject.callback),
    )


def _require_built(bench: Bench, errors: Any, arguments: str) -> None:
    error = next((each.error for each in errors if each.moment.hook == "__init__"), None)
    if error is None:
        return
    config = "" if bench.subject.config is None else " and its config"
    fix = (
        "Mend the constructor. If it asks for a data set that the default problem lacks (it has train and test), "
        "give datasets=."
    )
    if bench.refuses(error):
        fix = (
            "If the refusal is right, the subject lacks something: give the callback what it asks for with config=, "
            "kwargs=, datasets=, model= or metrics=. Otherwise mend the constructor."
        )
    raise Finding(
        seen=f"Built with {arguments}{config}, the constructor raised {in_words(error)}.",
        expected="The constructor returns.",
        fix=fix,
        location=place_of_error(error) or place_of_constructor(bench.subject.callback),
    )


def _require_a_callback(bench: Bench) -> None:
    """A factory may answer anything."""
    callback = bench.built
    if not is_callback_class(type(callback)):
        raise Finding(
            seen=f"{bench.subject.label} answered {type(callback).__name__}, which is no callback.",
            expected="A factory answers a callback: an instance of a class that derives from CallbackBase.",
            fix="Return the callback that was built, such as: return MyCallback(config, **collaborators).",
            location=place_of_constructor(bench.subject.callback),
        )


def _require_own_place(callback: Any, name: str, thing: Any, given: dict[str, Any]) -> None:
    """An attribute may hold something of the callback's own making, but no other collaborator and not nothing."""
    held = getattr(callback, name)
    if held is thing:
        return
    other = next((key for key, value in given.items() if value is held), None)
    if held is not None and other is None:
        return
    raise Finding(
        seen=f"After the constructor self.{name} is {'None' if held is None else f'the {other}'}.",
        expected=f"self.{name} is the {name} that the constructor was given.",
        fix="Hand each collaborator to super().__init__ under its own keyword.",
        location=place_of_constructor(type(callback)),
    )


def _attributes_of(base: type, collaborators: dict[str, Any]) -> list[str]:
    """Returns the public attributes that the base class sets on an instance, its intervals among them."""
    root = next(cls for cls in base.__mro__ if cls.__name__ == "CallbackBase")
    names = [name for name in vars(root(**collaborators)) if not name.startswith("_")]
    if base is not root:
        names += ["every_n_epochs", "every_n_updates", "every_n_samples", "batch_size"]
    if base.__name__ == "PeriodicDataIteratorCallback":
        names += ["dataset_key", "sampler_config"]
    return names


def _has(callback: Any, name: str) -> bool:
    try:
        return hasattr(callback, name)
    except Exception:  # noqa: BLE001 - a property of the callback's own may raise anything
        return False


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


CHECKS = (accepts_the_collaborators, hands_collaborators_to_the_base)
