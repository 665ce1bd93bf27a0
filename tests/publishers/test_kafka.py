"""What Kafka's client gives up by itself is told of, and not lost (delivery 1)."""

from __future__ import annotations

import confluent_kafka
import pytest

from pipeline import publishers
from pipeline.errors import PublishFailed

from builders import an_event
from publishers.sinks import QUICK


def test_what_a_broker_that_went_away_did_not_take_is_told_of() -> None:
    """The client's own `flush` returns as if all were well."""
    brokers = confluent_kafka.Producer(
        {"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0}
    )
    (broker,) = brokers.list_topics(timeout=10).brokers.values()
    publisher = publishers.from_url(
        f"confluentkafka://{broker.host}:{broker.port}?queue=events", QUICK
    )
    publisher.publish([an_event(), an_event()])
    assert taken(broker) == 2

    del brokers  # the broker ends with it
    with pytest.raises(PublishFailed, match="timed out") as failure:
        publisher.publish([an_event(), an_event()])
    assert list(failure.value.left or ()) == [0, 1]
    publisher.close()


def taken(broker: confluent_kafka.admin.BrokerMetadata) -> int:
    """How many messages are in the topic."""
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "x", "log_level": 0}
    )
    partitions = [confluent_kafka.TopicPartition("events", number) for number in range(4)]
    ends = [reader.get_watermark_offsets(one, timeout=10)[1] for one in partitions]
    reader.close()
    return sum(ends)
