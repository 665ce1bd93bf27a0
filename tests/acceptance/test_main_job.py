"""The main job, end to end, in processes of their own: Keystone's events in, Aodh's callbacks out.

Real RabbitMQ, real oslo.messaging and pycadf, real HTTP; on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from pipeline.receiver import Callback, Receiver

from keystone import Keystone
from processes import TocsinProcess, tocsin
from waiting import eventually


@pytest.fixture
def environment(database_url: str, amqp_url: str, topic: str) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_RABBITMQ_URLS": amqp_url,
        "TOCSIN_RABBITMQ_EXCHANGES": topic,
        "TOCSIN_RABBITMQ_TOPICS": topic,
        "TOCSIN_HTTP_ENABLED": "false",
        "TOCSIN_DELIVERY_POLL_SECONDS": "0.1",
    }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[list[TocsinProcess]]:
    """A listener and a notifier, each a process, both ready."""
    with (
        TocsinProcess(
            "listener", environment=environment, log_path=tmp_path / "l.log"
        ) as listener,
        TocsinProcess(
            "notifier", environment=environment, log_path=tmp_path / "n.log"
        ) as notifier,
    ):
        listener.wait_for_log("rabbitmq.listening")
        notifier.wait_for_log("process.started")
        yield [listener, notifier]


def create_alarm(environment: dict[str, str], url: str, **options: str) -> dict[str, Any]:
    """`tocsin alarm create`, as a person would for the seed scenario."""
    arguments = ["alarm", "create", "--name", "user deleted", "--type", "event"]
    arguments += ["--event-type", "identity.user.deleted", "--alarm-action", url]
    arguments += ["--query", "traits.outcome=string::success", "-f", "json"]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    created: dict[str, Any] = json.loads(tocsin(*arguments, environment=environment))
    return created


def expected_body(callback: Callback, alarm: dict[str, Any], payload: dict[str, Any]) -> bytes:
    """Aodh's body for that event (alarms 12, 14), written down here by hand.

    Only what nobody but the sender knows (message id, time of sending) is read from the callback.
    """
    event = callback.json()["reason_data"]["event"]
    traits = {name: (dtype, value) for name, dtype, value in event["traits"]}
    assert traits["resource_id"] == (1, payload["resource_info"])
    assert traits["initiator_id"] == (1, payload["initiator"]["id"])
    assert traits["project_id"] == (1, payload["initiator"]["project_id"])
    assert traits["outcome"] == (1, "success")
    assert traits["reason"] == (1, "HTTP")
    assert traits["service"] == (1, "identity.keystone-1")
    assert traits["priority"] == (1, "info")
    assert uuid.UUID(event["message_id"])
    query = '[{"field": "traits.outcome", "op": "eq", "type": "string", "value": "success"}]'
    reason = (
        f"Event <id={event['message_id']},event_type=identity.user.deleted> "
        f"hits the query <query={query}>."
    )
    reason_data = {
        "type": "event",
        "event": {
            "message_id": event["message_id"],
            "event_type": "identity.user.deleted",
            "generated": event["generated"],
            "traits": event["traits"],
            "raw": {},
        },
    }
    body = {
        "alarm_name": "user deleted",
        "alarm_id": alarm["alarm_id"],
        "severity": "low",
        "previous": "insufficient data",
        "current": "alarm",
        "reason": reason,
        "reason_data": reason_data,
    }
    return json.dumps(body).encode()


@pytest.mark.parametrize("driver", ["messagingv2", "messaging"])
def test_keystone_user_deleted_reaches_the_receiver_as_aodh_would_tell_it(
    driver: str,
    environment: dict[str, str],
    running: list[TocsinProcess],
    receiver: Receiver,
    amqp_url: str,
    topic: str,
) -> None:
    """events-in 1, alarms 12 and 14, delivery 3; SIGTERM then drains both to exit 0."""
    alarm = create_alarm(environment, f"{receiver.url}/user-deleted")
    keystone = Keystone(amqp_url, topic, topic, driver=driver)
    wait_until_in_force(environment, running[0])

    keystone.user_deleted("failed-user", outcome="failure")
    payload = keystone.user_deleted("gone-user")
    keystone.close()

    (callback,) = receiver.wait_for(1, timeout_seconds=30)
    assert (callback.method, callback.path) == ("POST", "/user-deleted")
    assert callback.body == expected_body(callback, alarm, payload)
    assert callback.headers["content-type"] == "application/json"
    assert callback.headers["x-openstack-request-id"].startswith("req-")
    assert uuid.UUID(callback.headers["x-openstack-request-id"].removeprefix("req-"))
    assert uuid.UUID(callback.headers["webhook-id"])
    assert json.loads(tocsin("alarm", "state", "get", "user deleted", "-f", "json",
                             environment=environment)) == {"state": "alarm"}  # fmt: skip
    assert [process.terminate() for process in running] == [0, 0]
    assert len(receiver.callbacks) == 1


def test_alarm_is_silent_until_its_state_is_set_back(
    environment: dict[str, str],
    running: list[TocsinProcess],
    receiver: Receiver,
    amqp_url: str,
    topic: str,
) -> None:
    """alarms 11 and 13, without repeat_actions."""
    create_alarm(environment, receiver.url)
    keystone = Keystone(amqp_url, topic, topic)
    wait_until_in_force(environment, running[0])
    keystone.user_deleted("first")
    receiver.wait_for(1, timeout_seconds=30)
    keystone.user_deleted("second")
    eventually(lambda: queue_is_empty(amqp_url, topic), "the second event is taken")
    tocsin("alarm", "state", "set", "user deleted", "--state", "ok", environment=environment)
    wait_until_in_force(environment, running[0])
    keystone.user_deleted("third")
    callbacks = receiver.wait_for(2, timeout_seconds=30)
    keystone.close()
    told = [callback.json() for callback in callbacks]
    users = [{t[0]: t[2] for t in c["reason_data"]["event"]["traits"]} for c in told]
    assert [user["resource_id"] for user in users] == ["first", "third"]
    assert [c["previous"] for c in told] == ["insufficient data", "ok"]


def wait_until_in_force(environment: dict[str, str], listener: TocsinProcess) -> None:
    """Until the listener has taken over the newest alarm changes."""
    revision = json.loads(tocsin("status", "-f", "json", environment=environment))["revision"]

    def in_force() -> bool:
        seen = [line.get("revision", 0) for line in listener.log()
                if line.get("event") in ("alarms.loaded", "alarms.changed")]  # fmt: skip
        return max(seen, default=0) >= revision

    eventually(in_force, f"revision {revision} in force")


def queue_is_empty(amqp_url: str, topic: str) -> bool:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    declared = connection.channel().queue_declare(f"{topic}.info", passive=True)
    connection.close()
    return bool(declared.method.message_count == 0)
