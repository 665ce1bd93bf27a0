"""`notifier://` is Ceilometer's: oslo.messaging's own listener receives it (events-in 29)."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import oslo_messaging
import pytest
import structlog
from oslo_config import cfg

from pipeline import publishers
from pipeline.errors import InvalidValue, PublishFailed
from pipeline.event import Event
from pipeline.publishers.base import Broker, Tools
from pipeline.publishers.settings import PublishingSettings

from builders import an_event
from listeners.rabbitmq_broker import Broker as Rabbit


class Heard:
    """An endpoint as aodh-listener has one: batches of SAMPLE notifications."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self.came = threading.Event()

    def sample(self, notifications: list[dict[str, Any]]) -> None:
        self.notifications += notifications
        self.came.set()


@contextmanager
def oslo_listener(amqp_url: str, topic: str) -> Iterator[Heard]:
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    url = amqp_url.replace("amqp://", "rabbit://")
    transport = oslo_messaging.get_notification_transport(conf, url)
    conf.set_override("control_exchange", topic)
    heard = Heard()
    listener = oslo_messaging.get_batch_notification_listener(
        transport,
        [oslo_messaging.Target(topic=topic)],
        [heard],
        executor="threading",
        batch_size=1,
    )
    listener.start()
    try:
        yield heard
    finally:
        listener.stop()
        listener.wait()
        transport.cleanup()


def a_url(amqp_url: str, topic: str, options: str = "") -> str:
    parts = urlsplit(amqp_url)
    return f"notifier://{parts.netloc}{parts.path}?topic={topic}&exchange={topic}{options}"


def verified(message: dict[str, Any], secret: str) -> bool:
    """By Ceilometer's rule, for events without texts beyond ASCII: keys and values in the order
    of the keys, nested keys joined by a colon, texts in lists as bytes."""
    parts: list[str] = []

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                walk(f"{prefix}:{key}" if prefix else key, value[key])
        else:
            parts.extend([prefix, written(value) if isinstance(value, list) else str(value)])

    def written(value: Any) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(written(item) for item in value) + "]"
        return f"b{value!r}" if isinstance(value, str) else repr(value)

    walk("", {key: value for key, value in message.items() if key != "message_signature"})
    expected = hmac.new(secret.encode(), "".join(parts).encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, message["message_signature"])


def test_an_oslo_listener_receives_signed_events(amqp_url: str, topic: str) -> None:
    tools = Tools(settings=PublishingSettings(telemetry_secret="s3cret"))
    publisher = publishers.from_url(a_url(amqp_url, topic), tools)
    events = [
        an_event(host="a", vcpus=4, raw={"payload": {"ids": ["x", 1], "at": {"b": None}}}),
        an_event(event_type="compute.instance.create.end", ratio=0.25),
    ]

    publisher.publish(events)
    with oslo_listener(amqp_url, topic) as heard:
        assert heard.came.wait(30)

    (notification,) = heard.notifications
    assert notification["payload"] != []
    assert [Event.from_dict(message) for message in notification["payload"]] == events
    assert all(verified(message, "s3cret") for message in notification["payload"])
    assert not any(verified(message, "other") for message in notification["payload"])
    assert notification["event_type"] == "event"
    assert notification["publisher_id"].startswith("telemetry.publisher.")
    publisher.close()


def test_without_a_secret_the_signature_is_empty(amqp_url: str, topic: str) -> None:
    publisher = publishers.from_url(a_url(amqp_url, topic))

    publisher.publish([an_event()])
    with oslo_listener(amqp_url, topic) as heard:
        assert heard.came.wait(30)

    assert heard.notifications[0]["payload"][0]["message_signature"] == ""
    publisher.close()


