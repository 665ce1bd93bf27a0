"""Composite alarms with real processes: two listeners, a notifier, commands and a receiver."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pika

from pipeline.receiver import Receiver

from messages import v1
from processes import TocsinProcess, tocsin
from waiting import eventually

RULE = {"and": [{"alarm": "uplink down"}, {"type": "event", "event_type": "standby.failed"}]}


def test_events_of_two_listeners_and_a_person_move_a_composite_alarm_once_each(
    postgresql_url: str, amqp_url: str, topic: str, tmp_path: Path
) -> None:
    """alarms 5: by events to alarm, and back to ok by what a person does to a leaf."""
    environment = {
        "TOCSIN_DATABASE_URL": postgresql_url,
        "TOCSIN_RABBITMQ_URLS": amqp_url,
        "TOCSIN_RABBITMQ_TOPICS": topic,
        "TOCSIN_RABBITMQ_EXCHANGES": topic,
    }

    def run(*arguments: str) -> str:
        return tocsin(*arguments, environment=environment)

    def state() -> str:
        return run("alarm", "state", "get", "no way out", "-f", "value").strip()

    with ExitStack() as open:
        receiver = open.enter_context(Receiver())
        connection = open.enter_context(pika.BlockingConnection(pika.URLParameters(amqp_url)))
        channel = connection.channel()
        run("alarm", "create", "--name", "uplink down", "--event-type", "uplink.down")
        started = [
            open.enter_context(
                TocsinProcess(name, environment=environment, log_path=tmp_path / f"{name}{at}")
            )
            for at, name in enumerate(("listener", "listener", "notifier"))
        ]
        for listener in started[:2]:
            listener.wait_for_log("rabbitmq.listening")
        hooks = [("--alarm-action", "alarm"), ("--ok-action", "ok")]
        actions = [part for name, path in hooks for part in (name, f"{receiver.url}/{path}")]
        run("alarm", "create", "--name", "no way out", "--composite-rule", json.dumps(RULE),
            *actions)  # fmt: skip
        for listener in started[:2]:
            listener.wait_for_log("alarms.changed")

        for number in range(20):
            for event_type in ("standby.failed", "uplink.down"):
                body = v1(event_type=event_type, message_id=f"{event_type}-{number}")
                channel.basic_publish("", f"{topic}.info", body)

        (fired,) = receiver.wait_for(1, 60)
        assert fired.path == "/alarm"
        body: dict[str, Any] = fired.json()
        assert (body["previous"], body["current"]) == ("insufficient data", "alarm")
        assert body["reason"] == (
            "Composite rule alarm with composition form: (rule1 and rule2) transition to alarm,"
            " due to rules: rule1, rule2 outside their threshold."
        )
        assert sorted(body["reason_data"]["causative_rules"]) == ["rule1", "rule2"]
        assert body["reason_data"]["event"]["event_type"] in ("standby.failed", "uplink.down")

        eventually(
            lambda: channel.queue_declare(f"{topic}.info", passive=True).method.message_count == 0,
            "all events are taken",
        )
        for listener in started[:2]:
            assert listener.terminate() == 0
        run("alarm", "state", "set", "uplink down", "--state", "ok")
        assert state() == "ok"
        ended = receiver.wait_for(2, 60)[1]
        assert (ended.path, ended.json()["previous"]) == ("/ok", "alarm")

        assert started[2].terminate() == 0
        history = json.loads(run("alarm", "history", "no way out", "-f", "json"))
        assert [line["type"] for line in history].count("state transition") == 2
        assert len(receiver.wait_for(2, 1)) == 2
