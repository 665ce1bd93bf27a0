"""Queues are found, declared and bound without harm to the services that publish to them.

The publishers are oslo.messaging's own Notifier, one for each row of flags that the data README's
table has (events-in 4 to 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keystone import Keystone
from listeners.contract import RecordingWorker
from listeners.rabbitmq_broker import Broker, Log, a_listener, settings_for
from waiting import eventually, running

Publisher = Callable[..., Keystone]

FLAG_ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults": ({}, {}),
    "durable": ({"amqp_durable_queues": True}, {"durable": True}),
    "auto_delete": ({"amqp_auto_delete": True}, {"auto_delete": True}),
    "quorum": ({"rabbit_quorum_queue": True}, {"queue_type": "quorum"}),
    "quorum with limits": (
        {
            "rabbit_quorum_queue": True,
            "rabbit_quorum_delivery_limit": 5,
            "rabbit_quorum_max_memory_length": 1000,
            "rabbit_quorum_max_memory_bytes": 100000,
        },
        {
            "queue_type": "quorum",
            "queue_arguments": {
                "x-delivery-limit": 5,
                "x-max-in-memory-length": 1000,
                "x-max-in-memory-bytes": 100000,
            },
        },
    ),
    "mirrored": ({"rabbit_ha_queues": True}, {"queue_arguments": {"x-ha-policy": "all"}}),
}


@pytest.fixture
def broker(amqp_url: str) -> Broker:
    return Broker(amqp_url)


@pytest.fixture
def publisher(amqp_url: str, topic: str) -> Iterator[Publisher]:
    """Makes a real oslo.messaging Notifier on the exchange and topic of this test."""
    made: list[Keystone] = []

    def make(driver: str = "messagingv2", **options: Any) -> Keystone:
        made.append(Keystone(amqp_url, topic, topic, driver, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("driver", ["messagingv2", "messaging"])
@pytest.mark.parametrize("row", FLAG_ROWS)
def test_what_was_sent_before_the_first_start_is_received(
    amqp_url: str, topic: str, publisher: Publisher, row: str, driver: str
) -> None:
    """events-in 5: the queue is the publisher's; the settings' flags do not matter then."""
    options, _ = FLAG_ROWS[row]
    publisher(driver, **options).user_deleted("u-1")
    worker = RecordingWorker()
    with running(a_listener(amqp_url, settings_for(topic), worker)):
        eventually(lambda: len(worker.committed) == 1, "the notification")
    assert b"u-1" in worker.committed[0].body


@pytest.mark.parametrize("row", FLAG_ROWS)
def test_a_queue_declared_by_us_is_the_publishers_to_the_last_flag(
    amqp_url: str, topic: str, broker: Broker, publisher: Publisher, row: str
) -> None:
    """events-in 4: the publisher would be refused, and lose its notification, otherwise."""
    options, settings = FLAG_ROWS[row]
    worker = RecordingWorker()
    with running(a_listener(amqp_url, settings_for(topic, **settings), worker)):
        eventually(lambda: broker.consumers(f"{topic}.info") == 1, "it listens")
        publisher(**options).user_deleted("u-1")
        eventually(lambda: len(worker.committed) == 1, "the notification")
    assert worker.committed[0].source.endswith(f" {topic} {topic}.info")


def test_every_priority_has_its_queue(amqp_url: str, topic: str, broker: Broker) -> None:
    """events-in 22"""
    priorities = ("audit", "debug", "info", "warn", "error", "critical", "sample")
    settings = settings_for(topic, priorities=priorities)
    with running(a_listener(amqp_url, settings, RecordingWorker())):
        eventually(
            lambda: all(broker.consumers(f"{topic}.{name}") for name in priorities),
            "all seven are listened to",
        )
    assert broker.queue_is(f"{topic}.critical", durable=False, auto_delete=False)


def test_a_queue_that_exists_is_not_declared_again(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    queue, log, worker = f"{topic}.info", Log(), RecordingWorker()
    broker.declare(queue, durable=True, arguments={"x-max-length": 1000})
    broker.send(queue, [b"{}"])
    with running(a_listener(amqp_url, settings_for(topic), worker, log)):
        eventually(lambda: len(worker.committed) == 1, "the message")
    assert broker.queue_is(queue, durable=True, arguments={"x-max-length": 1000})
    assert not log.lines("rabbitmq.refused")


def test_missing_exchanges_are_left_to_their_services(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    with running(a_listener(amqp_url, settings_for(topic), RecordingWorker())):
        eventually(lambda: broker.consumers(f"{topic}.info") == 1, "it listens")
    assert not broker.has_exchange(topic)


def test_a_queue_is_bound_to_every_exchange_there_is(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    """A publisher that declared the queue before it was deleted believes it still bound."""
    worker = RecordingWorker()
    broker.exchange(topic)
    broker.declare(f"{topic}.info")
    settings = settings_for(topic, exchanges=("tocsin_test_no_such_exchange", topic))
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: broker.consumers(f"{topic}.info") == 1, "it listens")
        broker.publish(topic, f"{topic}.info", b"{}")
        eventually(lambda: len(worker.committed) == 1, "the message")
    assert broker.ready(f"{topic}.info") == 0


def test_with_declare_false_it_waits_for_the_service_and_says_for_what(
    amqp_url: str, topic: str, broker: Broker, publisher: Publisher
) -> None:
    log, worker = Log(), RecordingWorker()
    settings = settings_for(topic, declare=False)
    with running(a_listener(amqp_url, settings, worker, log)):
        eventually(lambda: "rabbitmq.waiting" in log.events, "it says that it waits")
        assert not broker.has_queue(f"{topic}.info")
        publisher(amqp_durable_queues=True).user_deleted("u-1")
        eventually(lambda: len(worker.committed) == 1, "the notification")
    assert log.lines("rabbitmq.waiting")[0]["queues"] == [f"{topic}.info"]
    assert log.lines("rabbitmq.listening")[-1]["queues"] == [f"{topic}.info"]


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ("durable", ["Set rabbitmq.durable: true."]),
        ("auto_delete", ["Set rabbitmq.auto_delete: true."]),
        ("quorum", ["Set rabbitmq.queue_type: quorum."]),
        (
            "quorum with limits",
            ["Set rabbitmq.queue_type: quorum.", "Set x-delivery-limit: 5", "x-max-in-memory-l"],
        ),
    ],
)
def test_a_missing_queue_is_not_declared_with_flags_that_its_neighbour_has_not(
    amqp_url: str, topic: str, broker: Broker, publisher: Publisher, row: str, advice: list[str]
) -> None:
    """events-in 4: it says what the broker has and which keys to change, and harms nobody."""
    options, _ = FLAG_ROWS[row]
    log, worker, service = Log(), RecordingWorker(), publisher(**options)
    service.user_deleted("u-1")
    settings = settings_for(topic, priorities=("info", "error"))
    with running(a_listener(amqp_url, settings, worker, log)):
        eventually(lambda: len(worker.committed) == 1, "it listens to what there is")
        assert not broker.has_queue(f"{topic}.error")
        service.publish("identity.user.deleted", {}, priority="error")
        eventually(lambda: len(worker.committed) == 2, "the service declared it, and was heard")
    (line,) = log.lines("rabbitmq.refused")
    assert line["log_level"] == "error"
    assert f"queue '{topic}.info' differs" in line["reason"]
    assert all(words in line["reason"] for words in advice)


def test_without_any_queue_the_exchange_tells_of_other_flags(
    amqp_url: str, topic: str, broker: Broker, publisher: Publisher
) -> None:
    log, worker = Log(), RecordingWorker()
    broker.exchange(topic, durable=True)
    with running(a_listener(amqp_url, settings_for(topic), worker, log)):
        eventually(lambda: "rabbitmq.refused" in log.events, "it complains")
        assert not broker.has_queue(f"{topic}.info")
        publisher(amqp_durable_queues=True).user_deleted("u-1")
        eventually(lambda: len(worker.committed) == 1, "the notification")
    reason = log.lines("rabbitmq.refused")[0]["reason"]
    assert f"exchange '{topic}' differs" in reason
    assert "Set rabbitmq.durable: true." in reason


def test_a_deleted_queue_is_declared_and_bound_again(
    amqp_url: str, topic: str, broker: Broker, publisher: Publisher
) -> None:
    queue, log, worker, service = f"{topic}.info", Log(), RecordingWorker(), publisher()
    with running(a_listener(amqp_url, settings_for(topic), worker, log)):
        service.user_deleted("u-1")
        eventually(lambda: len(worker.committed) == 1, "the first notification")
        broker.delete(queue)
        eventually(lambda: broker.consumers(queue) == 1, "it is back")
        service.user_deleted("u-2")
        eventually(lambda: len(worker.committed) == 2, "the second notification")
    assert log.lines("rabbitmq.cancelled")[0]["queue"] == queue
    assert log.lines("rabbitmq.cancelled")[0]["log_level"] == "warning"
    assert log.events.count("rabbitmq.connected") == 1


def test_a_deleted_queue_leaves_the_others_in_peace(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    worker = RecordingWorker()
    settings = settings_for(topic, priorities=("info", "error"), declare=False)
    for priority in ("info", "error"):
        broker.declare(f"{topic}.{priority}")
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: broker.consumers(f"{topic}.error") == 1, "it listens")
        broker.delete(f"{topic}.error")
        broker.send(f"{topic}.info", [b"1"])
        eventually(lambda: len(worker.committed) == 1, "the other queue goes on")
        broker.declare(f"{topic}.error")
        broker.send(f"{topic}.error", [b"2"])
        eventually(lambda: len(worker.committed) == 2, "it is found again")
    assert [message.body for message in worker.committed] == [b"1", b"2"]


@pytest.fixture
def dropped(topic: str, broker: Broker) -> Iterator[str]:
    """The name of a dead-letter exchange that is this test's own."""
    name = f"{topic}-dropped"
    yield name
    broker.delete(name)
    with broker.channel() as channel:
        channel.exchange_delete(name)