def test_queues_of_other_flags_are_used_as_they_are(amqp_url: str, topic: str) -> None:
    """A durable queue that a service declared is no PRECONDITION_FAILED for us."""
    rabbit = Rabbit(amqp_url)
    rabbit.exchange(topic, durable=True)
    rabbit.declare(f"{topic}.sample", durable=True)
    publisher = publishers.from_url(a_url(amqp_url, topic))

    publisher.publish([an_event()])

    assert rabbit.ready(f"{topic}.sample") == 1
    assert rabbit.queue_is(f"{topic}.sample", durable=True)
    publisher.close()


def test_queues_are_declared_as_the_settings_say(amqp_url: str, topic: str) -> None:
    tools = Tools(broker=Broker(urls=(amqp_url,), durable=True))
    publisher = publishers.from_url(f"notifier://?topic={topic}&exchange={topic}", tools)
    rabbit = Rabbit(amqp_url)

    publisher.publish([an_event()])
    publisher.close()

    assert rabbit.queue_is(f"{topic}.sample", durable=True)
    assert rabbit.ready(f"{topic}.sample") == 1


def test_a_queue_deleted_meanwhile_is_declared_anew(amqp_url: str, topic: str) -> None:
    publisher, rabbit = publishers.from_url(a_url(amqp_url, topic)), Rabbit(amqp_url)
    publisher.publish([an_event()])

    rabbit.delete(f"{topic}.sample")
    publisher.publish([an_event()])

    assert rabbit.ready(f"{topic}.sample") == 1
    publisher.close()


def test_the_same_events_again_are_the_same_message(amqp_url: str, topic: str) -> None:
    publisher = publishers.from_url(a_url(amqp_url, topic))
    events = [an_event()]

    publisher.publish(events)
    publisher.publish(events)
    with Rabbit(amqp_url).channel() as channel:
        first, second = (channel.basic_get(f"{topic}.sample", auto_ack=True) for _ in range(2))

    assert first[1].message_id == second[1].message_id
    publisher.close()


def test_the_policy_drop_drops_and_says_so() -> None:
    log = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[log])
    url = "notifier://u:s3cret@127.0.0.1:1/?policy=drop&max_retry=1"
    publisher = publishers.from_url(url, Tools(log=logger))

    publisher.publish([an_event(), an_event()])

    (line,) = log.entries
    assert (line["event"], line["events"]) == ("publisher.dropped", 2)
    assert "s3cret" not in str(line)


@pytest.mark.parametrize("policy", ["default", "queue"])
def test_the_other_policies_keep_what_the_broker_does_not_take(policy: str) -> None:
    url = f"notifier://127.0.0.1:1/?policy={policy}&max_queue_length=1&max_retry=1"

    with pytest.raises(PublishFailed):
        publishers.from_url(url).publish([an_event(), an_event()])


@pytest.mark.parametrize(
    "url",
    [
        "notifier://",
        "notifier://?topic=alarm.all",
        "notifier://?policy=drop&max_queue_length=512&topic=alarm.all&driver=rabbit&max_retry=100",
        "notifier://guest:guest@a:5672,guest:guest@b:5672/openstack?topic=event",
        "notifier://?topic=event&topic=alarm.all",
    ],
)
def test_the_urls_of_ceilometers_files_load(url: str) -> None:
    assert publishers.from_url(url).url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "notifier://?driver=kafka",
            "driver: 'kafka' is not known. Use one of rabbit, amqp, amqps.",
        ),
        ("notifier://?policy=x", "policy: 'x' is not known. Use one of default, queue, drop."),
        (
            "notifier://?topik=x",
            "topik: unknown option. Use one of topic, exchange, driver, policy, "
            "max_queue_length, max_retry, per_meter_topic. Did you mean 'topic'?",
        ),
        ("notifier://?max_retry=often", "max_retry: expects a number, as 100."),
        (
            "notifier:///vhost",
            "names no host before '/vhost'. Write notifier://user:password@host:5672/…",
        ),
    ],
)
def test_a_wrong_url_says_what_and_how_to_mend_it(url: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        publishers.from_url(url)

    assert str(caught.value) == message
