"""A running `tocsin run` takes up changed files, and keeps to the old ones while new ones are
wrong (events-in 31)."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from processes import TocsinProcess

TO_FILE = """\
sources: [{{name: all, events: ["*"], sinks: [file]}}]
sinks: [{{name: file, publishers: ["file://{folder}/{name}?json"]}}]
"""


class Running:
    """A `tocsin run` of this test's own, with its pipelines file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pipelines = folder, folder / "pipelines.yaml"
        self.route_to("first")
        environment = {
            "TOCSIN_CONFIG": str(self._settings()),
            "TOCSIN_DATABASE_URL": f"sqlite:///{folder}/tocsin.sqlite",
            "TOCSIN_HTTP_PORT": "0",
            "TOCSIN_LOG_FORMAT": "json",
        }
        self.process = TocsinProcess("run", environment=environment, log_path=folder / "log")
        listening = self.process.wait_for_log("http.listening")
        self.url = f"http://{listening['host']}:{listening['port']}/v1/events"

    def _settings(self) -> Path:
        file = self.folder / "tocsin.yaml"
        file.write_text("routing: {pipelines: pipelines.yaml}\n", encoding="utf-8")
        return file

    def route_to(self, name: str) -> None:
        text = TO_FILE.format(folder=self.folder, name=name)
        self.pipelines.write_text(text, encoding="utf-8")

    def takes_an_event_to(self, name: str) -> bool:
        event = {
            "message_id": f"m-{name}",
            "event_type": "demo.created",
            "publisher_id": "demo",
            "priority": "INFO",
            "timestamp": "2026-01-02 12:00:00.000001",
            "payload": {},
        }
        answer = requests.post(self.url, json=event, timeout=30)
        assert answer.status_code == 202, answer.text
        return (self.folder / name).exists()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    with started.process:
        yield started


def test_a_changed_file_is_taken_up(running: Running) -> None:
    assert running.takes_an_event_to("first")

    running.route_to("second")
    running.process.wait_for_log("configuration.reloaded", seconds=10)

    assert running.takes_an_event_to("second")


def test_a_wrong_file_leaves_the_old_one_in_force_and_is_reported(running: Running) -> None:
    running.pipelines.write_text("sources: [", encoding="utf-8")

    line = running.process.wait_for_log("configuration.refused", seconds=10)

    assert line["problem"].startswith(f"{running.pipelines}:")
    assert line["level"] == "error"
    assert running.takes_an_event_to("first")
    running.route_to("third")
    running.process.wait_for_log("configuration.reloaded", seconds=10)
    assert running.takes_an_event_to("third")


def test_hangup_reloads_without_a_change(running: Running) -> None:
    running.process.signal(signal.SIGHUP)

    running.process.wait_for_log("configuration.reloaded", seconds=10)

    assert running.takes_an_event_to("first")
    assert running.process.terminate() == 0


def test_a_notifier_takes_up_changed_kinds(tmp_path: Path) -> None:
    kinds = tmp_path / "kinds.yaml"
    kinds.write_text("kinds: [{id: mine}]", encoding="utf-8")
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/tocsin.sqlite",
        "TOCSIN_KINDS_FILE": str(kinds),
        "TOCSIN_ROUTING_PIPELINES": str(tmp_path / "of-no-concern-here.yaml"),
    }
    with TocsinProcess("notifier", environment=environment, log_path=tmp_path / "log") as process:
        process.wait_for_log("process.started")

        kinds.write_text("kinds: [{id: mine, policy: perhaps}]", encoding="utf-8")
        line = process.wait_for_log("configuration.refused", seconds=10)
        assert line["problem"].startswith(
            f"{kinds}:1:28 kinds[0].policy: unknown policy 'perhaps'"
        )

        kinds.write_text("kinds: [{id: mine, policy: never}]", encoding="utf-8")
        process.wait_for_log("configuration.reloaded", seconds=10)
        assert process.terminate() == 0


def test_hangup_at_the_start_does_not_end_the_process(tmp_path: Path) -> None:
    """There is nothing to reload yet: the files are read after it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environment = {"TOCSIN_DATABASE_URL": f"postgresql://tocsin@127.0.0.1:{port}/tocsin"}
        log_path = tmp_path / "log"
        with TocsinProcess("notifier", environment=environment, log_path=log_path) as process:
            silent.settimeout(30)
            connection, _ = silent.accept()  # now it waits for a database that says nothing
            with connection:
                process.signal(signal.SIGHUP)
                assert process.terminate() == 0
