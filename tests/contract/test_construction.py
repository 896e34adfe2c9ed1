"""How a callback is built from its subject: config, arguments, and what is refused."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest
import torch
from pydantic import Field, field_validator, model_validator
from tests.contract.broken_callbacks import Sound

from noether_testkit import FakeRun, Subject, check_callback
from noether_testkit.contract.configs import chosen_values, config_class, resolve_config
from noether_testkit.contract.construction import build, prepare
from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.errors import SubjectError

if TYPE_CHECKING:
    from somewhere import TypeCheckersOnlyConfig


class WindowConfig(CallBackBaseConfig):
    window: Annotated[int, Field(gt=0)]
    metric_key: str = "loss"


class Window(PeriodicCallback):
    def __init__(self, callback_config: WindowConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.config = callback_config


class WindowOrNone(PeriodicCallback):
    def __init__(self, callback_config: WindowConfig | None = None, **kwargs: Any) -> None:
        super().__init__(callback_config or WindowConfig(every_n_updates=1, window=1), **kwargs)
        self.config = callback_config


class OldWindow(PeriodicCallback):
    def __init__(self, callback_config: Optional[WindowConfig] = None, **kwargs: Any) -> None:  # noqa: UP045
        super().__init__(callback_config or WindowConfig(every_n_updates=1, window=1), **kwargs)
        self.config = callback_config


class InheritsItsConstructor(Window):
    pass


class OwnConfig(PeriodicCallback):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **kwargs)


class ForTypeCheckers(PeriodicCallback):
    def __init__(self, callback_config: TypeCheckersOnlyConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


class Greeter(CallbackBase):
    def __init__(self, greeting: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.greeting = greeting


class NamesAllCollaborators(CallbackBase):
    def __init__(
        self,
        trainer: Any,
        model: Any,
        data_container: Any,
        tracker: Any,
        log_writer: Any,
        checkpoint_writer: Any,
        metric_property_provider: Any,
        name: str | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(
            trainer, model, data_container, tracker, log_writer, checkpoint_writer, metric_property_provider, name
        )
        self.threshold = threshold


class OverData(PeriodicDataIteratorCallback):
    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)

    def process_data(self, batch: Any, **_: Any) -> None:
        """Looks at nothing."""


class Greedy(CallBackBaseConfig):
    layers: list[str]

    @model_validator(mode="before")
    @classmethod
    def take(cls, values: dict[str, Any]) -> dict[str, Any]:
        values["layers"].append("taken")
        return values


class GreedyCallback(PeriodicCallback):
    def __init__(self, callback_config: Greedy, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


class Grumpy(CallBackBaseConfig):
    @field_validator("id")
    @classmethod
    def find(cls, value: str) -> str:
        raise LookupError(f"nothing is called {value}")


class GrumpyCallback(PeriodicCallback):
    def __init__(self, callback_config: Grumpy, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


def built(callback: Any, **fields: Any) -> Any:
    with FakeRun() as run:
        return build(Subject.of(callback, **fields), run.callback_kwargs)


WINDOW = {"every_n_updates": 2, "window": 3}


@pytest.mark.parametrize("callback", [Window, WindowOrNone, OldWindow, InheritsItsConstructor])
def test_a_mapping_is_validated_by_the_class_of_the_annotation(callback: type) -> None:
    """The config class is found in the annotation: plain, as a text, optional, or inherited."""
    config = built(callback, config=WINDOW).config
    assert type(config) is WindowConfig
    assert config.window == 3


def test_a_config_object_is_copied() -> None:
    """Each callback gets a config of its own, so that one cannot change that of the next."""
    given = WindowConfig(every_n_updates=2, window=3)
    config = built(Window, config=given).config
    assert config == given
    assert config is not given


def test_a_mapping_is_left_as_it_is() -> None:
    """The values that the author gave are the same afterwards."""

    given = {"every_n_updates": 1, "layers": ["a"]}
    subject = Subject(GreedyCallback, config=given)
    resolve_config(subject)
    resolve_config(subject)
    assert given == {"every_n_updates": 1, "layers": ["a"]}


@pytest.mark.parametrize(
    ("callback", "chosen"),
    [
        (Sound, {"every_n_updates": 2}),
        (OverData, {"dataset_key": "test", "every_n_epochs": 1}),
        (Greeter, {}),
        (OwnConfig, {}),
    ],
)
def test_without_a_config_the_kit_chooses_the_least(callback: type, chosen: dict[str, Any]) -> None:
    """An interval, and a data set where one is needed; the report says what was chosen, and nothing more."""
    kwargs = {"greeting": "hello"} if callback is Greeter else {}
    assert chosen_values(Subject(callback)) == chosen
    notes = check_callback(callback, kwargs=kwargs, select=["fits-hook-signatures"]).notes
    assert len(notes) == bool(chosen)
    assert all(f"{name}={value!r}" in notes[0] for name, value in chosen.items())


def test_a_callback_that_makes_its_own_config_gets_none() -> None:
    """A config is given to those constructors only that take one."""
    assert built(OwnConfig).every_n_updates == 1
    check_callback(OwnConfig).raise_for_failures()


@pytest.mark.parametrize(
    ("config", "sentences"),
    [
        ({"every_n_updates": 2}, ["WindowConfig refuses the config of Window", "window: Field required"]),
        ({**WINDOW, "windw": 3}, ["windw: Extra inputs are not permitted", "Did you mean 'window'"]),
        ({**WINDOW, "window": "three"}, ["window: Input should be a valid integer"]),
        ({**WINDOW, "window": 0}, ["window: Input should be greater than 0"]),
        ({"window": 3}, ["exactly one of every_n_epochs, every_n_updates, every_n_samples"]),
        ({"every_n_samples": 3, "window": 3}, ["every_n_samples needs batch_size"]),
    ],
)
def test_a_refused_config_names_its_fields(config: dict[str, Any], sentences: list[str]) -> None:
    """Each field that the schema refuses is named, with the nearest that it knows."""
    with pytest.raises(SubjectError) as caught:
        prepare(Subject(Window, config=config))
    assert all(sentence in str(caught.value) for sentence in sentences)
    assert "\n" not in str(caught.value)


def test_a_config_that_cannot_be_guessed_is_asked_for() -> None:
    """Where an interval alone does not do, the missing fields are named."""
    with pytest.raises(SubjectError, match=r"Window needs a config.*window: Field required.*config=\{"):
        check_callback(Window)


def test_an_error_of_a_validator_is_told_as_a_refusal() -> None:
    """A schema that raises something unusual is the author's, and no fault of the kit."""

    with pytest.raises(SubjectError, match=r"Grumpy refuses the config of GrumpyCallback.*nothing is called mine"):
        prepare(Subject(GrumpyCallback, config={"every_n_updates": 1, "id": "mine"}))


