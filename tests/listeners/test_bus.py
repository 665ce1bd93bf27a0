"""Messages come in over any transport of kombu's, and are acknowledged once committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import confluent_kafka
import pytest
from kombu import Exchange

from pipeline.errors import InvalidValue
from pipeline.listeners.bus import BusListener, BusSettings
from pipeline.listeners.bus.connection import check, connection, name_of
from pipeline.listeners.bus.folder import FolderSource
from pipeline.observer import Pulse

from listeners.contract import Feed, ListenerContract, RecordingWorker
from listeners.rabbitmq_broker import Broker, Log
from listeners.redis_server import OwnRedis
from publishers.sinks import Wire
from waiting import DEADLINE_SECONDS, eventually, running


def settings_for(queue: str, **changes: Any) -> BusSettings:
    """Settings for one queue, quick to ask and to come back."""
    defaults: dict[str, Any] = {
        "queues": (queue,),
        "poll_seconds": 0.005,
        "reconnect_min_seconds": 0.05,
        "reconnect_max_seconds": 0.4,
    }
    return BusSettings(**{**defaults, **changes})


def a_listener(
    url: str, settings: BusSettings, worker: Any, log: Log | None = None
) -> BusListener[Any]:
    """A listener on this bus."""
    return BusListener(settings, url, worker, log=(log or Log()).logger, jitter=lambda: 0.0)


def send(url: str, settings: BusSettings, bodies: Sequence[bytes]) -> None:
    """Send through kombu, as its own publishers do."""
    with connection(url, settings) as bus:
        producer = bus.Producer(serializer=None)
        for queue in settings.queues:
            for body in bodies:
                producer.publish(
                    body, routing_key=queue, content_type="application/json",
                    content_encoding="binary", delivery_mode=2,
                )  # fmt: skip


class BusFeed:
    """A queue. What is acknowledged is noted: not every transport can say it."""

    def __init__(self, url: str, settings: BusSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url, self._settings = url, settings
        self._sent = self._acknowledged = 0
        real = BusListener._source

        def source(listener: Any, bus: Any) -> Any:
            made = real(listener, bus)
            acknowledge = made.acknowledge

            def noted(batch: Any) -> None:
                acknowledge(batch)
                self._acknowledged += len(batch.messages)

            made.acknowledge = noted
            return made

        monkeypatch.setattr(BusListener, "_source", source)

    def listener(self, worker: RecordingWorker) -> BusListener[Any]:
        return a_listener(self._url, self._settings, worker)

    def send(self, bodies: Sequence[bytes]) -> None:
        if self._url.startswith("amqp"):
            Broker(self._url).declare(self._settings.queues[0], durable=True)
        send(self._url, self._settings, bodies)
        self._sent += len(bodies)

    def unacknowledged(self) -> int:
        return self._sent - self._acknowledged


@pytest.fixture
def queue() -> str:
    return f"tocsin_test_{uuid.uuid4().hex[:12]}"


class TestMemory(ListenerContract):
    @pytest.fixture
    def feed(self, queue: str, monkeypatch: pytest.MonkeyPatch) -> Feed:
        return BusFeed("memory://", settings_for(queue), monkeypatch)


class TestFilesystem(ListenerContract):
    @pytest.fixture
    def feed(self, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
        return BusFeed(f"filesystem://{tmp_path}", settings_for(queue), monkeypatch)


class TestRedis(ListenerContract):
    @pytest.fixture
    def feed(self, queue: str, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> Feed:
        return BusFeed(own_redis.url, settings_for(queue), monkeypatch)


class TestAmqp(ListenerContract):
    @pytest.fixture
    def feed(self, queue: str, amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
        yield BusFeed(amqp_url, settings_for(queue), monkeypatch)
        Broker(amqp_url).delete(queue)


def bus_url(kind: str, redis: OwnRedis, amqp_url: str, folder: Path) -> str:
    """The URL of a bus of this kind."""
    urls = {
        "redis": redis.url,
        "filesystem": f"filesystem://{folder}",
        "amqp": amqp_url,
        "memory": "memory://",
    }
    return urls[kind]


@pytest.mark.parametrize("kind", ["redis", "filesystem", "amqp", "memory"])
def test_it_tells_how_many_messages_wait(
    own_redis: OwnRedis, amqp_url: str, tmp_path: Path, queue: str, kind: str
) -> None:
    url = bus_url(kind, own_redis, amqp_url, tmp_path)
    settings = settings_for(queue, batch_size=1, prefetch=1)
    if kind == "amqp":
        Broker(url).declare(queue, durable=True)
    send(url, settings, [b"{}"] * 3)
    listener = a_listener(url, settings, RecordingWorker())
    not_sent_ahead = 2 if kind == "amqp" else 3

    with connection(url, settings) as bus:
        source = listener._source(bus)
        eventually(lambda: source.waiting() == {queue: not_sent_ahead}, "they are counted")
        source.close()
    assert listener.depths() == {}
    with running(listener):
        eventually(lambda: listener.depths().get(queue, 0) >= not_sent_ahead, "the listener, too")
    if kind == "amqp":
        Broker(url).delete(queue)


class Counted(Pulse):
    """Counts its beats."""

    beats = 0

    def beat(self) -> None:
        self.beats += 1


@pytest.mark.parametrize("kind", ["redis", "filesystem", "amqp", "memory"])
def test_its_pulse_beats_while_a_commit_waits_for_the_database(
    own_redis: OwnRedis, amqp_url: str, tmp_path: Path, queue: str, kind: str
) -> None:
    """Else /healthz would have it killed for an outage that a new start cannot end."""
    url = bus_url(kind, own_redis, amqp_url, tmp_path)
    settings = settings_for(queue)
    worker = RecordingWorker()
    listener = a_listener(url, settings, worker)
    listener.pulse = pulse = Counted()
    worker.hold()
    if kind == "amqp":
        Broker(url).declare(queue, durable=True)
    send(url, settings, [b"{}"])

    with running(listener):
        assert worker.committing.wait(DEADLINE_SECONDS)
        before = pulse.beats
        eventually(lambda: pulse.beats > before + 2, "it beats")
        worker.release()
    if kind == "amqp":
        Broker(url).delete(queue)


# --- Redis -----------------------------------------------------------------------------------


@contextmanager
def another_process(url: str, queue: str, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A listener in a process of its own, whose commit never ends; it prints what it took."""
    code = (
        "import sys, threading\n"
        "from pipeline.listeners.bus import BusListener, BusSettings\n"
        "class Stuck:\n"
        "    def decide(self, messages): return messages\n"
        "    def commit(self, messages):\n"
        "        print('took', len(messages), flush=True)\n"
        "        threading.Event().wait()\n"
        "settings = BusSettings(queues=(sys.argv[2],),"
        " visibility_timeout_seconds=float(sys.argv[3]))\n"
        "BusListener(settings, sys.argv[1], Stuck()).run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, queue, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kind", ["redis", "filesystem"])
