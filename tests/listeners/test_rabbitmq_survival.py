"""Whatever becomes of the broker, the connection or the login, no message is lost or stuck.

These need a RabbitMQ node of their own, as they stop, kill and reconfigure it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
import pika.exceptions
import pytest

from listeners.contract import RecordingWorker
from listeners.rabbitmq_broker import Broker, Log, a_listener, settings_for
from listeners.rabbitmq_server import OwnRabbitmq
from waiting import DEADLINE_SECONDS, eventually, running

BODIES = [b'{"n": %d}' % n for n in range(250)]
TOPIC = "tocsin_test"
QUEUE = f"{TOPIC}.info"


@pytest.fixture
def broker(own_rabbitmq: OwnRabbitmq) -> Iterator[Broker]:
    """The node with one durable queue, with or without messages of earlier tests: none."""
    broker = Broker(own_rabbitmq.url)
    broker.declare(QUEUE, durable=True)
    yield broker
    own_rabbitmq.start()
    broker.delete(QUEUE)


def bodies(worker: RecordingWorker) -> set[bytes]:
    return {message.body for message in worker.committed}


def limit_unacknowledged(node: OwnRabbitmq, **milliseconds: int) -> None:
    for name, value in milliseconds.items():
        node.rabbitmqctl("eval", f"application:set_env(rabbit, {name}, {value}).")


@contextmanager
def silent(node: OwnRabbitmq) -> Iterator[None]:
    """A connection with the shortest heartbeats that never sends one."""
    parameters = pika.URLParameters(node.url)
    parameters.heartbeat = 2
    parameters.client_properties = {"connection_name": "silent"}
    connection = pika.BlockingConnection(parameters)
    yield
    with suppress(pika.exceptions.AMQPError):
        connection.process_data_events()


def hears_of_silent(node: OwnRabbitmq) -> bool:
    return "silent" in node.rabbitmqctl("list_connections", "client_properties")


def test_a_restart_of_the_broker_loses_nothing(own_rabbitmq: OwnRabbitmq, broker: Broker) -> None:
    worker, log = RecordingWorker(), Log()
    with running(a_listener(own_rabbitmq.url, settings_for(TOPIC), worker, log)):
        broker.send(QUEUE, BODIES[:100])
        eventually(lambda: len(worker.committed) >= 100, "the first hundred")
        own_rabbitmq.stop()
        eventually(lambda: "rabbitmq.unavailable" in log.events, "it says so")
        own_rabbitmq.start()
        broker.send(QUEUE, BODIES[100:])
        eventually(lambda: bodies(worker) == set(BODIES), "all, over the restart")
    assert broker.ready(QUEUE) == 0
    assert {line["log_level"] for line in log.lines("rabbitmq.unavailable")} == {"warning"}
    assert log.events.count("rabbitmq.connected") == 2


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_goes_during_a_commit_gives_the_batch_again(
    own_rabbitmq: OwnRabbitmq, broker: Broker, end: str
) -> None:
    """delivery 1: the tags of the old channel are worth nothing on the new one."""
    worker, log = RecordingWorker(), Log()
    worker.hold()
    broker.send(QUEUE, BODIES)
    with running(a_listener(own_rabbitmq.url, settings_for(TOPIC, batch_size=10), worker, log)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        getattr(own_rabbitmq, end)()
        own_rabbitmq.start()
        worker.release()
        eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    assert broker.ready(QUEUE) == 0
    # The batch that was in hand, and it alone, comes a second time.
    assert len(worker.committed) == len(BODIES) + worker.batches[0]


def test_connections_closed_by_an_operator_come_back(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    worker, log = RecordingWorker(), Log()
    with running(a_listener(own_rabbitmq.url, settings_for(TOPIC), worker, log)):
        eventually(lambda: broker.consumers(QUEUE) == 1, "it listens")
        own_rabbitmq.rabbitmqctl("close_all_connections", "maintenance tonight")
        broker.send(QUEUE, BODIES)
        eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    (line,) = log.lines("rabbitmq.unavailable")
    assert "maintenance tonight" in line["reason"]
    assert line["retry_in_seconds"] > 0


def test_a_channel_closed_by_the_broker_is_noticed_and_its_reason_logged(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    """Here the broker's limit on unacknowledged deliveries (consumer_timeout), at its shortest."""
    worker, log = RecordingWorker(), Log()
    limit_unacknowledged(own_rabbitmq, consumer_timeout=500, channel_tick_interval=200)
    worker.hold()
    broker.send(QUEUE, BODIES)
    settings = settings_for(TOPIC, batch_size=10)
    try:
        with running(a_listener(own_rabbitmq.url, settings, worker, log)):
            assert worker.committing.wait(DEADLINE_SECONDS)
            eventually(lambda: broker.ready(QUEUE) == len(BODIES), "the broker closes the channel")
            worker.release()
            eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    finally:
        limit_unacknowledged(own_rabbitmq, consumer_timeout=1800000, channel_tick_interval=60000)
    assert "delivery acknowledgement" in log.lines("rabbitmq.unavailable")[0]["reason"]
    assert broker.ready(QUEUE) == 0


