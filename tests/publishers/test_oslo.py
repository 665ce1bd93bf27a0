"""`oslo://` publishes notifications as services send them: oslo.messaging's listener has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import oslo_messaging
import pytest
from oslo_config import cfg

from pipeline import publishers, yaml_source
from pipeline.envelope import Envelope, open_envelope
from pipeline.errors import InvalidValue
from pipeline.event import Event
from pipeline.normalise import Normaliser, compiled
from pipeline.normalise.settings import SHIPPED_DEFINITIONS
from pipeline.publishers.oslo import OsloPublisher
from pipeline.self_notification import is_self_notification, self_notification
from pipeline.settings import told_to

from builders import NOON, an_event
from listeners.rabbitmq_broker import Broker as Rabbit
from messages import opened
from waiting import eventually

ENTRY = {
    "event_id": "h-1",
    "alarm_id": "a-1",
    "type": "state transition",
    "detail": '{"state": "alarm", "transition_reason": "because"}',
    "severity": "low",
    "project_id": "",
    "user_id": "",
    "on_behalf_of": "p-1",
    "timestamp": NOON,
}


class Heard:
    """An endpoint of a notification listener."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def info(self, *call: Any) -> None:
        self.calls.append(call)


def a_url(amqp_url: str, topic: str) -> str:
    parts = urlsplit(amqp_url)
    return f"oslo://{parts.netloc}{parts.path}?topic={topic}&exchange={topic}"


def test_oslo_listener_hears_of_a_transition_as_from_aodh(amqp_url: str, topic: str) -> None:
    """alarms 25"""
    conf = cfg.ConfigOpts()
    conf([], project="test", default_config_files=[])
    transport = oslo_messaging.get_notification_transport(
        conf, amqp_url.replace("amqp://", "rabbit://")
    )
    conf.set_override("control_exchange", topic)
    heard = Heard()
    target = oslo_messaging.Target(topic=topic)
    listener = oslo_messaging.get_notification_listener(
        transport, [target], [heard], executor="threading"
    )
    publisher = publishers.from_url(a_url(amqp_url, topic))
    publisher.publish([self_notification(ENTRY, "tocsin.evaluator")])
    listener.start()
    try:
        eventually(lambda: heard.calls, "the notification")
    finally:
        listener.stop()
        listener.wait()
        transport.cleanup()
        publisher.close()
    context, publisher_id, event_type, payload, metadata = heard.calls[0]
    assert event_type == "alarm.state_transition"
    assert publisher_id == "tocsin.evaluator"
    assert metadata["message_id"] == "h-1"
    assert context.get("project_id") == "p-1"
    assert payload == ENTRY | {
        "detail": {"state": "alarm", "transition_reason": "because"},
        "timestamp": "2026-01-02T12:00:00",
    }


def test_event_without_a_payload_has_its_traits_for_one(amqp_url: str, topic: str) -> None:
    publisher = publishers.from_url(a_url(amqp_url, topic))
    publisher.publish([an_event(host="a", vcpus=4, priority="error")])
    publisher.publish([an_event(host="b")])
    publisher.close()
    with Rabbit(amqp_url).channel() as channel:
        _, _, body = channel.basic_get(f"{topic}.error", auto_ack=True)
    envelope = open_envelope(body)
    assert isinstance(envelope, Envelope)
    assert envelope.priority == "error"
    assert envelope.document["payload"] == {"host": "a", "vcpus": 4, "priority": "error"}
    assert Rabbit(amqp_url).ready(f"{topic}.info") == 1


def test_what_comes_in_again_is_a_self_notification(amqp_url: str, topic: str) -> None:
    """Of the same id, type, project and state: an alarm may be about it, and is not told of."""
    sent = self_notification(ENTRY, "tocsin.evaluator")
    publisher = publishers.from_url(a_url(amqp_url, topic))
    publisher.publish([sent])
    publisher.close()
    with Rabbit(amqp_url).channel() as channel:
        _, _, body = channel.basic_get(f"{topic}.info", auto_ack=True)
    definitions = compiled(yaml_source.load_file(SHIPPED_DEFINITIONS))
    (came,) = Normaliser(definitions).events(opened(body))
    assert isinstance(came, Event)
    assert is_self_notification(came)
    assert came.message_id == sent.message_id
    assert came.generated == sent.generated
    assert sent.values.items() <= came.values.items()


def test_it_is_made_for_oslo_urls() -> None:
    assert isinstance(publishers.from_url("oslo://"), OsloPublisher)


@pytest.mark.parametrize("url", ["oslo://?topics=a", "oslo:///notifications", "oslo://?driver=x"])
def test_url_that_cannot_be_used_is_told_of(url: str) -> None:
    with pytest.raises(InvalidValue):
        publishers.from_url(url)


def test_self_notifications_do_not_go_to_alarms() -> None:
    with pytest.raises(InvalidValue, match="takes events from the bus only"):
        told_to("alarms://")