def test_what_a_killed_listener_held_comes_to_another(
    own_redis: OwnRedis, tmp_path: Path, queue: str, kind: str
) -> None:
    """delivery 1: kill -9 during the commit"""
    url = own_redis.url if kind == "redis" else f"filesystem://{tmp_path}"
    settings, worker = settings_for(queue, visibility_timeout_seconds=1.0), RecordingWorker()
    bodies = [b'{"n": %d}' % n for n in range(20)]
    send(url, settings, bodies)
    with another_process(url, queue, 1.0) as process:
        assert process.stdout is not None
        assert b"took 20\n" in iter(process.stdout.readline, b"")
        process.kill()
        process.wait()
    with running(a_listener(url, settings, worker)):
        eventually(lambda: len(worker.committed) >= len(bodies), "what was held came again")
    assert sorted(message.body for message in worker.committed) == sorted(bodies)
    assert not list(tmp_path.rglob("*.msg"))
    assert own_redis.client().hlen("unacked") == 0


def test_listener_that_lives_keeps_what_it_holds(own_redis: OwnRedis, queue: str) -> None:
    """The commit takes longer than the visibility timeout, and nobody else gets the batch."""
    settings = settings_for(queue, visibility_timeout_seconds=1.0)
    slow, other = RecordingWorker(), RecordingWorker()
    slow.hold()
    send(own_redis.url, settings, [b"{}"])
    with running(a_listener(own_redis.url, settings, slow)):
        assert slow.committing.wait(DEADLINE_SECONDS)
        client = own_redis.client()
        ((tag, claimed),) = client.zrange("unacked_index", 0, -1, withscores=True)
        with running(a_listener(own_redis.url, settings, other)):
            eventually(
                lambda: (client.zscore("unacked_index", tag) or 0) > claimed + 1.5,
                "the claim is renewed beyond its first end",
            )
        slow.release()
        eventually(lambda: not client.hlen("unacked"), "acknowledged")
    assert not other.committed