def test_heartbeats_go_on_while_a_commit_takes_longer_than_they_allow(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    worker, log = RecordingWorker(), Log()
    worker.hold()
    broker.send(QUEUE, BODIES[:1])
    settings = settings_for(TOPIC, heartbeat_seconds=2)
    with running(a_listener(own_rabbitmq.url, settings, worker, log)), silent(own_rabbitmq):
        assert worker.committing.wait(DEADLINE_SECONDS)
        eventually(lambda: not hears_of_silent(own_rabbitmq), "the broker drops who is silent")
        worker.release()
        eventually(lambda: len(worker.committed) == 1, "the commit")
    assert "rabbitmq.unavailable" not in log.events
    assert broker.ready(QUEUE) == 0


def test_a_broker_short_of_memory_is_still_listened_to(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    """RabbitMQ blocks connections that publish (connection.blocked); this one only listens."""
    worker, log = RecordingWorker(), Log()
    broker.send(QUEUE, BODIES)
    own_rabbitmq.rabbitmqctl("set_vm_memory_high_watermark", "0.0000001")
    try:
        with running(a_listener(own_rabbitmq.url, settings_for(TOPIC), worker, log)):
            eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    finally:
        own_rabbitmq.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
    assert broker.ready(QUEUE) == 0
    assert "rabbitmq.unavailable" not in log.events


def test_a_wrong_password_is_told_and_tried_again_until_it_is_right(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    worker, log = RecordingWorker(), Log()
    own_rabbitmq.rabbitmqctl("add_user", "tocsin", "another")
    own_rabbitmq.rabbitmqctl("set_permissions", "tocsin", ".*", ".*", ".*")
    broker.send(QUEUE, BODIES)
    url = own_rabbitmq.url_of("tocsin", "s3cret")
    try:
        with running(a_listener(url, settings_for(TOPIC), worker, log)):
            eventually(lambda: "rabbitmq.unavailable" in log.events, "it is refused")
            own_rabbitmq.rabbitmqctl("change_password", "tocsin", "s3cret")
            eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    finally:
        own_rabbitmq.rabbitmqctl("delete_user", "tocsin")
    line = log.lines("rabbitmq.unavailable")[0]
    assert line["log_level"] == "error"
    assert "refuses the login of user 'tocsin'" in line["reason"]
    assert "rabbitmq.urls" in line["reason"]
    assert "s3cret" not in log.text()


def test_a_missing_virtual_host_is_told_and_found_once_it_is_there(
    own_rabbitmq: OwnRabbitmq,
) -> None:
    log, url = Log(), own_rabbitmq.url_of(vhost="clouds")
    try:
        with running(a_listener(url, settings_for(TOPIC), RecordingWorker(), log)) as thread:
            eventually(lambda: "rabbitmq.unavailable" in log.events, "it is refused")
            own_rabbitmq.rabbitmqctl("add_vhost", "clouds")
            own_rabbitmq.rabbitmqctl("set_permissions", "-p", "clouds", "guest", ".*", ".*", ".*")
            eventually(lambda: "rabbitmq.listening" in log.events, "it listens")
            assert thread.is_alive()
    finally:
        own_rabbitmq.rabbitmqctl("delete_vhost", "clouds")
    line = log.lines("rabbitmq.unavailable")[0]
    assert line["log_level"] == "error"
    assert "no virtual host 'clouds'" in line["reason"]
    assert line["broker"] == f"127.0.0.1:{own_rabbitmq.port}/clouds"


def test_a_user_without_rights_on_a_virtual_host_is_told(own_rabbitmq: OwnRabbitmq) -> None:
    log = Log()
    own_rabbitmq.rabbitmqctl("add_user", "stranger", "pw")
    try:
        url = own_rabbitmq.url_of("stranger", "pw")
        with running(a_listener(url, settings_for(TOPIC), RecordingWorker(), log)):
            eventually(lambda: "rabbitmq.unavailable" in log.events, "it is refused")
    finally:
        own_rabbitmq.rabbitmqctl("delete_user", "stranger")
    line = log.lines("rabbitmq.unavailable")[0]
    assert "user 'stranger' no access to virtual host '/'" in line["reason"]


def test_a_user_who_may_only_read_listens_to_what_there_is(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    worker, log = RecordingWorker(), Log()
    own_rabbitmq.rabbitmqctl("add_user", "reader", "pw")
    own_rabbitmq.rabbitmqctl("set_permissions", "reader", "^$", "^$", ".*")
    broker.exchange(TOPIC)
    broker.send(QUEUE, BODIES)
    settings = settings_for(TOPIC, priorities=("info", "error"))
    try:
        url = own_rabbitmq.url_of("reader", "pw")
        with running(a_listener(url, settings, worker, log)):
            eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    finally:
        own_rabbitmq.rabbitmqctl("delete_user", "reader")
        with broker.channel() as channel:
            channel.exchange_delete(TOPIC)
    reasons = [line["reason"] for line in log.lines("rabbitmq.refused")]
    assert any("rabbitmq.declare: false" in reason for reason in reasons)
    assert all("set_permissions" in reason for reason in reasons)


def test_a_user_who_may_not_read_is_told(own_rabbitmq: OwnRabbitmq, broker: Broker) -> None:
    log = Log()
    own_rabbitmq.rabbitmqctl("add_user", "blind", "pw")
    own_rabbitmq.rabbitmqctl("set_permissions", "blind", ".*", ".*", "^$")
    try:
        url = own_rabbitmq.url_of("blind", "pw")
        with running(a_listener(url, settings_for(TOPIC), RecordingWorker(), log)):
            eventually(lambda: "rabbitmq.unavailable" in log.events, "it is refused")
    finally:
        own_rabbitmq.rabbitmqctl("delete_user", "blind")
    line = log.lines("rabbitmq.unavailable")[0]
    assert line["log_level"] == "error"
    assert f"does not let us listen to queue '{QUEUE}'" in line["reason"]


def test_tls_with_a_known_authority_listens(own_rabbitmq: OwnRabbitmq, broker: Broker) -> None:
    worker = RecordingWorker()
    settings = settings_for(TOPIC, tls_ca_file=str(own_rabbitmq.ca_file))
    broker.send(QUEUE, BODIES)
    listener = a_listener(own_rabbitmq.tls_url, settings, worker)
    with running(listener):
        eventually(lambda: bodies(worker) == set(BODIES), "all committed")
    assert listener.name == f"rabbitmq localhost:{own_rabbitmq.tls_port}/"
    assert broker.ready(QUEUE) == 0


def test_tls_with_an_unknown_authority_is_refused_and_told(own_rabbitmq: OwnRabbitmq) -> None:
    log = Log()
    with running(a_listener(own_rabbitmq.tls_url, settings_for(TOPIC), RecordingWorker(), log)):
        eventually(lambda: "rabbitmq.unavailable" in log.events, "it is refused")
    line = log.lines("rabbitmq.unavailable")[0]
    assert line["log_level"] == "error"
    assert "certificate is not trusted" in line["reason"]
    assert "rabbitmq.tls_ca_file" in line["reason"]


def test_tls_on_the_plain_port_is_told(own_rabbitmq: OwnRabbitmq) -> None:
    log = Log()
    url = own_rabbitmq.url.replace("amqp://", "amqps://")
    with running(a_listener(url, settings_for(TOPIC), RecordingWorker(), log)):
        eventually(lambda: "rabbitmq.unavailable" in log.events, "it fails")
    assert "TLS with the broker failed" in log.lines("rabbitmq.unavailable")[0]["reason"]


def test_a_listener_killed_in_its_commit_loses_nothing(
    own_rabbitmq: OwnRabbitmq, broker: Broker
) -> None:
    """Its connection just ends, as with kill -9; the next listener gets every message."""
    dead, worker = RecordingWorker(), RecordingWorker()
    dead.hold()
    broker.send(QUEUE, BODIES)
    lost = a_listener(own_rabbitmq.url, settings_for(TOPIC), dead)
    with running(lost):
        assert dead.committing.wait(DEADLINE_SECONDS)
        lost.stop()
        own_rabbitmq.rabbitmqctl("close_all_connections", "killed")
        dead.stop()
    with running(a_listener(own_rabbitmq.url, settings_for(TOPIC), worker)):
        eventually(lambda: bodies(worker) == set(BODIES), "all committed by the next")
    assert not dead.committed
    assert broker.ready(QUEUE) == 0
