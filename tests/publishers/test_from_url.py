"""From a URL to its publisher: which there are, and what is said of those that there are not."""

from __future__ import annotations

import pytest
import structlog

from pipeline import publishers, registry
from pipeline.errors import InvalidValue
from pipeline.publishers import Publishers
from pipeline.publishers.test import TestPublisher

from builders import an_event

KNOWN = registry.names(publishers.GROUP)
HAVE = ", ".join(f"{name}://" for name in KNOWN)


@pytest.mark.parametrize(
    "url",
    [
        "alarms://",
        "log://",
        "test://",
        "store://",
        "file:///tmp/e",
        "notifier://?topic=alarm.all",
        "https://receiver.example/hook?batch=False",
        "amqps://u:p@broker.example/nova?exchange=events",
        "redis://broker.example/0?queue=events",
        "memory://?queue=events",
    ],
)
def test_every_publisher_knows_its_url_and_can_be_closed_unused(url: str) -> None:
    publisher = publishers.from_url(url)

    publisher.close()

    assert publisher.url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "fil:///x",
            f"unknown publisher 'fil'. Use one of {', '.join(KNOWN)}. Did you mean 'file'?",
        ),
        (
            "zaqar://?queue=aodh",
            "Tocsin has no zaqar:// publisher: that is one of Ceilometer's. "
            f"Take it out, or use one of {HAVE}. If it fed Aodh, alarms:// takes its place.",
        ),
        (
            "gnocchi://",
            "Tocsin has no gnocchi:// publisher: that is one of Ceilometer's. "
            f"Take it out, or use one of {HAVE}.",
        ),
        (
            "amqp://host/vhost",
            "says not where to publish. Add ?routing_key= with a queue, or ?exchange= with an "
            "exchange to which the event types are the routing keys.",
        ),
        (
            "redis://host/0",
            "says not where to publish. Add ?queue=NAME, or ?exchange=NAME.",
        ),
        ("log://console", "log:// takes no host, path or options. Write just log://"),
        ("alarms://?topic=x", "alarms:// takes no host, path or options. Write just alarms://"),
        (
            "http://[::1/",
            "Invalid IPv6 URL. Write a URL, as file:///var/log/events.json.",
        ),
    ],
)
def test_a_url_without_publisher_says_what_there_is(url: str, message: str) -> None:
    """events-in 29: an unknown scheme is an error, never a log line."""
    with pytest.raises(InvalidValue) as caught:
        publishers.from_url(url)

    assert str(caught.value) == message


def test_a_url_has_one_publisher_in_a_process() -> None:
    kept = Publishers()

    assert kept.get("test://") is kept.get("test://")
    assert kept.get("test://") is not kept.get("log://")


def test_test_publisher_keeps_events_in_order() -> None:
    publisher = publishers.from_url("test://")
    events = [an_event(), an_event()]

    publisher.publish(events[:1])
    publisher.publish(events[1:])

    assert isinstance(publisher, TestPublisher)
    assert list(publisher.events) == events


def test_log_publisher_writes_a_line_with_the_traits() -> None:
    with structlog.testing.capture_logs() as lines:
        publishers.from_url("log://").publish([event := an_event(host="a", vcpus=4)])

    assert lines == [
        {
            "event": "event",
            "log_level": "info",
            "message_id": event.message_id,
            "event_type": event.event_type,
            "generated": "2026-01-02T12:00:00+00:00",
            "traits": {"host": "a", "vcpus": "4"},
        }
    ]


def test_alarms_publisher_takes_events_that_the_worker_has_evaluated() -> None:
    publisher = publishers.from_url("alarms://")

    publisher.publish([an_event()])

    assert publisher.url == "alarms://"
