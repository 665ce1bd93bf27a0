"""Messages come off RabbitMQ in batches, and are acknowledged once committed (delivery 1)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from pipeline.listeners.rabbitmq import RabbitmqListener

from listeners.contract import Feed, ListenerContract, RecordingWorker
from listeners.rabbitmq_broker import Broker, Log, a_listener, settings_for
from waiting import DEADLINE_SECONDS, eventually, running

BODIES = [b'{"n": %d}' % n for n in range(250)]


@pytest.fixture
def broker(amqp_url: str) -> Broker:
    return Broker(amqp_url)


@pytest.fixture(params=["classic", "quorum"])
def queue(request: pytest.FixtureRequest, broker: Broker, topic: str) -> str:
    """A queue of each type in turn, as the services would have declared it."""
    name = f"{topic}.info"
    broker.declare(name, durable=True, arguments={"x-queue-type": request.param})
    return name


class QueueFeed:
    """A queue. RabbitMQ tells only how many messages are ready, so acknowledgements are noted."""

    def __init__(self, url: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url, self._topic = url, topic
        self._sent = 0
        self._acknowledged: dict[int, int] = {}
        real = BlockingChannel.basic_ack

        def basic_ack(channel: Any, delivery_tag: int = 0, multiple: bool = False) -> None:
            real(channel, delivery_tag, multiple)
            assert multiple
            self._acknowledged[id(channel)] = delivery_tag

        monkeypatch.setattr(BlockingChannel, "basic_ack", basic_ack)

    def listener(self, worker: RecordingWorker) -> RabbitmqListener[Any]:
        return a_listener(self._url, settings_for(self._topic), worker)

    def send(self, bodies: Sequence[bytes]) -> None:
        queue = f"{self._topic}.info"
        Broker(self._url).declare(queue)
        Broker(self._url).send(queue, bodies)
        self._sent += len(bodies)

    def unacknowledged(self) -> int:
        return self._sent - sum(self._acknowledged.values())


class TestTheContract(ListenerContract):
    @pytest.fixture
    def feed(self, amqp_url: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> Feed:
        return QueueFeed(amqp_url, topic, monkeypatch)


def test_a_batch_has_at_most_its_size_and_keeps_the_order(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    worker = RecordingWorker()
    broker.send(queue, BODIES)
    with running(a_listener(amqp_url, settings_for(topic, batch_size=100), worker)):
        eventually(lambda: len(worker.committed) == len(BODIES), "all committed")
    assert [message.body for message in worker.committed] == BODIES
    assert max(worker.batches) <= 100


def test_a_lone_message_does_not_wait_for_its_batch_to_fill(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    worker = RecordingWorker()
    settings = settings_for(topic, batch_size=100, batch_wait_seconds=3600.0)
    broker.send(queue, BODIES[:1])
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: len(worker.committed) == 1, "the lone message")
    assert worker.batches == [1]


def test_after_stop_no_acknowledged_message_is_left_in_the_queue(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    """Closing right after the last acknowledgement left some in quorum queues."""
    worker = RecordingWorker(decisive=False)
    broker.send(queue, BODIES * 8)
    listener = a_listener(amqp_url, settings_for(topic), worker)
    with running(listener):
        eventually(lambda: len(worker.decided) >= len(BODIES) * 8, "all decided")
    assert broker.ready(queue) == 0


def test_stop_leaves_what_was_not_in_hand_to_the_queue(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    worker = RecordingWorker()
    worker.hold()
    broker.send(queue, BODIES)
    listener = a_listener(amqp_url, settings_for(topic, batch_size=10), worker)
    with running(listener):
        assert worker.committing.wait(DEADLINE_SECONDS)
        listener.stop()
        worker.release()
    in_hand = len(worker.committed)
    assert 0 < in_hand <= 10
    eventually(lambda: broker.ready(queue) == len(BODIES) - in_hand, "the others are back")


def test_prefetch_bounds_what_is_held_while_a_commit_waits(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    worker = RecordingWorker()
    worker.hold()
    broker.send(queue, BODIES)
    settings = settings_for(topic, batch_size=10, prefetch=40)
    with running(a_listener(amqp_url, settings, worker)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        eventually(lambda: broker.ready(queue) == len(BODIES) - 40, "40 are held")
        worker.release()
        eventually(lambda: len(worker.committed) == len(BODIES), "all committed")


def test_one_acknowledgement_covers_a_batch_from_several_queues(
    amqp_url: str, broker: Broker, topic: str
) -> None:
    queues = [f"{topic}.{priority}" for priority in ("info", "error", "sample")]
    worker = RecordingWorker(decisive=False)
    for queue in queues:
        broker.declare(queue)
        broker.send(queue, BODIES)
    settings = settings_for(topic, priorities=("info", "error", "sample"))
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: len(worker.decided) == 3 * len(BODIES), "all decided")
    assert {message.source.split()[-1] for message in worker.decided} == set(queues)
    assert [broker.ready(queue) for queue in queues] == [0, 0, 0]


def test_a_message_has_its_origin_type_and_only_headers_that_it_has(
    amqp_url: str, broker: Broker, topic: str
) -> None:
    queue = f"{topic}.info"
    worker = RecordingWorker()
    compressed = pika.BasicProperties(
        content_type="application/json", headers={"compression": "application/x-gzip"}
    )
    broker.declare(queue)
    broker.exchange(topic)
    with running(a_listener(amqp_url, settings_for(topic), worker)):
        eventually(lambda: broker.consumers(queue) == 1, "it listens")
        broker.publish(topic, queue, b"{}")
        broker.send(queue, [b"x\x9c"], compressed)
        eventually(lambda: len(worker.committed) == 2, "both committed")
    plain, packed = worker.committed
    assert (plain.body, plain.content_type, plain.headers) == (b"{}", "application/json", None)
    assert plain.source.endswith(f"/ {topic} {queue}")
    assert packed.headers == {"compression": "application/x-gzip"}


class InMilliseconds(datetime):
    """A timestamp as senders write it that mistake the unit."""

    def utctimetuple(self) -> Any:
        return (1970, 1, 1, 0, 0, 1_700_000_000_000)


@pytest.mark.parametrize(
    "properties",
    [
        pika.BasicProperties(headers={"sent": InMilliseconds(2026, 1, 2), "n": 1}),
        pika.BasicProperties(headers={"all": [{"sent": InMilliseconds(2026, 1, 2)}]}),
        pika.BasicProperties(timestamp=2**64 - 1),
        pika.BasicProperties(content_type=b"\xff\xfe", headers={"word": b"\xff"}),
    ],
    ids=["timestamp", "timestamp-inside", "property", "not-utf-8"],
)
def test_properties_that_cannot_be_read_do_not_block_the_queue(
    amqp_url: str, broker: Broker, topic: str, queue: str, properties: pika.BasicProperties
) -> None:
    worker = RecordingWorker()
    broker.send(queue, [b"odd"], properties)
    broker.send(queue, [b"next"])
    with running(a_listener(amqp_url, settings_for(topic), worker)):
        eventually(lambda: len(worker.committed) == 2, "both committed")
    odd = worker.committed[0]
    assert odd.body == b"odd"
    assert isinstance(odd.content_type, str | None)
    if properties.headers and "n" in properties.headers:
        assert odd.headers == {"sent": 1_700_000_000_000, "n": 1}


def test_listeners_on_several_brokers_run_side_by_side(
    amqp_url: str, broker: Broker, topic: str
) -> None:
    """events-in 7; two connections to one broker here, each with a queue of its own."""
    workers = [RecordingWorker(), RecordingWorker()]
    for priority in ("info", "error"):
        broker.declare(f"{topic}.{priority}")
        broker.send(f"{topic}.{priority}", BODIES)
    first, second = (
        a_listener(amqp_url, settings_for(topic, priorities=(priority,)), worker)
        for priority, worker in zip(("info", "error"), workers, strict=True)
    )
    with running(first), running(second):
        eventually(lambda: all(len(w.committed) == len(BODIES) for w in workers), "both got all")
    assert broker.ready(f"{topic}.info") == broker.ready(f"{topic}.error") == 0


def test_decide_runs_in_the_listeners_thread_and_commit_in_one_other(
    amqp_url: str, broker: Broker, topic: str
) -> None:
    names: dict[str, set[str]] = {"decide": set(), "commit": set()}

    class Noting(RecordingWorker):
        def decide(self, messages: Any) -> Any:
            names["decide"].add(threading.current_thread().name)
            return super().decide(messages)

        def commit(self, decisions: Any) -> None:
            names["commit"].add(threading.current_thread().name)
            super().commit(decisions)

    worker = Noting()
    broker.declare(f"{topic}.info")
    broker.send(f"{topic}.info", BODIES)
    with running(a_listener(amqp_url, settings_for(topic, batch_size=10), worker)) as thread:
        eventually(lambda: len(worker.committed) == len(BODIES), "all committed")
    assert names["decide"] == {thread.name}
    assert len(names["commit"]) == 1
    assert names["commit"] != names["decide"]


def test_a_bug_in_the_worker_ends_run_and_the_batch_goes_back(
    amqp_url: str, broker: Broker, topic: str
) -> None:
    class Broken(RecordingWorker):
        def commit(self, decisions: Any) -> None:
            raise OSError("a bug, and no lost connection")

    broker.declare(f"{topic}.info")
    broker.send(f"{topic}.info", BODIES)
    with pytest.raises(OSError, match="a bug"):
        a_listener(amqp_url, settings_for(topic), Broken()).run()
    eventually(lambda: broker.ready(f"{topic}.info") == len(BODIES), "all are back")


def test_stop_is_heeded_while_no_broker_answers(topic: str) -> None:
    log = Log()
    url = "amqp://tocsin:s3cret@127.0.0.1:9/%2F"
    with running(a_listener(url, settings_for(topic), RecordingWorker(), log)):
        eventually(lambda: len(log.lines("rabbitmq.unavailable")) >= 2, "it tries again")
    line = log.lines("rabbitmq.unavailable")[0]
    assert (line["log_level"], line["reason"]) == ("warning", "Connection refused")
    assert "s3cret" not in log.text()
