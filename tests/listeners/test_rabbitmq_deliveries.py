"""Deliveries read off the bytes are those that pika reads, and pika gets all the rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec
from pika.exceptions import BodyTooLongError

from pipeline.listeners.rabbitmq import deliveries
from pipeline.listeners.rabbitmq.consumer import Consumer
from pipeline.listeners.rabbitmq.deliveries import Delivery, DeliveryReader, properties_of

from listeners.contract import RecordingWorker
from listeners.rabbitmq_broker import Broker, Log, a_listener, settings_for
from waiting import eventually, running

CHANNEL, OTHER = 1, 2

# --- streams of frames -----------------------------------------------------------------------

short = st.text(max_size=20)
properties = st.builds(
    spec.BasicProperties,
    content_type=st.none() | st.just("application/json") | short,
    headers=st.none() | st.dictionaries(short, st.integers(-9, 9) | short, max_size=3),
    delivery_mode=st.sampled_from([None, 1, 2]),
    message_id=st.none() | short,
)


@st.composite
def delivered(draw: st.DrawFn) -> list[bytes]:
    """The frames of one delivery, what may come between them included."""
    method = spec.Basic.Deliver(
        draw(short), draw(st.integers(1, 2**40)), draw(st.booleans()), draw(short), draw(short)
    )
    body = draw(st.binary(max_size=60))
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(body) - 1)), max_size=2, unique=True)))
    edges = [0, *[cut for cut in cuts if cut < len(body)], len(body)]
    parts = [body[a:b] for a, b in itertools.pairwise(edges) if b > a]
    frames = [
        frame.Method(CHANNEL, method).marshal(),
        frame.Header(CHANNEL, len(body), draw(properties)).marshal(),
        *[frame.Body(CHANNEL, part).marshal() for part in parts],
    ]
    return [piece for each in frames for piece in (*draw(st.lists(elsewhere, max_size=1)), each)]


elsewhere = st.one_of(
    st.just(frame.Heartbeat().marshal()),
    st.just(frame.Method(OTHER, spec.Channel.OpenOk()).marshal()),
    st.binary(max_size=20).map(lambda body: frame.Body(OTHER, body).marshal()),
)
of_the_channel = st.sampled_from(
    [spec.Basic.QosOk(), spec.Basic.ConsumeOk("me"), spec.Channel.Close(404, "gone", 0, 0)]
).map(lambda method: [frame.Method(CHANNEL, method).marshal()])
streams = st.lists(delivered() | of_the_channel | elsewhere.map(lambda one: [one]), max_size=6)


def as_pika_reads(stream: bytes) -> tuple[list[Delivery], list[bytes]]:
    """Deliveries on the channel, and the other frames."""
    found, others, at = [], [], 0
    method: Any = None
    header: Any = None
    body = b""
    while at < len(stream):
        size, read = frame.decode_frame(stream[at:])
        if read.channel_number == CHANNEL and isinstance(read, frame.Header):
            header, body = read, b""
        elif read.channel_number == CHANNEL and isinstance(read, frame.Body):
            body += read.fragment
        elif read.channel_number == CHANNEL and isinstance(read.method, spec.Basic.Deliver):
            method, header = read.method, None
        else:
            others.append(stream[at : at + size])
        if header is not None and len(body) == header.body_size:
            route = (method.exchange, method.routing_key)
            known = properties_of(header.properties)
            found.append(Delivery(method.delivery_tag, route, known, body))
            header = None
        at += size
    return found, others


def fed(pieces: Sequence[bytes]) -> tuple[list[Delivery], list[bytes], int]:
    taken: list[Delivery] = []
    passed: list[bytes] = []
    reader = DeliveryReader(CHANNEL, taken.append, passed.append)
    count = sum(reader.feed(piece) for piece in pieces)
    return taken, passed, count


@given(streams, st.lists(st.integers(0, 600), max_size=8))
def test_however_the_bytes_are_cut_it_reads_what_pika_reads(
    frames: list[list[bytes]], cuts: list[int]
) -> None:
    stream = b"".join(each for group in frames for each in group)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    taken, passed, count = fed(pieces)
    assert (taken, passed) == as_pika_reads(stream)
    # pika's heartbeats count every byte once, be it ours or its own.
    assert count + sum(map(len, passed)) == len(stream)


def test_a_frame_without_its_end_is_left_to_pika_to_refuse() -> None:
    method = spec.Basic.Deliver("me", 1, False, "x", "y")
    broken = frame.Method(CHANNEL, method).marshal()[:-1] + b"\0"
    assert fed([broken]) == ([], [broken], 0)


def test_a_body_longer_than_was_said_ends_the_connection() -> None:
    method = spec.Basic.Deliver("me", 1, False, "x", "y")
    frames = [
        frame.Method(CHANNEL, method),
        frame.Header(CHANNEL, 2, spec.BasicProperties()),
        frame.Body(CHANNEL, b"three"),
    ]
    with pytest.raises(BodyTooLongError):
        fed([each.marshal() for each in frames])


# --- with pika on a broker -------------------------------------------------------------------

BODIES = [b'{"n": 1}', b"", b"x" * 300_000, b'{"n": 2}']


@pytest.fixture
def queue(amqp_url: str, topic: str) -> Iterator[str]:
    name = f"{topic}.info"
    Broker(amqp_url).declare(name, durable=True)
    yield name
    Broker(amqp_url).delete(name)


def test_this_pika_is_as_it_is_known(
    amqp_url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when a new pika changes inside: the listener then works, at its old speed."""
    Broker(amqp_url).send(queue, BODIES)
    called: list[object] = []
    monkeypatch.setattr(Consumer, "_on_message", lambda *arguments: called.append(arguments))
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        assert hasattr(connection._impl._transport, "_MAX_RECV_BYTES")
        consumer = Consumer(connection, settings_for("any"), "here", Log())
        consumer.consume(queue)
        received: list[bytes] = []

        def all_there() -> bool:
            batch = consumer.next_batch()
            received.extend(message.body for message in batch.messages) if batch else None
            return len(received) == len(BODIES)

        eventually(all_there, "all delivered")
        before = connection._impl.bytes_received
        consumer.finish()
        assert connection._impl.bytes_received > before > sum(map(len, BODIES))
    assert received == BODIES
    assert called == []


def test_a_pika_that_is_another_inside_delivers_by_its_callbacks(
    amqp_url: str, topic: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_USED", ("_on_data_available", "_not_there"))
    Broker(amqp_url).send(queue, BODIES)
    worker = RecordingWorker()
    with running(a_listener(amqp_url, settings_for(topic), worker)):
        eventually(lambda: len(worker.committed) == len(BODIES), "all committed")
    assert [message.body for message in worker.committed] == BODIES
    assert {message.source.rpartition(" ")[2] for message in worker.committed} == {queue}
