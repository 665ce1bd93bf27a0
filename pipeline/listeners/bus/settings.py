"""What an operator can set of the bus listener (`bus.*`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """The settings `bus.*`."""

    urls: tuple[str, ...] = option(
        (),
        "Where to listen through kombu, a listener for each: redis://:password@host:6379/0, "
        "rediss:// for TLS, filesystem:///folder, memory://, amqp://, sqs://, "
        "confluentkafka://host:9092. What each guarantees is in docs/listeners.md.",
    )
    queues: tuple[str, ...] = option(
        ("notifications",), "The queues to listen on, each of them on every URL; Kafka's topics."
    )
    exchange: str = option(
        "", "The topic exchange to bind the queues to, by their names. Empty: none is needed."
    )
    declare: bool = option(
        True, "Declare exchange, queues and bindings; false: they are there, or it is tried again."
    )
    durable: bool = option(True, "Exchange and queues are declared durable (AMQP).")
    prefetch: int = option(
        1000, "How many messages are sent ahead of acknowledgement (AMQP).", minimum=1
    )
    batch_size: int = option(
        500, "How many messages at most are worked on and acknowledged together.", minimum=1
    )
    batch_wait_seconds: float = option(
        0.05,
        "How long a batch may gather while messages keep coming. When none is there, a batch "
        "never waits.",
        minimum=0,
    )
    poll_seconds: float = option(
        0.05,
        "How often transports that have to be asked (Redis, filesystem) are, while there is "
        "nothing.",
        minimum=0.001,
    )
    visibility_timeout_seconds: float = option(
        60.0,
        "After how long the messages of a listener that died are given to another (Redis, "
        "filesystem, SQS). On the first two a listener that lives renews its claim, however long "
        "its commit takes.",
        minimum=1,
    )
    heartbeat_seconds: int = option(
        60, "After how long a silence the connection counts as dead (AMQP).", minimum=2
    )
    connect_timeout_seconds: float = option(
        5.0, "How long to wait for a connection, and for Redis to answer.", minimum=0.1
    )
    reconnect_min_seconds: float = option(
        0.5, "The first wait before connecting again; each further one is twice as long.",
        minimum=0.01,
    )  # fmt: skip
    reconnect_max_seconds: float = option(
        30.0, "The longest wait before connecting again.", minimum=0.01
    )
    tls_ca_file: str | None = option(
        None,
        "For amqps:// and rediss://: the CA certificates (PEM) to trust in place of the system's.",
        path=True,
    )
    transport_options: Mapping[str, Any] = option(
        {},
        "Options that kombu's transport takes: region (SQS), kafka_common_config, "
        "global_keyprefix (Redis), and the like.",
    )
