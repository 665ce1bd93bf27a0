"""`amqp`: messages that a real RabbitMQ has confirmed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed

from builders import a_delivery, a_notification
from publishers.sinks import a_wire
from targets.making import made, options_of


@pytest.fixture
def channel(amqp_url: str) -> Iterator[Any]:
    """A channel of whoever reads."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    yield connection.channel()
    connection.close()


@pytest.fixture
def queue(channel: Any) -> Iterator[str]:
    name = f"told-{uuid.uuid4().hex}"
    channel.queue_declare(name)
    yield name
    channel.queue_delete(name)


def broker(url: str) -> dict[str, str]:
    """The options that lead to the broker at a URL."""
    found: dict[str, str] = options_of("amqp", f"{url}?routing_key=x")
    return {
        name: value for name, value in found.items() if name in ("url", "username", "password")
    }


def test_a_message_in_a_queue_tells_all(amqp_url: str, channel: Any, queue: str) -> None:
    delivery = a_delivery(notification=a_notification(severity="critical"))
    with made("amqp", **broker(amqp_url), routing_key=queue) as target:
        outcome = target.deliver(delivery)

    _, properties, body = channel.basic_get(queue, auto_ack=True)
    assert outcome == Delivered()
    assert json.loads(body)["fields"]["traits"]["project_id"] == "p-1"
    assert properties.message_id == delivery.delivery_id
    assert (properties.type, properties.headers["severity"]) == ("alarm-transition", "critical")
    assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)


@pytest.mark.parametrize(
    ("routing_key", "expected"),
    [("", "alarm-transition.low"), ("cloud.{{ fields.current }}", "cloud.alarm")],
)
def test_an_exchange_gets_a_key_by_which_readers_choose(
    amqp_url: str, channel: Any, queue: str, routing_key: str, expected: str
) -> None:
    channel.exchange_declare(queue, "topic", auto_delete=True)
    channel.queue_bind(queue, queue, "#")
    with made("amqp", **broker(amqp_url), exchange=queue, routing_key=routing_key) as target:
        target.deliver(a_delivery())

    method, _, _ = channel.basic_get(queue, auto_ack=True)
    assert method.routing_key == expected


def test_where_nothing_takes_it_it_is_tried_again(amqp_url: str, channel: Any) -> None:
    missing = f"told-{uuid.uuid4().hex}"
    with made("amqp", **broker(amqp_url), routing_key=missing) as target:
        failed = target.deliver(a_delivery())
        channel.queue_declare(missing)
        delivered = target.deliver(a_delivery())
    channel.queue_delete(missing)

    assert isinstance(failed, Failed)
    assert missing in failed.reason
    assert isinstance(delivered, Delivered)


def test_an_exchange_that_is_missing_has_failed_too(amqp_url: str) -> None:
    with made("amqp", **broker(amqp_url), exchange=f"no-{uuid.uuid4().hex}") as target:
        outcome = target.deliver(a_delivery())

    assert isinstance(outcome, Failed)
    assert "no exchange" in outcome.reason.lower()


def test_many_threads_deliver_at_once(amqp_url: str, channel: Any, queue: str) -> None:
    deliveries = [a_delivery() for _ in range(100)]
    with (
        made("amqp", **broker(amqp_url), routing_key=queue) as target,
        ThreadPoolExecutor(4) as pool,
    ):
        assert set(pool.map(target.deliver, deliveries)) == {Delivered()}

    told = [channel.basic_get(queue, auto_ack=True)[1].message_id for _ in deliveries]
    assert sorted(told) == sorted(each.delivery_id for each in deliveries)


def test_a_connection_that_broke_meanwhile_is_made_anew(amqp_url: str, queue: str) -> None:
    parts = urlsplit(amqp_url)
    with a_wire(parts.hostname or "", parts.port or 5672) as wire:
        options = {**broker(amqp_url), "url": f"amqp://127.0.0.1:{wire.port}{parts.path}"}
        with made("amqp", **options, routing_key=queue) as target:
            before = target.deliver(a_delivery())
            wire.cut()
            after = target.deliver(a_delivery())
        assert wire.connections == 2

    assert before == after == Delivered()


def test_an_action_holds_all_of_it() -> None:
    action = "amqps://us%40er:p%2Fw@broker.example:5671/%2F?exchange=told&ca_bundle=/ca.pem"

    assert options_of("amqp", action) == {
        "url": "amqps://broker.example:5671/%2F",
        "username": "us@er",
        "password": "p/w",
        "exchange": "told",
        "routing_key": "",
        "ca_bundle": "/ca.pem",
    }


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("amqp://broker.example/", "Name a queue"),
        ("amqp:///vhost?routing_key=x", "Not a broker"),
        ("amqp://user@broker.example/?routing_key=x", "go together"),
        ("amqp://broker.example/?routing_kee=x", "Did you mean 'routing_key'"),
        ("amqp://broker.example:0/?routing_key=x", "Not a broker"),
    ],
)
def test_an_action_that_names_no_broker_is_refused(action: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        targets.check_action(action)