def test_an_annotation_for_type_checkers_only_is_told() -> None:
    """A config class that does not exist at run time is named, not replaced by that of the base class."""
    with pytest.raises(SubjectError, match=r"'TypeCheckersOnlyConfig'.*cannot be read at run time"):
        prepare(Subject(ForTypeCheckers, config=WINDOW))


def test_a_config_object_needs_no_readable_annotation() -> None:
    """Who gives an object needs no schema, so its name need not be found."""
    given = WindowConfig(**WINDOW)
    prepare(Subject(ForTypeCheckers, config=given))
    assert built(ForTypeCheckers, config=given).every_n_updates == 2


def test_an_annotation_is_read_where_the_function_was_defined() -> None:
    """Code that was run by exec, as in documentation, finds its own names."""
    scope: dict[str, Any] = {"Base": CallbackBase, "__name__": "a_page"}
    source = "from noether_testkit.core.schemas.callbacks import CallBackBaseConfig as Mine\n"
    source += "class Late(Base):\n    def __init__(self, callback_config: 'Mine', **kwargs): super().__init__(**kwargs)"
    exec(source, scope)
    assert config_class(scope["Late"]) is CallBackBaseConfig


def test_a_config_without_a_schema_is_refused() -> None:
    """A mapping for a constructor without a config class says what to annotate."""
    with pytest.raises(SubjectError, match="no parameter annotated with a config class"):
        prepare(Subject(Greeter, config={"every_n_updates": 1}, kwargs={"greeting": "hello"}))


def test_a_missing_argument_is_named_with_the_way_to_pass_it() -> None:
    """What the trainer does not give, the author must."""
    with pytest.raises(SubjectError, match=r"Greeter needs the argument 'greeting'.*kwargs=\{'greeting': \.\.\.\}"):
        check_callback(Greeter)


def test_an_unknown_argument_is_named_with_the_nearest() -> None:
    """A slip in kwargs is told before anything is built."""
    with pytest.raises(SubjectError, match=r"takes no argument 'treshold'. Did you mean 'threshold'"):
        check_callback(NamesAllCollaborators, kwargs={"treshold": 1})


def test_arguments_are_copied_for_each_callback() -> None:
    """A callback that changes an argument does not change it for the next one."""
    greeting = ["hello"]
    assert built(Greeter, kwargs={"greeting": greeting}).greeting is not greeting


def test_an_argument_that_cannot_be_copied_is_shared() -> None:
    """A lock or a connection cannot be copied, and is handed over as it is."""
    lock = threading.Lock()
    assert built(Greeter, kwargs={"greeting": lock}).greeting is lock


def test_a_partial_is_read_through() -> None:
    """The config class of a partial is that of its function."""
    assert config_class(functools.partial(Window, name="bound")) is WindowConfig
    assert built(functools.partial(Window, name="bound"), config=WINDOW).name == "bound"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"model": lambda: 3}, r"model\(\) answered int"),
        ({"model": lambda: 1 / 0}, r"model\(\) raised ZeroDivisionError"),
        ({"datasets": lambda: {"test": 3}}, r"datasets\(\) must answer"),
        ({"datasets": lambda: {"test": {"x": torch.ones(3, 4), "y": torch.ones(2, 1)}}}, "one length"),
    ],
)
def test_a_factory_of_the_subject_is_tried_first(fields: dict[str, Any], sentence: str) -> None:
    """What the author's own factories get wrong is not blamed on the callback."""
    with pytest.raises(SubjectError, match=sentence):
        check_callback(Sound, **fields)


def test_companions_are_prepared_too() -> None:
    """A companion that cannot be built is named before the run."""
    with pytest.raises(SubjectError, match="Greeter needs the argument 'greeting'"):
        check_callback(Sound, companions=[Greeter])
