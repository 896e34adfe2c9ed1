"""Sends a message when a run starts and when it ends, to any service that `apprise` knows.

In a run's YAML, with the services' addresses in the environment variable `NOTIFICATION_URLS`, separated by
spaces (see https://appriseit.com for Slack, e-mail and all others):

    callbacks:
      - kind: my_project.callbacks.notification.NotificationCallback
        metrics: [loss/test/total]
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal

import torch
from pydantic import Field, model_validator

from noether_testkit.core.callbacks import CallbackBase
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig

Event = Literal["started", "finished", "interrupted"]

TALKATIVE_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")
"""Loggers whose records can hold addresses with their secrets."""


class NotificationCallbackConfig(CallBackBaseConfig):
    """What to tell whom."""

    urls_env: str = Field(default="NOTIFICATION_URLS", min_length=1)
    """Environment variable with the addresses, separated by white space; they never stand in the config itself."""
    events: list[Event] = Field(default=["started", "finished", "interrupted"])
    """The events to tell of; a run that stopped before its end is interrupted, whether by a signal or on purpose."""
    metrics: list[str] = Field(default=[])
    """Keys of logged metrics, of which the last value is told at the end."""
    time_limit_s: float = Field(default=10.0, gt=0)
    """Seconds that training waits for a message to be sent."""
    dry_run: bool = False
    """Whether to log the messages in place of sending them."""

    @model_validator(mode="before")
    @classmethod
    def _set_an_interval(cls, values: Any) -> Any:
        """Base configs need an interval; at the start and the end it means nothing."""
        if isinstance(values, dict) and not any(key.startswith("every_n_") for key in values):
            return {**values, "every_n_epochs": 1}
        return values


class NotificationCallback(CallbackBase):
    """Tells on rank 0 that the run started, and that it finished or was interrupted.

    Messages never harm the run: one that fails or takes too long is a line in the log. Neither addresses
    nor what services answer are logged, as both can hold secrets. Without addresses nothing is sent. A run
    that crashes calls no callback any more, so nothing is told of that.

    Args:
        callback_config: Events, metrics and limits.
        **kwargs: The collaborators of every callback.
    """

    def __init__(self, callback_config: NotificationCallbackConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = callback_config.id or self.name
        self.config = callback_config
        self._started_s = time.monotonic()
        self._is_silent = False

    def before_training(self, *, update_counter: Any) -> None:
        """Tells that the run started."""
        self._started_s = time.monotonic()
        self._tell("started", update_counter)

    def after_training(self, *, update_counter: Any) -> None:
        """Tells whether the run came to its end, how long it took, and the metrics."""
        self._tell("finished" if update_counter.is_finished else "interrupted", update_counter)

    def _tell(self, event: Event, update_counter: Any) -> None:
        if event not in self.config.events or not _is_rank_zero():
            return
        title = f"Run {self.trainer.path_provider.run_id} {event}"
        try:
            self._hand_over(title, "\n".join(self._lines(event, update_counter)))
        except Exception as error:  # noqa: BLE001 - a message must not end the run
            self.logger.warning("%s: the message was not sent (%s).", title, type(error).__name__)

    def _lines(self, event: Event, update_counter: Any) -> Iterator[str]:
        yield f"Update {update_counter.update} of {update_counter.end_iteration.update}, epoch {update_counter.epoch}"
        if event == "started":
            return
        yield f"Duration: {timedelta(seconds=round(time.monotonic() - self._started_s))}"
        for key in self.config.metrics:
            values = self.writer.get_all_metric_values(key)
            yield f"{key}: {values[-1]:.6g}" if values else f"{key}: not logged"

    def _hand_over(self, title: str, body: str) -> None:
        urls = os.environ.get(self.config.urls_env, "").split()
        if self.config.dry_run:
            self.logger.info("%s (dry run, not sent): %s", title, body.replace("\n", "; "))
        elif urls:
            self._send(urls, title, body)
        elif not self._is_silent:
            self._is_silent = True
            self.logger.info("No messages are sent: the environment variable %s is not set.", self.config.urls_env)

    def _send(self, urls: list[str], title: str, body: str) -> None:
        """Sends the message in a thread of its own, and leaves that behind when it takes too long."""
        from apprise import Apprise

        accepted: list[bool] = []

        def send_to_all() -> None:
            with _muted_loggers():
                for url in urls:  # one by one: `Apprise().notify` would start a pool of threads that stays
                    with suppress(Exception):  # whose text could hold the address
                        service = Apprise.instantiate(url)
                        accepted.append(service is not None and bool(service.notify(title=title, body=body)))

        thread = threading.Thread(target=send_to_all, name=str(self), daemon=True)
        thread.start()
        thread.join(self.config.time_limit_s)
        if thread.is_alive():
            self.logger.warning("%s: the message was not sent within %s s.", title, self.config.time_limit_s)
        elif accepted.count(True) < len(urls):
            self.logger.warning("%s: %d of %d services took the message.", title, accepted.count(True), len(urls))


@contextmanager
def _muted_loggers() -> Iterator[None]:
    """Drops what this thread says to the talkative loggers."""
    muted = threading.get_ident()

    def is_from_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != muted

    loggers = [logging.getLogger(name) for name in TALKATIVE_LOGGERS]
    for logger in loggers:
        logger.addFilter(is_from_another_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_from_another_thread)


def _is_rank_zero() -> bool:
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
