"""Innocent callbacks of unusual build, which every check must understand."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from pydantic import Field
from tests.defects.catalogue import innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback, PeriodicDataIteratorCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig, PeriodicDataIteratorCallbackConfig
from noether_testkit.core.utils.training import UpdateCounter


@innocent(config={"every_n_updates": 100_000})
class HasALongInterval(PeriodicCallback):
    """Acts so seldom that an ordinary run does not reach its interval."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"progress/{interval_type}", update_counter.epoch_as_float)


@innocent(config={"every_n_epochs": 40})
class HasALongIntervalOfEpochs(PeriodicCallback):
    """Acts every so many epochs."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"progress/{interval_type}", update_counter.epoch_as_float)


@innocent(config={"every_n_samples": 3, "batch_size": 2})
class ActsBySamples(PeriodicCallback):
    """Acts every so many samples, which are no whole number of updates."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar(f"progress/{interval_type}", update_counter.sample)


@innocent(config={"every_n_epochs": 1, "dataset_key": "test", "batch_size": 5})
class EvaluatesInBatchesOfItsOwn(PeriodicDataIteratorCallback):
    """Takes a data set in one batch."""

    def __init__(self, callback_config: PeriodicDataIteratorCallbackConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.sizes: list[int] = []

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> dict[str, Any]:
        self.sizes.append(len(batch["y"]))
        return {"outputs": trainer_model(x=batch["x"])["y"], "targets": batch["y"]}

    def process_results(self, results: dict[str, torch.Tensor], **_: Any) -> None:
        self.writer.add_scalar("test/bias", (results["outputs"] - results["targets"]).mean())


@innocent(config={"every_n_updates": 4, "dataset_key": "test"})
class NamesItsConstructorsArguments(PeriodicDataIteratorCallback):
    """Is a data iterator callback whose results are `None`."""

    def process_data(self, batch: dict[str, torch.Tensor], *, trainer_model: torch.nn.Module) -> None:
        return None


class SlottedMixin:
    """Has slots where others have a dictionary."""

    __slots__ = ()

    def describe(self) -> str:
        """Returns a name."""
        return type(self).__name__


@innocent()
class HasSlots(SlottedMixin, CallbackBase):
    """Keeps an attribute in a slot."""

    __slots__ = ("turns",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.turns = 0

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.turns += 1


class MetricMixin:
    """Works together with whatever base class comes after it."""

    def __init__(self, *args: Any, metric: str = "mse", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metric = metric

    def last(self) -> float:
        """Returns the last value of the metric."""
        return self.writer.log_cache[self.metric]


@innocent(kwargs={"metric": "mse"}, config={"every_n_updates": 3})
class MixesInAConstructor(MetricMixin, PeriodicCallback):
    """Inherits its constructor from a mixin, and its config's class from the base."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.writer.add_scalar(f"{interval_type}/last", self.last())


class Reporter(PeriodicCallback, ABC):
    """A project's abstract base class."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        self.writer.add_scalar(f"report/{interval_type}", self.value())

    @abstractmethod
    def value(self) -> float:
        """Returns the value to report."""


@innocent()
class FillsAnAbstractBase(Reporter):
    """Implements an abstract base class."""

    def value(self) -> float:
        return float(self.model.param_count)


@dataclass(eq=False, repr=False)
class Options:
    """Options as a dataclass that is mixed in."""

    threshold: float = 0.5
    keys: list[str] = field(default_factory=list)


@innocent(kwargs={"threshold": 0.25})
class IsLikeADataclass(Options, CallbackBase):
    """Takes its options as a dataclass does."""

    def __init__(self, threshold: float = 0.5, **kwargs: Any) -> None:
        Options.__init__(self, threshold)
        CallbackBase.__init__(self, **kwargs)


@innocent("leaves-modes-untouched", declares=("draws-random-numbers",))
class SeedsTheGeneratorsWhenBuilt(CallbackBase):
    """Seeds all generators in its constructor."""

    def __init__(self, seed: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


@innocent()
class DrawsFromItsOwnGenerator(PeriodicCallback):
    """Draws random inputs from a generator of its own."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.generator = torch.Generator().manual_seed(3)

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        inputs = torch.randn(2, 4, generator=self.generator)
        self.writer.add_scalar(f"random/{interval_type}", self.model(x=inputs)["y"].mean())

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.generator.set_state(state_dict["generator"].cpu())


class Stateless(PeriodicCallback):
    """One of two of a kind."""

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        key = f"progress/{self.to_short_interval_string()}/{interval_type}"
        self.writer.add_scalar(key, update_counter.epoch_as_float)


@innocent(config={"every_n_updates": 3}, companions=(partial(Stateless, CallBackBaseConfig(every_n_updates=2)),))
class HasAStatelessTwin(Stateless):
    """Runs beside another of its kind; neither has a state to mix up."""


@innocent("runs-without-grad")
class DecoratesItsHooks(PeriodicCallback):
    """Puts `no_grad` around hooks that need none."""

    @torch.no_grad()
    def before_training(self, *, update_counter: UpdateCounter) -> None:
        self.first = sum(weight.sum() for weight in self.model.parameters()).item()

    @torch.no_grad()
    def periodic_callback(self, **_: Any) -> None:
        self.writer.add_scalar("weights/sum", sum(weight.sum() for weight in self.model.parameters()))

    @torch.inference_mode()
    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.last = sum(weight.sum() for weight in self.model.parameters()).item()


@innocent(
    metrics={"loss/test": [3.0, 2.0, 2.5], "accuracy": lambda update: 1 - 1 / update}, config={"every_n_updates": 1}
)
class ReadsTwoSeries(PeriodicCallback):
    """Reads metrics that others log, from a list and from a function of the update."""

    def periodic_callback(self, *, interval_type: str, **_: Any) -> None:
        ratio = self.writer.log_cache["loss/test"] / (1 + self.writer.log_cache["accuracy"])
        self.writer.add_scalar(f"{interval_type}/ratio", ratio)


class DecayConfig(CallBackBaseConfig):
    """Config with defaults, constants and a nested value."""

    known: ClassVar[tuple[str, ...]] = ("linear", "cosine")
    schedule: str = "cosine"
    bounds: dict[str, float] = Field(default={"low": 0.0, "high": 1.0})


@innocent(config={"every_n_updates": 2, "schedule": "linear", "bounds": {"low": 0.1, "high": 0.2}})
class KeepsItsConfig(PeriodicCallback):
    """Keeps its whole config."""

    def __init__(self, callback_config: DecayConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.callback_config = callback_config


@innocent()
class WritesAFileOfItsOwn(PeriodicCallback):
    """Appends a line a turn to a file of its own in the run folder."""

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        file_of_mine = self.trainer.path_provider.run_output_path / f"{self.checkpoint_key}.csv"
        with file_of_mine.open("a") as file:
            file.write(f"{update_counter.update}\n")


@innocent()
def returns_one_of_two_classes(*, metric_property_provider: Any, **collaborators: Any) -> CallbackBase:
    """A factory that looks at a collaborator before it decides."""
    chosen = Stateless if metric_property_provider.higher_is_better("accuracy") else HasALongInterval
    return chosen(
        CallBackBaseConfig(every_n_updates=2), metric_property_provider=metric_property_provider, **collaborators
    )


@innocent()
class DelegatesUnknownNames(PeriodicCallback):
    """Looks for names that it does not have in another callback."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        self.inner = Stateless(callback_config, **kwargs)
        super().__init__(callback_config, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@innocent("round-trips-its-state")
class IsEmptyAtFirst(PeriodicCallback):
    """Has a length, so that it is false while it is empty."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rows: list[int] = []

    def __len__(self) -> int:
        return len(self.rows)

    def periodic_callback(self, *, update_counter: UpdateCounter, **_: Any) -> None:
        self.rows.append(update_counter.update)

    def state_dict(self) -> dict[str, list[int]]:
        return {"rows": list(self.rows)}

    def load_state_dict(self, state_dict: dict[str, list[int]]) -> None:
        self.rows = list(state_dict["rows"])


Value = TypeVar("Value")


@innocent()
class IsGeneric(PeriodicCallback, Generic[Value]):
    """Is generic in the type of what it keeps."""

    kept: Value | None = None


@dataclass
class Comparable:
    """Options that are compared by value, and so have no hash."""

    threshold: float = 0.5


@innocent()
class HasNoHash(Comparable, CallbackBase):
    """Is compared by its options."""

    def __init__(self, **kwargs: Any) -> None:
        Comparable.__init__(self)
        CallbackBase.__init__(self, **kwargs)


@innocent()
class LooksForItself(CallbackBase):
    """Looks by identity whether it is among the callbacks of the run."""

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        if not any(each is self for each in self.trainer.callbacks):
            raise RuntimeError("Some other callback runs in my place.")


@innocent(config={"every_n_updates": 2})
class InsistsOnBeingAlone(PeriodicCallback):
    """Counts the callbacks of exactly its class."""

    def periodic_callback(self, **_: Any) -> None:
        if [type(each) is InsistsOnBeingAlone for each in self.trainer.callbacks].count(True) != 1:
            raise RuntimeError("There must be one InsistsOnBeingAlone in a run.")


@innocent(config={"every_n_updates": 2})
class KnowsItsPlace(PeriodicCallback):
    """Asks whether it is in the list, and where."""

    def track_after_update_step(self, **_: Any) -> None:
        if self not in self.trainer.callbacks or self.trainer.callbacks.index(self) < 0:
            raise RuntimeError("The trainer does not know me.")
