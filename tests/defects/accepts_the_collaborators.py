"""Callbacks around `accepts-the-collaborators`."""

from __future__ import annotations

import os
from functools import partial, wraps
from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "accepts-the-collaborators"


@guilty(CHECK)
class CallsTheLogWriterWriter(CallbackBase):
    """Names a parameter after the attribute of the base class, `writer`, instead of after the keyword."""

    def __init__(
        self, trainer, model, data_container, tracker, writer, checkpoint_writer, metric_property_provider, name=None
    ):
        super().__init__(
            trainer=trainer,
            model=model,
            data_container=data_container,
            tracker=tracker,
            log_writer=writer,
            checkpoint_writer=checkpoint_writer,
            metric_property_provider=metric_property_provider,
            name=name,
        )


@guilty(CHECK)
class LeavesTheMetricProviderOut(CallbackBase):
    """Lists the collaborators of an older release, so that a newer one breaks it.

    The same happened to hooks: https://github.com/ludwig-ai/ludwig/issues/4048 (B146).
    """

    def __init__(self, *, trainer: Any, model: Any, data_container: Any, tracker: Any, log_writer: Any,
                 checkpoint_writer: Any, name: str | None = None) -> None:  # fmt: skip
        super().__init__(
            trainer=trainer,
            model=model,
            data_container=data_container,
            tracker=tracker,
            log_writer=log_writer,
            checkpoint_writer=checkpoint_writer,
            metric_property_provider=None,
            name=name,
        )


@guilty(CHECK)
class TakesCollaboratorsByPosition(CallbackBase):
    """Hands on positions only, while the trainer gives keywords only."""

    def __init__(self, *collaborators: Any) -> None:
        super().__init__(*collaborators)


@guilty(CHECK)
class TakesNoName(CallbackBase):
    """Lists the seven collaborators and forgets the name."""

    def __init__(
        self, trainer, model, data_container, tracker, log_writer, checkpoint_writer, metric_property_provider
    ):
        super().__init__(
            trainer, model, data_container, tracker, log_writer, checkpoint_writer, metric_property_provider
        )


@guilty(CHECK)
class HandsTheNameOnTwice(CallbackBase):
    """Sets a name of its own and hands the given one on in `kwargs`, too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(name="best", **kwargs)


@guilty(CHECK, config={"every_n_updates": 2})
class PutsTheTrainerFirst(PeriodicCallback):
    """Takes the trainer first, where the trainer hands over the config."""

    def __init__(self, trainer: Any, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, trainer=trainer, **kwargs)


@guilty(CHECK)
class ReadsRatesInTheConstructor(PeriodicCallback):
    """Looks for the optimiser in the constructor, when the model has none yet."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.rates = [group["lr"] for group in self.model.optimizer.torch_optim.param_groups]


@guilty(CHECK)
class AsksTheTrainerForTheModel(PeriodicCallback):
    """Takes the model from the trainer, which has no such attribute."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.net = self.trainer.model


@guilty(CHECK)
class DemandsAnEnvironmentVariable(CallbackBase):
    """Dies where a variable of the author's own machine is not set."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token = os.environ["MY_TRACKING_SERVICE_TOKEN"]


@guilty(CHECK)
def makes_a_callback_from_the_model_alone(model: Any, log_writer: Any) -> CallbackBase:
    """Takes only the collaborators that it needs."""
    return CallbackBase(model=model, log_writer=log_writer)


@innocent(CHECK)
class TakesAllByKeyword(CallbackBase):
    """Hands everything on in `kwargs`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.finished = False

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        self.finished = True


@innocent(CHECK)
class ListsAllEight(CallbackBase):
    """Lists the seven collaborators and the name, and hands them on by position, in the right order."""

    def __init__(
        self,
        trainer,
        model,
        data_container,
        tracker,
        log_writer,
        checkpoint_writer,
        metric_property_provider,
        name=None,
    ):
        super().__init__(
            trainer, model, data_container, tracker, log_writer, checkpoint_writer, metric_property_provider, name
        )


@innocent(CHECK)
class TakesCollaboratorsByKeywordOnly(PeriodicCallback):
    """Takes the config by position and the collaborators by keyword only, in an order of its own."""

    def __init__(
        self,
        callback_config: CallBackBaseConfig,
        *,
        log_writer: Any,
        tracker: Any,
        name: str | None = None,
        **collaborators: Any,
    ) -> None:
        super().__init__(callback_config, log_writer=log_writer, tracker=tracker, name=name, **collaborators)


@innocent(CHECK)
class HasANameOfItsOwn(CallbackBase):
    """Has a name of its own by default; one that is given wins."""

    def __init__(self, name: str | None = "best", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)


@innocent(CHECK, config={"every_n_updates": 2})
class CallsItsConfigOtherwise(PeriodicCallback):
    """Gives the config another name; the trainer hands it over by position."""

    def __init__(self, settings: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config=settings, **kwargs)


@innocent(CHECK)
class HasNoConstructor(PeriodicCallback):
    """Leaves the constructor to the base class."""


class TargetConfig(CallBackBaseConfig):
    """A config with a field that has no default."""

    target: float


@innocent(CHECK, config={"every_n_updates": 2, "target": 0.5})
class NeedsAConfigField(PeriodicCallback):
    """Has a config with a required field."""

    def __init__(self, callback_config: TargetConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)
        self.target = callback_config.target


@innocent(CHECK, config=TargetConfig(every_n_epochs=1, target=0.5))
class TakesAReadyConfig(PeriodicCallback):
    """Is given a config object instead of a mapping."""

    def __init__(self, callback_config: TargetConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


@innocent(CHECK, kwargs={"threshold": 0.5})
class NeedsAnArgument(CallbackBase):
    """Has an argument of its own without a default."""

    def __init__(self, threshold: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold


@innocent(CHECK, kwargs={"ratio": 0.5})
class RefusesABadRatio(CallbackBase):
    """Refuses a bad argument with a clear error; the one it is given is good."""

    def __init__(self, ratio: float, **kwargs: Any) -> None:
        if not 0 < ratio < 1:
            raise ValueError(f"ratio lies between 0 and 1, but is {ratio}.")
        super().__init__(**kwargs)
        self.ratio = ratio


def logged(constructor: Any) -> Any:
    """Decorates a constructor as people do."""

    @wraps(constructor)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        constructor(self, *args, **kwargs)

    return wrapper


@innocent(CHECK)
class HasADecoratedConstructor(PeriodicCallback):
    """Has a constructor behind a decorator that keeps its signature."""

    @logged
    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        super().__init__(callback_config, **kwargs)


@innocent(CHECK)
def makes_a_callback_every_third_update(**collaborators: Any) -> PeriodicCallback:
    """A factory that brings the config itself."""
    return HasNoConstructor(CallBackBaseConfig(every_n_updates=3), **collaborators)


partial_of_a_class = innocent(CHECK)(partial(NeedsAnArgument, 0.5))

lambda_around_a_class = innocent(CHECK)(lambda **collaborators: NeedsAnArgument(threshold=0.5, **collaborators))
