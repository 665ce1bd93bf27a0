"""A refusal by the broker says what it has and what to set; a wrong URL says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidValue
from pipeline.listeners.backoff import Backoff
from pipeline.listeners.rabbitmq import RabbitmqSettings
from pipeline.listeners.rabbitmq.refusals import (
    Difference,
    adopted,
    difference,
    explained,
    remedy,
)
from pipeline.listeners.rabbitmq.settings import Flags

from listeners.contract import RecordingWorker
from listeners.rabbitmq_broker import a_listener, settings_for

# As RabbitMQ 3.10 words them.
QUEUE_TEXT = (
    "PRECONDITION_FAILED - inequivalent arg '{0}' for queue 'notifications.info' in vhost '/': "
    "received {1} but current is {2}"
)
EXCHANGE_TEXT = QUEUE_TEXT.replace("queue", "exchange")


@pytest.mark.parametrize(
    ("text", "expected", "advice"),
    [
        (
            QUEUE_TEXT.format("durable", "'false'", "'true'"),
            Difference("durable", True),
            "Set rabbitmq.durable: true.",
        ),
        (
            QUEUE_TEXT.format("auto_delete", "'true'", "'false'"),
            Difference("auto_delete", False),
            "Set rabbitmq.auto_delete: false.",
        ),
        (
            QUEUE_TEXT.format("x-queue-type", "none", "the value 'quorum' of type 'longstr'"),
            Difference("x-queue-type", "quorum"),
            "Set rabbitmq.queue_type: quorum.",
        ),
        (
            QUEUE_TEXT.format("x-queue-type", "the value 'quorum' of type 'longstr'", "none"),
            Difference("x-queue-type", None),
            "Set rabbitmq.queue_type: classic.",
        ),
        (
            QUEUE_TEXT.format("x-delivery-limit", "none", "the value '5' of type 'signedint'"),
            Difference("x-delivery-limit", 5),
            "Set x-delivery-limit: 5 in rabbitmq.queue_arguments.",
        ),
        (
            QUEUE_TEXT.format("x-delivery-limit", "'6'", "'5'"),
            Difference("x-delivery-limit", 5),
            "Set x-delivery-limit: 5 in rabbitmq.queue_arguments.",
        ),
        (
            QUEUE_TEXT.format("x-max-length", "the value '7' of type 'signedint'", "none"),
            Difference("x-max-length", None),
            "Take x-max-length out of rabbitmq.queue_arguments.",
        ),
        (
            QUEUE_TEXT.format(
                "x-dead-letter-exchange", "the value 'dropped' of type 'longstr'", "none"
            ),
            Difference("x-dead-letter-exchange", None),
            "Leave rabbitmq.dead_letter_exchange empty.",
        ),
        (
            QUEUE_TEXT.format(
                "x-dead-letter-routing-key", "none", "the value 'k' of type 'longstr'"
            ),
            Difference("x-dead-letter-routing-key", "k"),
            "Set rabbitmq.dead_letter_routing_key: k.",
        ),
        (
            EXCHANGE_TEXT.format("type", "'topic'", "'fanout'"),
            Difference("type", "fanout"),
            "take it out of rabbitmq.exchanges.",
        ),
        (
            QUEUE_TEXT.format("exclusive", "'false'", "'true'"),
            Difference("exclusive", True),
            "No setting of Tocsin can match this",
        ),
    ],
)
def test_a_precondition_failed_tells_what_the_broker_has_and_what_to_set(
    text: str, expected: Difference, advice: str
) -> None:
    """events-in 4"""
    found = difference(text)
    assert found == expected
    assert advice in remedy([found])


def test_other_preconditions_are_no_difference_of_flags() -> None:
    text = "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'"
    assert difference(text) is None
    assert explained("declare queue 'q'", 406, text) == (
        f"The broker refuses to declare queue 'q': 406 {text}."
    )


def test_a_quorum_queue_asks_for_one_setting_not_for_what_follows_from_it() -> None:
    text = remedy([Difference("durable", True), Difference("x-queue-type", "quorum")])
    assert text == "It has durable true, x-queue-type quorum. Set rabbitmq.queue_type: quorum."


def test_a_difference_can_be_adopted_to_learn_the_next() -> None:
    flags = Flags(False, False, {"x-max-length": 7})
    assert adopted(flags, Difference("durable", True)) == Flags(True, False, {"x-max-length": 7})
    assert adopted(flags, Difference("auto_delete", True)) == flags._replace(auto_delete=True)
    assert adopted(flags, Difference("x-max-length", None)) == Flags(False, False, {})
    assert adopted(flags, Difference("x-expires", 9)) == flags._replace(
        arguments={"x-max-length": 7, "x-expires": 9}
    )


@pytest.mark.parametrize(
    "found", [Difference("exclusive", True), Difference("type", "fanout"), Difference("x-a", None)]
)
def test_what_no_setting_can_say_is_not_adopted(found: Difference) -> None:
    assert adopted(Flags(False, False, {}), found) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Flags(False, False, {})),
        ({"durable": True}, Flags(True, False, {})),
        ({"queue_type": "quorum"}, Flags(True, False, {"x-queue-type": "quorum"})),
        (
            {"queue_type": "quorum", "auto_delete": True, "queue_arguments": {"x-a": 1}},
            Flags(True, False, {"x-queue-type": "quorum", "x-a": 1}),
        ),
    ],
)
def test_flags_follow_the_publishers_options(changes: dict[str, Any], expected: Flags) -> None:
    assert RabbitmqSettings(**changes).queue_flags() == expected


def test_queues_are_named_by_topic_and_priority_each_once() -> None:
    """events-in 4"""
    settings = RabbitmqSettings(topics=("a", "b", "a"), priorities=("info", "error"))
    assert settings.queue_names() == ("a.info", "a.error", "b.info", "b.error")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("rabbit://u:s3cret@h:5672/", "oslo.messaging's rabbit:// is amqp:// here"),
        ("https://u:s3cret@h/", "does not begin with amqp:// or amqps://"),
        ("amqp://u:s3cret@/", "names no host"),
        ("amqp://u:s3cret@h:port/", "is not amqp://user:password@host:port/vhost"),
        ("amqp://u:s3cret@h/%2F?heartbeat=5", "rabbitmq.heartbeat_seconds"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        a_listener(url, settings_for("t"), RecordingWorker())
    assert message in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert refused.value.field == "rabbitmq.urls"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("amqp://guest:s3cret@localhost:5672/%2F", "rabbitmq localhost/"),
        ("amqp://guest:s3cret@localhost", "rabbitmq localhost/"),
        ("amqp://guest:s3cret@rabbit-1:5673/nova", "rabbitmq rabbit-1:5673/nova"),
        ("amqps://guest:s3cret@rabbit-1/nova", "rabbitmq rabbit-1/nova"),
    ],
)
def test_a_listener_is_named_after_its_broker(url: str, name: str) -> None:
    assert a_listener(url, settings_for("t"), RecordingWorker()).name == name


@pytest.mark.parametrize("setting", ["tls_ca_file", "tls_cert_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_tls_file_is_named_with_its_setting(
    tmp_path: Path, setting: str, content: str | None
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidValue) as refused:
        a_listener("amqps://h/", settings_for("t", **{setting: str(path)}), RecordingWorker())
    assert refused.value.field == f"rabbitmq.{setting}"
    assert str(path) in str(refused.value)


def test_waits_double_up_to_the_longest_and_jitter_only_shortens_them() -> None:
    steady = Backoff(0.5, 3.0, lambda: 0.0)
    assert [steady.step() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    steady.reset()
    assert steady.step() == 0.5
    assert Backoff(0.5, 3.0, lambda: 0.8).step() == pytest.approx(0.3)