def test_listener_comes_back_when_redis_does(own_redis: OwnRedis, queue: str) -> None:
    settings, worker, log = settings_for(queue), RecordingWorker(), Log()
    with running(a_listener(own_redis.url, settings, worker, log)):
        eventually(lambda: "bus.listening" in log.events, "it listens")
        own_redis.kill()
        eventually(lambda: "bus.unavailable" in log.events, "the loss is noticed")
        own_redis.start()
        send(own_redis.url, settings, [b"{}"])
        eventually(lambda: worker.committed, "the message that came afterwards")


def test_batch_whose_redis_died_during_the_commit_comes_again(
    own_redis: OwnRedis, queue: str
) -> None:
    """delivery 1"""
    settings, worker = settings_for(queue, visibility_timeout_seconds=1.0), RecordingWorker()
    worker.hold()
    send(own_redis.url, settings, [b"{}"])
    with running(a_listener(own_redis.url, settings, worker)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        own_redis.kill()
        worker.release()
        eventually(lambda: len(worker.committed) == 1, "committed")
        own_redis.start()
        eventually(lambda: len(worker.committed) == 2, "committed again")
        eventually(lambda: own_redis.client().hlen("unacked") == 0, "acknowledged")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"n": 1}',
        b"[1]",
        b"no JSON",
        b"5",
        b'{"properties": {}}',
        b'{"properties": {"delivery_tag": "1"}, "headers": null, "body": "{}"}',
        b'{"properties": {"delivery_tag": "1", "delivery_info": {}}, "headers": [], "body": "[]"}',
        b'{"properties": {"delivery_tag": "1", "delivery_info": 5}, "headers": {}, "body": "{}"}',
        b'{"properties": {"priority": "high", "delivery_info": {}}, "headers": {}}',
        "ü".encode(),
        b"\x1f\x8b\x00\xff packed",
    ],
)
def test_what_kombu_did_not_make_is_taken_as_it_is(
    own_redis: OwnRedis, queue: str, raw: bytes
) -> None:
    """`LPUSH notifications '{…}'`; also when it was given back once."""
    stopped, worker, settings = RecordingWorker(), RecordingWorker(), settings_for(queue)
    stopped.hold()
    own_redis.client().lpush(queue, raw)
    with running(listener := a_listener(own_redis.url, settings, stopped)):
        assert stopped.committing.wait(DEADLINE_SECONDS)
        listener.stop()
        stopped.stop()
    with running(a_listener(own_redis.url, settings, worker)):
        eventually(lambda: worker.committed, "the message")
    assert [message.body for message in worker.committed] == [stopped.decided[0].body]
    assert own_redis.client().hlen("unacked") == 0


def test_keys_may_have_a_prefix(own_redis: OwnRedis, queue: str) -> None:
    settings = settings_for(queue, transport_options={"global_keyprefix": "tocsin:"})
    worker = RecordingWorker()
    send(own_redis.url, settings, [b"{}"])
    assert own_redis.client().llen(f"tocsin:{queue}") == 1
    with running(a_listener(own_redis.url, settings, worker)):
        eventually(lambda: worker.committed, "the message")
        eventually(lambda: not own_redis.client().keys("*unacked*"), "acknowledged")


def test_queues_take_turns(own_redis: OwnRedis, queue: str) -> None:
    """A flood in one queue does not hold up the other."""
    settings = settings_for(queue, queues=(queue, f"{queue}-b"), batch_size=5)
    worker = RecordingWorker()
    send(own_redis.url, settings, [b"{}"] * 20)
    with running(a_listener(own_redis.url, settings, worker)):
        eventually(lambda: len(worker.committed) == 40, "all")
    first = {message.source for message in worker.committed[:10]}
    assert len(first) == 2


