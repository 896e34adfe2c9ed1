from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from reference_callbacks.notification import NotificationCallback, NotificationCallbackConfig

from noether_testkit.core.callbacks import PeriodicCallback
from noether_testkit.core.schemas.callbacks import CallBackBaseConfig
from noether_testkit.fakes import FakeRun

SECRET = "s3cr3t-t0ken"
VARIABLE = "NOTIFICATION_URLS"

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # imported by apprise


class Server(ThreadingHTTPServer):
    """Takes messages on loopback: `status` is its answer, `None` makes it wait for `released`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status: int | None = 200
        self.released = threading.Event()
        self.messages: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://user:{SECRET}@127.0.0.1:{self.server_port}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.status is None:
            self.server.released.wait(timeout=30)
        self.send_response(self.server.status or 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv(VARIABLE, running.url)
        yield running
        running.released.set()
        for sender in senders():
            sender.join(timeout=30)
        running.shutdown()
        thread.join()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anybody logs; no secret may be in it."""
    caplog.set_level(logging.DEBUG)
    yield caplog
    assert not [record for record in caplog.get_records("call") if SECRET in record.getMessage()]


def senders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "NotificationCallback"]


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "NotificationCallback"]


def notification(**config: Any) -> partial[NotificationCallback]:
    return partial(NotificationCallback, NotificationCallbackConfig(**config))


class LogsEachUpdate(PeriodicCallback):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CallBackBaseConfig(every_n_updates=1), **kwargs)

    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        self.writer.add_scalar("loss/total", 1 / (2 + update_counter.update))


class StopsAtUpdate3(LogsEachUpdate):
    def periodic_callback(self, *, interval_type: str, update_counter: Any, **_: Any) -> None:
        if update_counter.update == 3:
            self.trainer.request_stop()


def test_a_run_tells_that_it_started_and_finished(server: Server, log: pytest.LogCaptureFixture) -> None:
    """Two messages with progress, duration and the last values of the chosen metrics."""
    with FakeRun() as run:
        run.train(LogsEachUpdate, notification(metrics=["loss/total", "loss/none"]))
    started, finished = server.messages
    assert (started["title"], started["message"]) == ("Run run started", "Update 0 of 8, epoch 0")
    assert finished["title"] == "Run run finished"
    progress, duration, *metrics = finished["message"].splitlines()
    assert progress == "Update 8 of 8, epoch 2"
    assert re.fullmatch(r"Duration: 0:0\d:\d\d", duration)
    assert metrics == ["loss/total: 0.1", "loss/none: not logged"]
    assert lines(log) == []


def test_a_run_that_stops_early_is_interrupted(server: Server, log: pytest.LogCaptureFixture) -> None:
    """The message says how far it came."""
    with FakeRun() as run:
        run.train(StopsAtUpdate3, notification(events=["interrupted"]))
    (message,) = server.messages
    assert message["title"] == "Run run interrupted"
    assert message["message"].startswith("Update 3 of 8, epoch 0")


def test_only_chosen_events_are_told(server: Server, log: pytest.LogCaptureFixture) -> None:
    """A run that finishes sends no message where only interruptions count."""
    with FakeRun() as run:
        run.train(notification(events=["interrupted"]))
    assert server.messages == []


