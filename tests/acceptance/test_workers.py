"""`--workers N`: several processes share the work, and what dies is started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import a_rule, an_alarm
from messages import v1
from processes import TocsinProcess
from waiting import eventually

Start = Callable[..., TocsinProcess]


@pytest.fixture
def environment(postgresql_url: str, amqp_url: str, topic: str) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": postgresql_url,
        "TOCSIN_RABBITMQ_URLS": amqp_url,
        "TOCSIN_RABBITMQ_TOPICS": topic,
        "TOCSIN_RABBITMQ_EXCHANGES": topic,
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts `tocsin ARGUMENTS`; what still runs at the end is ended."""
    started = []

    def start(*arguments: str, **further: str) -> TocsinProcess:
        process = TocsinProcess(
            *arguments, environment=environment | further, log_path=tmp_path / "log"
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            for pid in workers_of(process).values():
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)


def lines(process: TocsinProcess, event: str) -> list[dict[str, Any]]:
    return [line for line in process.log() if line.get("event") == event]


def workers_of(process: TocsinProcess) -> dict[int, int]:
    """The newest process id of each worker."""
    return {line["number"]: line["pid"] for line in lines(process, "worker.started")}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def connected(process: TocsinProcess, count: int) -> None:
    eventually(
        lambda: len(lines(process, "rabbitmq.connected")) >= count, f"{count} listeners connect"
    )


def test_two_workers_share_one_queue_and_each_event_fires_once(
    start: Start, environment: dict[str, str], amqp_url: str, topic: str
) -> None:
    with SqlStore.open(DatabaseSettings(url=environment["TOCSIN_DATABASE_URL"])) as store:
        store.create(an_alarm(all_projects=True, rule=a_rule("identity.*"),
                              repeat_actions=True, alarm_actions=()))  # fmt: skip
        listener = start("listener", "--workers", "2")
        eventually(
            lambda: len(lines(listener, "rabbitmq.listening")) == 2, "both have their queues"
        )
        with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
            channel = connection.channel()
            for number in range(200):
                channel.basic_publish("", f"{topic}.info", v1(message_id=f"m-{number}"))
        eventually(lambda: store.counts().firings == 200, "every event fires")
        assert {line["worker"] for line in lines(listener, "rabbitmq.connected")} == {1, 2}
        assert listener.terminate() == 0
    assert not any(is_running(pid) for pid in workers_of(listener).values())


def test_a_worker_that_is_killed_is_started_anew(start: Start) -> None:
    listener = start("listener", "--workers", "2")
    connected(listener, 2)
    killed = workers_of(listener)[1]
    os.kill(killed, signal.SIGKILL)
    connected(listener, 3)
    (died,) = lines(listener, "worker.died")
    assert (died["number"], died["pid"], died["exit_code"]) == (1, killed, -signal.SIGKILL)
    assert workers_of(listener)[1] != killed
    assert listener.terminate() == 0


def test_workers_that_have_not_begun_yet_have_nothing_to_drain(start: Start) -> None:
    """A signal that comes before a worker takes signals ends it, and that is well."""
    listener = start("listener", "--workers", "2")
    eventually(lambda: len(workers_of(listener)) == 2, "both are being started")
    assert listener.terminate() == 0
    assert lines(listener, "worker.drained_badly") == []


def test_workers_drain_when_their_parent_is_killed(start: Start) -> None:
    notifier = start("notifier", "--workers", "2")
    eventually(lambda: len(lines(notifier, "notifier.started")) == 2, "both notifiers start")
    pids = workers_of(notifier).values()
    notifier.kill()
    eventually(lambda: not any(map(is_running, pids)), "the workers end")
    assert len(lines(notifier, "process.stopped")) == 2


def test_sighup_reaches_every_worker(start: Start) -> None:
    listener = start("listener", "--workers", "2")
    connected(listener, 2)
    listener.signal(signal.SIGHUP)
    eventually(lambda: len(lines(listener, "configuration.reloaded")) == 2, "both reload")
    assert listener.terminate() == 0


def test_a_configuration_that_no_worker_takes_ends_the_parent_with_2(
    start: Start, tmp_path: Path
) -> None:
    pipelines = tmp_path / "pipelines.yaml"
    pipelines.write_text("sources: []\n")
    refused = start("listener", "--workers", "2", TOCSIN_ROUTING_PIPELINES=str(pipelines))
    assert refused.wait() == 2
    assert "sinks" in str(refused.log())


def test_only_the_first_worker_takes_http(start: Start) -> None:
    """One port can be had by one process; the others would fail for ever."""
    listener = start(
        "listener", "--workers", "2", TOCSIN_HTTP_ENABLED="true", TOCSIN_HTTP_PORT="0"
    )
    connected(listener, 2)
    assert [line["worker"] for line in lines(listener, "http.listening")] == [1]
    assert listener.terminate() == 0


@pytest.mark.parametrize("workers", ["0", "-1", "x"])
def test_a_count_that_is_none_is_refused(workers: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "notifier", "--workers", workers],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"--workers" in done.stderr