def test_queue_is_bound_to_its_exchange(own_redis: OwnRedis, queue: str) -> None:
    settings, worker, log = settings_for(queue, exchange="nova"), RecordingWorker(), Log()
    with running(a_listener(own_redis.url, settings, worker, log)):
        eventually(lambda: "bus.listening" in log.events, "it listens")
        with connection(own_redis.url, settings) as bus:
            exchange = Exchange("nova", type="topic")
            bus.Producer().publish({"n": 1}, exchange=exchange, routing_key=queue)
        eventually(lambda: worker.committed, "the message")
    assert json.loads(worker.committed[0].body) == {"n": 1}


# --- folders ---------------------------------------------------------------------------------


def test_listener_that_lives_keeps_the_files_that_it_holds(tmp_path: Path, queue: str) -> None:
    url = f"filesystem://{tmp_path}"
    settings = settings_for(queue, visibility_timeout_seconds=1.0)
    slow, other = RecordingWorker(), RecordingWorker()
    slow.hold()
    send(url, settings, [b"{}"])
    with running(a_listener(url, settings, slow)):
        assert slow.committing.wait(DEADLINE_SECONDS)
        (held,) = (tmp_path / "taken").rglob("*.msg")
        began = held.parent.stat().st_mtime
        with running(a_listener(url, settings, other)):
            eventually(lambda: held.parent.stat().st_mtime > began + 1.2, "its folder is touched")
        slow.release()
        eventually(lambda: not held.exists(), "acknowledged")
    assert not other.committed


def test_file_of_a_queue_whose_name_ends_alike_is_left(tmp_path: Path) -> None:
    worker = RecordingWorker()
    (tmp_path / "1.notifications.info.msg").write_bytes(b"1")
    (tmp_path / "2.info.msg").write_bytes(b"2")
    with running(a_listener(f"filesystem://{tmp_path}", settings_for("info"), worker)):
        eventually(lambda: worker.committed, "the message")
    assert [message.body for message in worker.committed] == [b"2"]
    assert (tmp_path / "1.notifications.info.msg").exists()


def test_file_that_is_being_written_is_left_until_it_is_whole(tmp_path: Path, queue: str) -> None:
    worker, path = RecordingWorker(), tmp_path / f"1.{queue}.msg"
    with running(a_listener(f"filesystem://{tmp_path}", settings_for(queue), worker)):
        with path.open("wb") as file:
            file.write(b'{"message_id": ')
            file.flush()
            eventually(lambda: list((tmp_path / "taken").glob("*")), "the listener is there")
            file.write(b'"m-1"}')
        eventually(lambda: worker.committed, "the message")
    assert [message.body for message in worker.committed] == [b'{"message_id": "m-1"}']


def test_file_whose_name_comes_again_replaces_no_other(tmp_path: Path) -> None:
    """delivery 1: the first is in hand when the second comes, and is put back beside it."""
    stopped, worker, settings = RecordingWorker(), RecordingWorker(), settings_for("info")
    stopped.hold()
    (tmp_path / "newest.info.msg").write_bytes(b"1")
    with running(listener := a_listener(f"filesystem://{tmp_path}", settings, stopped)):
        assert stopped.committing.wait(DEADLINE_SECONDS)
        (tmp_path / "newest.info.msg").write_bytes(b"2")
        listener.stop()
        stopped.stop()
    with running(a_listener(f"filesystem://{tmp_path}", settings, worker)):
        eventually(lambda: len(worker.committed) == 2, "both")
    assert sorted(message.body for message in worker.committed) == [b"1", b"2"]


def test_commit_is_awaited_where_its_claim_is_lost(tmp_path: Path) -> None:
    """As when another took this one for dead: what it held must not be found half done."""
    settings, outcome = settings_for("info", visibility_timeout_seconds=0.03), Future[None]()
    (tmp_path / "1.info.msg").write_bytes(b"1")
    with connection(f"filesystem://{tmp_path}", settings) as bus:
        source = FolderSource(bus, settings, "folder", beat=lambda: None)
        assert source.next_batch()
        (held,) = (tmp_path / "taken").rglob("*.msg")
        held.rename(tmp_path / held.name)
        held.parent.rmdir()
        threading.Timer(0.3, outcome.set_result, [None]).start()
        with pytest.raises(FileNotFoundError):
            source.stay_alive_until(outcome)
    assert outcome.done()


