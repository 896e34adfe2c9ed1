"""The base class of all callbacks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noether_testkit.core.utils.training import UpdateCounter


class CallbackBase:
    """Does something before and after training.

    A callback overrides `before_training` and `after_training`. If it carries state that must
    survive a resume it overrides `state_dict` and `load_state_dict` together, or, for large
    files, reads them back in `resume_from_checkpoint`.

    Args:
        trainer: The trainer of the run.
        model: The model of the run: neither initialised, nor moved, nor loaded at this time.
        data_container: Holds the data sets of the run.
        tracker: The experiment tracker.
        log_writer: Writes metrics; kept as `writer`.
        checkpoint_writer: Writes checkpoints.
        metric_property_provider: Knows for which metrics a higher value is better.
        name: The name under which state is stored; the class name where it is `None`.
    """

    _logger: logging.Logger | None = None

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
    ) -> None:
        self.name = name
        self.trainer = trainer
        self.model = model
        self.data_container = data_container
        self.tracker = tracker
        self.writer = log_writer
        self.metric_property_provider = metric_property_provider
        self.checkpoint_writer = checkpoint_writer

    @property
    def checkpoint_key(self) -> str:
        """The key under which checkpoints hold the state: the name, else the class name."""
        return type(self).__name__ if self.name is None else self.name

    @property
    def logger(self) -> logging.Logger:
        """A logger named after the callback."""
        if self._logger is None:
            self._logger = logging.getLogger(str(self))
        return self._logger

    def get_children(self) -> list[CallbackBase]:
        """Returns the callbacks that this one drives; none by default."""
        return []

    def state_dict(self) -> dict[str, Any] | None:
        """Returns the state that a checkpoint shall hold, or `None` for a stateless callback."""
        return None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back what `state_dict` handed out; does nothing by default.

        On a resume it is called twice: over fresh weights first, over loaded weights then.

        Args:
            state_dict: The state from the checkpoint; must be left as it is.
        """

    def resume_from_checkpoint(self, resumption_paths: Any, model: Any) -> None:
        """Reads state from files of the earlier run; does nothing by default.

        Args:
            resumption_paths: The path provider of the run that is resumed.
            model: The model, with its weights loaded.
        """

    def before_training(self, *, update_counter: UpdateCounter) -> None:
        """Called once before the first update, without gradient recording, model in eval mode.

        Args:
            update_counter: The progress of the run.
        """

    def after_training(self, *, update_counter: UpdateCounter) -> None:
        """Called once after the last update, without gradient recording, model in eval mode.

        Args:
            update_counter: The progress of the run.
        """

    def __str__(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return str(self)

    @staticmethod
    def validate_checkpoint_keys(callbacks: list[CallbackBase]) -> None:
        """Refuses two stateful callbacks with one key.

        Raises:
            ValueError: Two callbacks whose state is not `None` share a `checkpoint_key`.
        """
        owners: dict[str, CallbackBase] = {}
        for callback in _stateful(callbacks):
            key = callback.checkpoint_key
            if key in owners:
                raise ValueError(
                    f"The callbacks {owners[key]} and {callback} would both store their state as "
                    f"{key!r}. Give each a name of its own, in YAML by the config field 'id'."
                )
            owners[key] = callback

    @staticmethod
    def build_callback_state_dict(callbacks: list[CallbackBase]) -> dict[str, Any]:
        """Returns the states of all stateful callbacks by their keys.

        Raises:
            ValueError: Two callbacks whose state is not `None` share a `checkpoint_key`.
        """
        CallbackBase.validate_checkpoint_keys(callbacks)
        states = [(callback.checkpoint_key, callback.state_dict()) for callback in callbacks]
        return {key: state for key, state in states if state is not None}

    @staticmethod
    def load_callback_state_dicts(
        callbacks: list[CallbackBase],
        checkpoint_data: dict[str, Any] | list[Any],
        logger: logging.Logger,
    ) -> None:
        """Hands each stateful callback its state out of a checkpoint.

        Args:
            callbacks: The callbacks of the run; one whose state is `None` is passed over.
            checkpoint_data: States by key, or the older list of states by position.
            logger: Takes the warnings about keys without a partner on either side.

        Raises:
            ValueError: Two stateful callbacks share a `checkpoint_key`, or a list has another length than
                there are stateful callbacks.
        """
        CallbackBase.validate_checkpoint_keys(callbacks)
        stateful = {callback.checkpoint_key: callback for callback in _stateful(callbacks)}
        if isinstance(checkpoint_data, list):
            states = _by_position(list(stateful.values()), checkpoint_data)
        else:
            states = dict(checkpoint_data)
        if unknown := sorted(states.keys() - stateful.keys()):
            logger.warning("The checkpoint holds states of no stateful callback in this run: %s.", ", ".join(unknown))
        if missing := sorted(stateful.keys() - states.keys()):
            logger.warning("The checkpoint holds no state for: %s. They start afresh.", ", ".join(missing))
        for key, callback in stateful.items():
            if key in states:
                callback.load_state_dict(states[key])


def _stateful(callbacks: Iterable[CallbackBase]) -> list[CallbackBase]:
    return [callback for callback in callbacks if callback.state_dict() is not None]


def _by_position(stateful: list[CallbackBase], states: list[Any]) -> dict[str, Any]:
    states = [state for state in states if state is not None]
    if len(states) != len(stateful):
        raise ValueError(
            f"The checkpoint lists {len(states)} callback states, this run has {len(stateful)} "
            "stateful callbacks; states in a list can be matched by position only."
        )
    return {callback.checkpoint_key: state for callback, state in zip(stateful, states, strict=True)}
