"""What every publisher promises, on the real servers: it takes events, tells when it could not,
waits no longer than it says, comes back after a break, shows no secret and can be closed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kombu
import pika
import pytest
import redis

from pipeline import publishers
from pipeline.errors import PublishFailed
from pipeline.masking import mask_url
from pipeline.publishers.base import Publisher

from builders import an_event
from publishers.sinks import QUICK, Posted, Wire, a_wire, ids, silence

REDIS = {
    "variable": "TOCSIN_TEST_REDIS_URL",
    "default": "redis://127.0.0.1:6379/0",
    "promises": "events reach a real Redis",
    "start": "docker run -d -p 6379:6379 redis   (or: apt-get install redis-server)",
}


@dataclass
class Sink:
    """A sink behind a wire. `url_at(port)` is its URL through a port; `taken` the ids in it."""

    url_at: Callable[[int], str]
    taken: Callable[[], list[str]]
    wire: Wire

    def publisher(self, port: int | None = None) -> Publisher:
        return publishers.from_url(self.url_at(port or self.wire.port), QUICK)


class Rabbit:
    """Reads a queue of the real broker."""

    def __init__(self, amqp_url: str, queue: str) -> None:
        self._queue = queue
        self._connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
        self._channel = self._connection.channel()

    def declare(self) -> None:
        self._channel.queue_declare(self._queue)

    def bodies(self) -> list[Any]:
        bodies = []
        while (got := self._channel.basic_get(self._queue, auto_ack=True))[2] is not None:
            bodies.append(json.loads(got[2]))
        return bodies

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def amqp_sink(amqp_url: str, topic: str, stack: ExitStack) -> Sink:
    parts = urlsplit(amqp_url)
    queue = f"{topic}.info"
    rabbit = Rabbit(amqp_url, queue)
    stack.callback(rabbit.close)
    rabbit.declare()
    return Sink(
        lambda port: (
            f"amqp://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"
            f"?routing_key={queue}"
        ),
        lambda: [body["message_id"] for body in rabbit.bodies()],
        stack.enter_context(a_wire(parts.hostname or "", parts.port or 5672)),
    )


@pytest.fixture
def notifier_sink(amqp_url: str, topic: str, stack: ExitStack) -> Sink:
    parts = urlsplit(amqp_url)
    rabbit = Rabbit(amqp_url, f"{topic}.sample")
    stack.callback(rabbit.close)

    def taken() -> list[str]:
        inner = [json.loads(body["oslo.message"]) for body in rabbit.bodies()]
        return [event["message_id"] for message in inner for event in message["payload"]]

    return Sink(
        lambda port: (
            f"notifier://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"
            f"?topic={topic}&exchange={topic}"
        ),
        taken,
        stack.enter_context(a_wire(parts.hostname or "", parts.port or 5672)),
    )


@pytest.fixture
def http_sink(stack: ExitStack) -> Sink:
    posted = Posted()
    stack.callback(posted.close)
    return Sink(
        lambda port: f"http://user:s3cret@127.0.0.1:{port}/hook?timeout=0.5&max_retries=1&q=1",
        lambda: [event["message_id"] for body in posted.bodies() for event in body],
        stack.enter_context(a_wire("127.0.0.1", posted.port)),
    )


@pytest.fixture
def redis_sink(stack: ExitStack, skip_without: Callable[..., Any]) -> Sink:
    client = redis.Redis.from_url(REDIS["default"], socket_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        skip_without(error, **REDIS)
    queue = f"tocsin_test_{uuid.uuid4().hex[:12]}"
    stack.callback(client.delete, queue, f"_kombu.binding.{queue}")
    address = client.connection_pool.connection_kwargs

    def taken() -> list[str]:
        with kombu.Connection(REDIS["default"]) as connection, connection.channel() as channel:
            got = []
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                got.append(json.loads(message.body)["message_id"])
        return got

    return Sink(
        lambda port: f"redis://127.0.0.1:{port}/0?queue={queue}",
        taken,
        stack.enter_context(a_wire(address["host"], address["port"])),
    )


SINKS = ["amqp_sink", "notifier_sink", "http_sink", "redis_sink"]


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest) -> Sink:
    """Each in turn."""
    sink: Sink = request.getfixturevalue(request.param)
    return sink


def test_it_takes_events_in_their_order(sink: Sink) -> None:
    publisher = sink.publisher()
    events = [an_event(host=f"h{number}") for number in range(30)]

    publisher.publish(events[:10])
    publisher.publish(events[10:])
    publisher.close()

    assert sink.taken() == ids(events)


def test_a_connection_that_broke_unused_costs_no_event(sink: Sink) -> None:
    publisher = sink.publisher()
    events = [an_event(), an_event()]

    publisher.publish(events[:1])
    sink.wire.cut()
    publisher.publish(events[1:])
    publisher.close()

    assert sink.taken() == ids(events)


def test_a_sink_that_is_away_is_told_without_its_secrets(sink: Sink) -> None:
    publisher = sink.publisher(port := sink.wire.port)
    sink.wire.close()

    with pytest.raises(PublishFailed) as caught:
        publisher.publish([an_event()])

    assert mask_url(str(caught.value)) == str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert str(port) in str(caught.value)


def test_a_sink_that_never_answers_is_given_up_in_time(sink: Sink) -> None:
    with silence() as port:
        publisher = sink.publisher(port)

        with pytest.raises(PublishFailed):
            publisher.publish([an_event()])
        publisher.close()


def test_it_can_be_closed_unused_and_used_after_closing(sink: Sink) -> None:
    publisher = sink.publisher()
    event = an_event()

    publisher.close()
    publisher.publish([event])
    publisher.close()
    publisher.close()

    assert sink.taken() == [event.message_id]


def test_an_event_of_any_content_goes_out(sink: Sink) -> None:
    """Halves of surrogate pairs, numbers that JSON has not, integers beyond 64 bits."""
    event = an_event(
        host="\ud800 ☃\x00", ratio=float("nan"), vcpus=2**70, raw={"payload": {"k": [2**70]}}
    )
    publisher = sink.publisher()

    publisher.publish([event, other := an_event()])
    publisher.close()

    assert sink.taken() == ids([event, other])


def test_a_folder_takes_events_through_kombu(tmp_path: Path) -> None:
    publisher = publishers.from_url(
        f"filesystem://?queue=events&data_folder_in={tmp_path}&data_folder_out={tmp_path}"
        f"&control_folder={tmp_path}/control"
    )

    publisher.publish([an_event(), an_event()])
    publisher.close()

    assert len(list(tmp_path.glob("*.events.msg"))) == 2


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    publisher = publishers.from_url(
        f"filesystem://?queue=events&data_folder_out={tmp_path}/none&data_folder_in={tmp_path}"
    )

    with pytest.raises(PublishFailed):
        publisher.publish([an_event()])


def test_an_exchange_of_kombus_brings_event_types_to_their_queue() -> None:
    name = uuid.uuid4().hex
    publisher = publishers.from_url(
        f"memory://?exchange={name}&queue={name}.users&routing_key=identity.user.%23"
    )
    assert publisher.url.startswith("memory://")
    publisher.close()