def test_file_whose_name_is_in_hand_waits(tmp_path: Path) -> None:
    """A killed listener leaves both."""
    with connection(f"filesystem://{tmp_path}", settings := settings_for("info")) as bus:
        source = FolderSource(bus, settings, "folder", beat=lambda: None)
        (tmp_path / "newest.info.msg").write_bytes(b"1")
        first = source.next_batch()
        (tmp_path / "newest.info.msg").write_bytes(b"2")
        source.next_batch()
        assert first
        left = sorted(path.read_bytes() for path in tmp_path.rglob("*.msg"))
    assert left == [b"1", b"2"]


# --- AMQP, Kafka -----------------------------------------------------------------------------


def test_batch_whose_connection_broke_during_the_commit_comes_again(
    amqp_url: str, queue: str
) -> None:
    """delivery 1"""
    parts = urlsplit(amqp_url)
    wire = Wire(parts.hostname or "localhost", parts.port or 5672)
    url = f"amqp://guest:guest@127.0.0.1:{wire.port}//"
    settings, worker = settings_for(queue), RecordingWorker()
    worker.hold()
    Broker(amqp_url).declare(queue, durable=True)
    Broker(amqp_url).send(queue, [b"{}"])
    with running(a_listener(url, settings, worker)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        wire.cut()
        worker.release()
        eventually(lambda: len(worker.committed) == 2, "committed again")
        eventually(lambda: wire.connections == 2, "connected again")
    wire.close()
    assert Broker(amqp_url).ready(queue) == 0
    Broker(amqp_url).delete(queue)


def test_queue_with_other_flags_is_told_of(amqp_url: str, queue: str) -> None:
    """events-in 4: what the broker has, and which setting to change"""
    log, worker = Log(), RecordingWorker()
    Broker(amqp_url).declare(queue)
    Broker(amqp_url).send(queue, [b"{}"])
    with running(a_listener(amqp_url, settings_for(queue), worker, log)):
        eventually(lambda: log.lines("bus.unavailable"), "a complaint")
    assert "'durable'" in log.text()
    assert "current is 'false'. Set bus.durable" in log.text()
    with running(a_listener(amqp_url, settings_for(queue, declare=False), worker)):
        eventually(lambda: worker.committed, "taken as it is")
    Broker(amqp_url).delete(queue)


def test_kafka_commits_offsets_after_our_commit() -> None:
    """On the broker that the Kafka client brings for tests; also what kombu did not send."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 2}
    )
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    url = f"confluentkafka://{broker.host}:{broker.port}"
    quiet = {"kafka_common_config": {"log_level": 2}}
    settings, worker = settings_for("events", transport_options=quiet), RecordingWorker()
    worker.hold()
    producer.produce("events", b'{"n": 0}')
    producer.flush(10)
    send(url, settings, [b'{"n": 1}', b'{"n": 2}'])
    group = {"bootstrap.servers": url.partition("//")[2], "group.id": "events-consumer-group"}
    looking = confluent_kafka.Consumer(group)

    def acknowledged() -> int:
        partitions = [confluent_kafka.TopicPartition("events", n) for n in range(4)]
        return sum(max(one.offset, 0) for one in looking.committed(partitions, timeout=10))

    with running(a_listener(url, settings, worker)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        assert acknowledged() == 0
        worker.release()
        eventually(lambda: acknowledged() == 3, "offsets committed")
    looking.close()
    assert sorted(message.body for message in worker.committed) == [
        b'{"n": 0}',
        b'{"n": 1}',
        b'{"n": 2}',
    ]


# --- URLs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost", "is not scheme://"),
        ("redsi://localhost", "Did you mean 'redis'?"),
        ("filesystem://", "names no folder"),
        ("filesystem://spool/events", "Write three slashes"),
    ],
)
def test_url_that_cannot_be_used_is_told_of(url: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(said)):
        check(url)


def test_name_of_a_listener_holds_no_secret() -> None:
    assert name_of("redis://:hunter2@cache-1:6380/3") == "redis cache-1:6380/3"


def test_loss_of_the_connection_is_told_without_the_password(queue: str) -> None:
    log = Log()
    url = "redis://:hunter2@127.0.0.1:1/0"
    with running(a_listener(url, settings_for(queue), RecordingWorker(), log)):
        eventually(lambda: log.lines("bus.unavailable"), "it is told")
    assert "hunter2" not in log.text()