def test_what_the_broker_drops_is_kept(
    amqp_url: str, topic: str, broker: Broker, dropped: str
) -> None:
    """A queue that was declared with a dead-letter exchange: of two, its limit lets one stay."""
    queue, worker = f"{topic}.info", RecordingWorker()
    settings = settings_for(
        topic, dead_letter_exchange=dropped, queue_arguments={"x-max-length": 1}
    )
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: broker.consumers(queue) == 1, "it listens")
    broker.send(queue, [b'{"n": 1}', b'{"n": 2}'])
    eventually(lambda: broker.ready(dropped) == 1, "the first message was dropped and is kept")
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: len(worker.committed) == 1, "the second")


def test_existing_queue_without_the_dead_letter_exchange_is_told_of(
    amqp_url: str, topic: str, broker: Broker, dropped: str
) -> None:
    log = Log()
    broker.declare(f"{topic}.info")
    settings = settings_for(topic, priorities=("info", "error"), dead_letter_exchange=dropped)
    with running(a_listener(amqp_url, settings, RecordingWorker(), log)):
        eventually(lambda: log.lines("rabbitmq.refused"), "a complaint")
    assert "Leave rabbitmq.dead_letter_exchange empty." in log.text()
    assert not broker.has_queue(f"{topic}.error")


def test_missing_dead_letter_exchange_is_told_of_where_nothing_may_be_declared(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    log = Log()
    broker.declare(f"{topic}.info")
    settings = settings_for(topic, declare=False, dead_letter_exchange=f"{topic}-dropped")
    with running(a_listener(amqp_url, settings, RecordingWorker(), log)):
        eventually(lambda: log.lines("rabbitmq.refused"), "a complaint")
    assert "loses what it drops" in log.text()
    assert not broker.has_exchange(f"{topic}-dropped")


def test_events_that_were_normalised_elsewhere_have_a_queue(
    amqp_url: str, topic: str, broker: Broker
) -> None:
    """events-in 30: `alarm.all.sample`, whatever the priorities of the notifications"""
    settings = settings_for(topic, event_topics=(topic,))
    worker = RecordingWorker()
    with running(a_listener(amqp_url, settings, worker)):
        eventually(lambda: broker.consumers(f"{topic}.sample") == 1, "it listens")
        broker.send(f"{topic}.sample", [b"[]"])
        eventually(lambda: len(worker.committed) == 1, "the message")
