"""Callbacks around `hands-collaborators-to-the-base`."""

from __future__ import annotations

from typing import Any

from tests.defects.catalogue import guilty, innocent

from noether_testkit.core.callbacks import CallbackBase, PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.core.utils.training import UpdateCounter

CHECK = "hands-collaborators-to-the-base"


@guilty(CHECK)
class ForgetsTheBase(CallbackBase):
    """Keeps what it needs and never calls the base class's constructor."""

    def __init__(self, model: Any, log_writer: Any, **kwargs: Any) -> None:
        self.model = model
        self.writer = log_writer


@guilty(CHECK)
class ForgetsThePeriodicBase(PeriodicCallback):
    """Keeps its config and never calls the base class's constructor."""

    def __init__(self, callback_config: CallBackBaseConfig, log_writer: Any, **kwargs: Any) -> None:
        self.config = callback_config
        self.writer = log_writer

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@guilty(CHECK)
class SwapsTheTwoWriters(PeriodicCallback):
    """Hands the collaborators on by position, in an order of its own."""

    def __init__(
        self,
        callback_config: CallBackBaseConfig,
        trainer: Any,
        model: Any,
        data_container: Any,
        tracker: Any,
        log_writer: Any,
        checkpoint_writer: Any,
        metric_property_provider: Any,
        name: str | None = None,
    ) -> None:
        super().__init__(
            callback_config,
            trainer,
            model,
            data_container,
            tracker,
            checkpoint_writer,
            log_writer,
            metric_property_provider,
            name,
        )


@guilty(CHECK)
class KeepsNoTracker(CallbackBase):
    """Hands `None` on, because it has no use for a tracker; what is built on it may have one."""

    def __init__(self, tracker: Any, **kwargs: Any) -> None:
        super().__init__(tracker=None, **kwargs)


@guilty(CHECK)
class ForgetsTheModelUntilTraining(CallbackBase):
    """Overwrites the model with a placeholder that nobody fills."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = None


@guilty(CHECK)
class SkipsThePeriodicConstructor(PeriodicCallback):
    """Calls the constructor of `CallbackBase` and so has no interval."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        CallbackBase.__init__(self, **kwargs)
        self.interval = callback_config.every_n_updates

    def after_update(self, update_counter: UpdateCounter, **kwargs: Any) -> None:
        if update_counter.update % self.interval == 0:
            self.writer.add_scalar("progress", update_counter.epoch_as_float)


@guilty(CHECK)
class KeepsTheTrainerAsItsTracker(CallbackBase):
    """Sends its values to the trainer, as another library's callbacks do."""

    def __init__(self, trainer: Any, **kwargs: Any) -> None:
        super().__init__(trainer=trainer, **kwargs)
        self.tracker = trainer


@innocent(CHECK)
class KeepsAliases(CallbackBase):
    """Keeps the collaborators under further names, too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log_writer = self.writer
        self.net = self.model


@innocent(CHECK)
class WatchesASubModel(CallbackBase):
    """Keeps a part of the model in place of the whole."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = self.model.net


class PrefixingWriter:
    """Puts a prefix in front of every key."""

    def __init__(self, writer: Any, prefix: str) -> None:
        self.inner = writer
        self.prefix = prefix

    def add_scalar(self, key: str, value: Any, **kwargs: Any) -> None:
        self.inner.add_scalar(f"{self.prefix}/{key}", value, **kwargs)


@innocent(CHECK)
class WrapsItsWriter(PeriodicCallback):
    """Keeps a writer of its own making around the one that it was given."""

    def __init__(self, callback_config: CallBackBaseConfig, log_writer: Any, **kwargs: Any) -> None:
        super().__init__(callback_config, log_writer=PrefixingWriter(log_writer, "mine"), **kwargs)

    def periodic_callback(self, *, interval_type: str, update_counter: UpdateCounter, **_: Any) -> None:
        self.writer.add_scalar("progress", update_counter.epoch_as_float)


@innocent(CHECK)
class CallsTheBaseLast(PeriodicCallback):
    """Sets its own attributes first."""

    def __init__(self, callback_config: CallBackBaseConfig, **kwargs: Any) -> None:
        self.seen: list[int] = []
        super().__init__(callback_config, **kwargs)


@innocent(CHECK)
class HandsAllOnByPosition(PeriodicCallback):
    """Hands the collaborators on by position, in the base class's order."""

    def __init__(
        self,
        callback_config: CallBackBaseConfig,
        trainer: Any,
        model: Any,
        data_container: Any,
        tracker: Any,
        log_writer: Any,
        checkpoint_writer: Any,
        metric_property_provider: Any,
        name: str | None = None,
    ) -> None:
        super().__init__(
            callback_config,
            trainer,
            model,
            data_container,
            tracker,
            log_writer,
            checkpoint_writer,
            metric_property_provider,
            name,
        )


@innocent(CHECK)
class ReadsItsWriterThroughAProperty(CallbackBase):
    """Turns an attribute of the base class into a property that gives the same object."""

    @property
    def tracker(self) -> Any:
        return self._tracker

    @tracker.setter
    def tracker(self, tracker: Any) -> None:
        self._tracker = tracker