def test_each_address_gets_the_message(
    server: Server, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses are separated by white space, and one that fails does not stop the others."""
    monkeypatch.setenv(VARIABLE, f"nonsense://{SECRET} {server.url}\n{server.url}")
    with FakeRun() as run:
        run.train(notification(events=["started"]))
    assert len(server.messages) == 2
    assert lines(log) == ["Run run started: 2 of 3 services took the message."]


def test_a_service_that_refuses_is_one_line_in_the_log(server: Server, log: pytest.LogCaptureFixture) -> None:
    """Training goes on to its end."""
    server.status = 500
    with FakeRun() as run:
        run.train(notification(events=["finished"]))
        assert run.update_counter.is_finished
    assert lines(log) == ["Run run finished: 0 of 1 services took the message."]


def test_a_service_that_is_not_there_is_one_line_in_the_log(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection ends nothing, and its address stays out of the log."""
    with Server() as closed:
        monkeypatch.setenv(VARIABLE, closed.url)
    with FakeRun() as run:
        run.train(notification(events=["finished"]))
    assert lines(log) == ["Run run finished: 0 of 1 services took the message."]


def test_a_service_that_hangs_is_left_behind(server: Server, log: pytest.LogCaptureFixture) -> None:
    """Training waits no longer than the limit, whatever the service does."""
    server.status = None
    with FakeRun() as run:
        callback = notification(time_limit_s=0.2)(**run.callback_kwargs)
        begin = time.monotonic()
        callback.before_training(update_counter=run.update_counter)
        assert time.monotonic() - begin < 5
    assert lines(log) == ["Run run started: the message was not sent within 0.2 s."]
    assert all(sender.daemon for sender in senders())


def test_no_thread_is_left(server: Server, log: pytest.LogCaptureFixture) -> None:
    """A message that was sent leaves no thread of its own or of apprise."""
    with FakeRun() as run:
        run.train(notification(events=["started"]))
    assert senders() == []
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_loggers_have_no_filter_left(server: Server, log: pytest.LogCaptureFixture) -> None:
    """The loggers that were muted while the message was sent are as before."""
    with FakeRun() as run:
        run.train(notification(events=["started"]))
    assert logging.getLogger("apprise").filters == logging.getLogger("urllib3.connectionpool").filters == []


def test_without_addresses_nothing_happens(log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says why, once."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with FakeRun() as run:
        run.train(notification())
    assert lines(log) == ["No messages are sent: the environment variable NOTIFICATION_URLS is not set."]


def test_addresses_come_from_the_chosen_variable(
    server: Server, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The config names the variable."""
    monkeypatch.setenv("MY_URLS", server.url)
    monkeypatch.delenv(VARIABLE)
    with FakeRun() as run:
        run.train(notification(urls_env="MY_URLS", events=["started"]))
    assert len(server.messages) == 1


def test_a_dry_run_logs_the_messages(server: Server, log: pytest.LogCaptureFixture) -> None:
    """Nothing is sent."""
    with FakeRun() as run:
        run.train(notification(dry_run=True, events=["started"]))
    assert server.messages == []
    assert lines(log) == ["Run run started (dry run, not sent): Update 0 of 8, epoch 0"]


def test_other_ranks_say_nothing(
    server: Server, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 0 speaks for all."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    with FakeRun() as run:
        run.train(notification())
    assert server.messages == []
    assert lines(log) == []


def test_without_apprise_the_run_goes_on(
    server: Server, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing package is a line in the log."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with FakeRun() as run:
        run.train(notification(events=["started"]))
        assert run.update_counter.is_finished
    assert lines(log) == ["Run run started: the message was not sent (ModuleNotFoundError)."]


def test_a_broken_log_writer_is_no_reason_to_fail(server: Server, log: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong while the message is written is a line in the log, too."""
    with FakeRun() as run:

        def fault(call: Any) -> None:
            raise OSError(SECRET)

        callback = notification(metrics=["loss/total"])(**run.callback_kwargs)
        run.log_writer.get_all_metric_values = fault  # type: ignore[method-assign]
        callback.after_training(update_counter=run.update_counter)
    assert lines(log) == ["Run run interrupted: the message was not sent (OSError)."]


@pytest.mark.parametrize("config", [{"time_limit_s": 0}, {"events": ["began"]}, {"urls_env": ""}, {"urls": ["x"]}])
def test_the_config_is_checked(config: dict[str, Any]) -> None:
    """Limits are positive, events known, and addresses have no place in the config."""
    with pytest.raises(ValidationError, match=next(iter(config))):
        NotificationCallbackConfig(**config)
