"""Check of the name of a callback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from noether_testkit.contract.bench import Bench
from noether_testkit.contract.check import BUILT, Finding, Force, check
from noether_testkit.contract.configs import resolve_config
from noether_testkit.contract.construction import is_class
from noether_testkit.contract.diary import ordinary_diary
from noether_testkit.contract.locate import in_words, place_of, place_of_constructor, place_of_error
from noether_testkit.contract.subject import Subject


@check(
    force=Force.MUST,
    promise="answers to its name: by a stable checkpoint_key, and by str() and repr() before any hook.",
    why="States are stored under the key and looked for under it on a resume. Two of a kind with one key are refused "
    "as soon as they have states, and a key that another run does not build again loses the state in silence. Log "
    "lines and error messages ask for str() at any time.",
    after=BUILT,
    explained_by=("is-stateful-from-construction",),
)
def keeps_its_name(bench: Bench) -> None:
    """Builds the callback under two names, twice each, and asks for key, `str` and `repr`."""
    callback, _ = bench.build()
    _require_shown(callback)
    first, again = _key(callback), _key(bench.build()[0])
    _require_equal(type(callback), first, again)
    if not is_class(bench.subject):
        return
    named = {name: bench.build(_named(bench.subject, name))[0] for name in ("one", "another")}
    config = resolve_config(bench.subject)
    if config is not None and getattr(config, "id", None):
        return
    keys = {name: _key(each) for name, each in named.items()}
    if keys["one"] == keys["another"] and not _is_stateless_under_its_own_key(bench, callback):
        raise Finding(
            seen=f"Built with name='one' and with name='another', checkpoint_key is {keys['one']!r} both times.",
            expected="The key tells two callbacks of one kind with different names apart.",
            fix="Hand the name on to the base class: super().__init__(..., name=name), or **kwargs, and leave "
            "self.name as it is. A checkpoint_key of your own has self.name in it.",
            location=place_of_key(type(callback)) or place_of_constructor(type(callback)),
        )
    again = _key(bench.build(_named(bench.subject, "one"))[0])
    _require_equal(type(callback), keys["one"], again)


def place_of_key(cls: type) -> str | None:
    """Returns the place of a `checkpoint_key` of the callback's own."""
    own = next((vars(base)["checkpoint_key"] for base in cls.__mro__ if "checkpoint_key" in vars(base)), None)
    place = place_of(getattr(own, "fget", own))
    return None if place is None or place.endswith("CallbackBase.checkpoint_key") else place


def _is_stateless_under_its_own_key(bench: Bench, callback: Any) -> bool:
    """Returns whether the callback has settled on one key and stores nothing under it, which no run feels."""
    return place_of_key(type(callback)) is not None and ordinary_diary(bench).is_stateless


def _named(subject: Subject, name: str) -> Subject:
    return replace(subject, kwargs={**(subject.kwargs or {}), "name": name})


def _require_shown(callback: Any) -> None:
    for function in (str, repr):
        try:
            function(callback)
        except Exception as error:  # noqa: BLE001 - whatever the callback raises is what is asked for
            raise Finding(
                seen=f"Right after the constructor, {function.__name__}(callback) raised {in_words(error)}.",
                expected="It answers a text at any time: the trainer puts it into log lines and error messages.",
                fix="Use in __str__ and __repr__ only what the constructor sets, or ask with getattr(self, ..., None).",
                location=place_of_error(error) or place_of(type(callback)),
            ) from None


def _key(callback: Any) -> str:
    try:
        key = callback.checkpoint_key
        again = callback.checkpoint_key
    except Exception as error:  # noqa: BLE001
        raise Finding(
            seen=f"Right after the constructor, checkpoint_key raised {in_words(error)}.",
            expected="It answers a text from the constructor on: the trainer asks for it before any hook.",
            fix="Settle the key in the constructor, or leave checkpoint_key to the base class.",
            location=place_of_error(error) or place_of(type(callback)),
        ) from None
    if not isinstance(key, str):
        raise Finding(
            seen=f"Right after the constructor, checkpoint_key is {key!r} ({type(key).__name__}).",
            expected="A text: states are stored under it.",
            fix="Hand a text on as name, or None for the name of the class.",
            location=place_of_key(type(callback)) or place_of_constructor(type(callback)),
        )
    _require_equal(type(callback), key, again)
    return key


def _require_equal(cls: type, key: str, again: str) -> None:
    if key == again:
        return
    raise Finding(
        seen=f"checkpoint_key is {key!r}, and {again!r} when the callback is asked or built once more.",
        expected="The same config and name give the same key, in this run and in the one that resumes it.",
        fix="Build the key from the name, the class and the config alone: no counter, clock, id() or random number.",
        location=place_of_key(cls) or place_of_constructor(cls),
    )


CHECKS = (keeps_its_name,)
