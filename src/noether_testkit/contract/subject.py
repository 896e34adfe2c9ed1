"""What is judged, as data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from inspect import isabstract
from types import MappingProxyType
from typing import Any

from noether_testkit.errors import SubjectError, TargetError, UnknownNameError
from noether_testkit.fakes.lineage import is_callback_class

DECLARATIONS = {
    "writes-weights": "changes the weights of the model on purpose",
    "writes-optimizer": "changes the optimiser on purpose",
    "changes-training": "changes the course of training on purpose",
    "draws-random-numbers": "draws from the global random generators",
    "uses-gradients": "records and uses gradients in its hooks",
    "notifies": "talks to the outside",
    "per-sample-metrics": "logs metrics that are means over samples",
    "acts-off-schedule": "acts at other updates than its interval says",
    "trains-only": "is of no use in an evaluation run",
    "rank-zero-only": "lives on rank 0 only",
    "writes-per-rank": "writes files on every rank on purpose",
}
"""What an author can say of a callback, so that doing its job is no violation."""

COLLABORATORS = (
    "trainer",
    "model",
    "data_container",
    "tracker",
    "log_writer",
    "checkpoint_writer",
    "metric_property_provider",
)
"""The keywords of the seven collaborators."""

ORACLES = ("average", "stops", "saves")
"""The rules of its own that an author can give for a callback."""


@dataclass(frozen=True)
class Subject:
    """A callback under judgement, and how to build it.

    Attributes:
        callback: A callback class, or a factory that takes what a class would take.
        config: A config object, or a mapping that the class's own config class validates.
        kwargs: Further arguments of the constructor.
        metrics: Values that the callback reads from the log: for each key a sequence (entry i belongs
            to update i + 1, the last one stays) or a function of the update.
        companions: Callbacks that run before it: subjects or classes.
        model: Makes the `torch.nn.Module` to train, where the default problem does not do.
        datasets: Makes the data sets, `{key: {name: tensor (samples, ...)}}`.
        loss: Makes the losses by name from outputs and targets.
        declares: What the author says of the callback; see `DECLARATIONS`.
        expected_failures: Reasons by names of the checks that are known to fail.
        oracles: Rules of the author's own by name; see `ORACLES`.

    Raises:
        TargetError: `callback` is no callback class and no factory, or an abstract class.
        UnknownNameError: A declaration or an oracle does not exist.
        SubjectError: A field has the wrong shape.
    """

    callback: Any
    _: KW_ONLY
    config: Any = None
    kwargs: Mapping[str, Any] | None = None
    metrics: Mapping[str, Sequence[float] | Callable[[int], float]] | None = None
    companions: Sequence[Any] = ()
    model: Callable[[], Any] | None = None
    datasets: Callable[[], Mapping[str, Mapping[str, Any]]] | None = None
    loss: Callable[..., Any] | None = None
    declares: Collection[str] = ()
    expected_failures: Mapping[str, str] | None = None
    oracles: Mapping[str, Callable[..., Any]] | None = field(default=None)

    def __post_init__(self) -> None:
        _require_callback(self.callback)
        _require_config(self.config)
        self._set("declares", _words(self.declares))
        for name in ("kwargs", "metrics", "expected_failures", "oracles"):
            self._set(name, _mapping(name, getattr(self, name)))
        for name in ("model", "datasets", "loss"):
            _require_callable(name, getattr(self, name))
        for word in self.oracles or ():
            if word not in ORACLES:
                raise UnknownNameError("oracle", word, ORACLES)
            _require_callable(f"oracles[{word!r}]", (self.oracles or {})[word])
        _require_own_arguments(self.kwargs or {})
        for key, series in (self.metrics or {}).items():
            _require_series(key, series)
        for check, reason in (self.expected_failures or {}).items():
            if not isinstance(reason, str) or not reason:
                raise SubjectError(f"expected_failures[{check!r}] must say why, in a sentence, but is {reason!r}.")
        companions = self.companions
        single = isinstance(companions, type | Subject) or not isinstance(companions, Iterable)
        self._set("companions", tuple(Subject.of(each) for each in ([companions] if single else companions)))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def label(self) -> str:
        """A short name for reports."""
        callback = self.callback.func if isinstance(self.callback, functools.partial) else self.callback
        return getattr(callback, "__qualname__", None) or type(callback).__qualname__

    @staticmethod
    def of(subject_or_callback: Any, **subject_fields: Any) -> Subject:
        """Returns a subject as it is, or the subject of a class or factory with these fields.

        Raises:
            SubjectError: Fields that a subject does not have, or fields beside a ready subject.
        """
        known = [each.name for each in fields(Subject) if each.name not in ("callback", "_")]
        for name in subject_fields:
            if name not in known:
                raise UnknownNameError("field of a subject named", name, known)
        if not isinstance(subject_or_callback, Subject):
            return Subject(subject_or_callback, **subject_fields)
        if subject_fields:
            raise SubjectError(
                f"A ready Subject was given together with {', '.join(subject_fields)}. "
                "Put these into the Subject, or give the class instead."
            )
        return subject_or_callback


def _require_callback(callback: Any) -> None:
    if isinstance(callback, type):
        if not is_callback_class(callback):
            raise TargetError(
                f"{callback.__qualname__} is no callback: it does not derive from CallbackBase "
                "(noether.core.callbacks or noether_testkit.core.callbacks)."
            )
        if isabstract(callback):
            missing = ", ".join(sorted(getattr(callback, "__abstractmethods__", ())))
            raise TargetError(
                f"{callback.__qualname__} is abstract and cannot be built: it lacks {missing}. "
                "Judge a class that implements it."
            )
    elif hasattr(type(callback), "checkpoint_key"):
        raise TargetError(
            f"{callback!r} is an instance. Every check needs a fresh callback: give the class "
            f"{type(callback).__name__}, or a function that makes one from the collaborators."
        )
    elif not callable(callback):
        raise TargetError(f"{callback!r} is neither a callback class nor a factory of callbacks.")


def _require_config(config: Any) -> None:
    if isinstance(config, type | str | int | float | list | tuple):
        raise SubjectError(f"config must be a mapping or a config object, but is {config!r}.")


def _words(declares: Any) -> frozenset[str]:
    words = [declares] if isinstance(declares, str) else declares
    if not isinstance(words, Iterable):
        raise SubjectError(f"declares must be a set of words, but is {declares!r}. Known: {', '.join(DECLARATIONS)}.")
    words = list(words)
    for word in words:
        if not isinstance(word, str) or word not in DECLARATIONS:
            raise UnknownNameError("declaration", str(word), DECLARATIONS)
    return frozenset(words)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise SubjectError(f"{name} must be a mapping, but is {type(value).__name__}: {value!r}.")
    for key in value or ():
        if not isinstance(key, str):
            raise SubjectError(f"The keys of {name} must be strings, but {key!r} is {type(key).__name__}.")
    return MappingProxyType(dict(value or {}))


def _require_callable(name: str, value: Any) -> None:
    if value is not None and not callable(value):
        raise SubjectError(f"{name} must be a function, but is {type(value).__name__}: {value!r}.")


def _require_own_arguments(kwargs: Mapping[str, Any]) -> None:
    for name in kwargs:
        if name in COLLABORATORS:
            raise SubjectError(f"kwargs cannot replace the collaborator {name!r}: the harness gives it.")


def _require_series(key: str, series: Any) -> None:
    if callable(series):
        return
    numbers = isinstance(series, Sequence) and not isinstance(series, str) and len(series) > 0
    if not numbers or not all(isinstance(value, int | float) for value in series):
        raise SubjectError(
            f"metrics[{key!r}] must be a sequence of numbers, one an update, or a function of the update, but is "
            f"{series!r}."
        )
