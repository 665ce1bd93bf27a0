"""What an operator can set of the RabbitMQ listener (`rabbitmq.*`), and what follows from it.

`durable`, `auto_delete`, `queue_type` and `queue_arguments` say what the *services* use: they
matter only when a queue is missing and has to be declared, and must then be theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.options import option

_EXCHANGES = (
    *("nova", "glance", "neutron", "cinder", "heat", "keystone", "trove", "zaqar", "swift"),
    *("ceilometer", "magnum", "dns", "ironic", "aodh", "openstack"),
)
_PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqSettings:
    """The settings `rabbitmq.*`."""

    urls: tuple[str, ...] = option(
        (),
        "The brokers to listen on: amqp://user:password@host:5672/vhost, or amqps:// for TLS. "
        "Empty: RabbitMQ is not listened to.",
    )
    topics: tuple[str, ...] = option(
        ("notifications",), "The notification topics; Nova's versioned ones need their own."
    )
    event_topics: tuple[str, ...] = option(
        (),
        "Topics of events that were normalised elsewhere, as Ceilometer's notifier:// sends them "
        "to `<topic>.sample`: alarm.all. A queue's messages are shared among its listeners: leave "
        "this empty where a real Aodh listens there.",
    )
    priorities: tuple[str, ...] = option(
        _PRIORITIES,
        "Which priorities to listen to: each topic has one queue a priority.",
        choices=_PRIORITIES,
    )
    exchanges: tuple[str, ...] = option(
        _EXCHANGES,
        "The services' exchanges. The queues are bound to those that exist; a missing one is left "
        "to its service, which declares and binds it before it first sends.",
    )
    declare: bool = option(
        True,
        "Declare queues that do not exist yet, so that they fill before a service first sends. "
        "false: wait until a service has declared them.",
    )
    durable: bool = option(False, "The services set amqp_durable_queues = true.")
    auto_delete: bool = option(
        False,
        "The services set amqp_auto_delete = true. Such a queue goes, with what is in it, when "
        "its last listener disconnects.",
    )
    queue_type: str = option(
        "classic",
        "quorum: the services set rabbit_quorum_queue = true; queues are then always durable.",
        choices=("classic", "quorum"),
    )
    queue_arguments: Mapping[str, Any] = option(
        {},
        "Further queue arguments that the services use: x-delivery-limit, "
        "x-max-in-memory-length, x-max-in-memory-bytes (for rabbit_quorum_…), x-ha-policy: all "
        "(for rabbit_ha_queues).",
    )
    dead_letter_exchange: str = option(
        "",
        "The exchange that gets what the broker drops from the queues: beyond their length or age "
        "limit, or brought too often (quorum). It becomes an argument of the queues that Tocsin "
        "declares, and is declared, with a queue of its name, if missing. OpenStack's services "
        "cannot declare such queues, and are refused: for theirs set a policy at the broker "
        "instead (docs/listeners.md).",
    )
    dead_letter_routing_key: str = option(
        "", "The routing key there; empty: the one that a message had, its queue's name."
    )
    prefetch: int = option(
        5000,
        "How many messages the broker sends ahead of acknowledgement, for each queue. It bounds "
        "the memory used while the database is away; with too few, the broker waits for commits.",
        minimum=1,
    )
    batch_size: int = option(
        500,
        "How many messages at most are worked on together, and how many of their effects are "
        "committed together.",
        minimum=1,
    )
    batch_wait_seconds: float = option(
        0.05,
        "How long a batch may gather while messages keep coming. When none is there, a batch "
        "never waits.",
        minimum=0,
    )
    heartbeat_seconds: int = option(
        60, "After how long a silence the connection counts as dead.", minimum=2
    )
    connect_timeout_seconds: float = option(
        5.0, "How long to wait for an answer from one address of the broker.", minimum=0.1
    )
    handshake_timeout_seconds: float = option(
        15.0, "How long connecting may take as a whole, TLS and login included.", minimum=0.1
    )
    reconnect_min_seconds: float = option(
        0.5, "The first wait before connecting again; each further one is twice as long.",
        minimum=0.01,
    )  # fmt: skip
    reconnect_max_seconds: float = option(
        30.0, "The longest wait before connecting again, or looking again for a missing queue.",
        minimum=0.01,
    )  # fmt: skip
    tls_ca_file: str | None = option(
        None,
        "For amqps://: the CA certificates (PEM) to trust in place of the system's.",
        path=True,
    )
    tls_cert_file: str | None = option(
        None,
        "For amqps://: the client certificate (PEM) to show, if the broker asks for one.",
        path=True,
    )
    tls_key_file: str | None = option(
        None, "The key (PEM) of tls_cert_file, when it is not in the same file.", path=True
    )

    def queue_names(self) -> tuple[str, ...]:
        """Every queue to listen on: `<topic>.<priority>` (events-in 4, 30)."""
        names = [f"{topic}.{priority}" for topic in self.topics for priority in self.priorities]
        names += [f"{topic}.sample" for topic in self.event_topics]
        return tuple(dict.fromkeys(names))

    def queue_flags(self) -> Flags:
        """What a publisher with these settings declares its queues with (data README, Queue)."""
        arguments = {**self._dead_letter_arguments(), **self.queue_arguments}
        if self.queue_type == "quorum":
            return Flags(True, False, {"x-queue-type": "quorum", **arguments})
        return Flags(self.durable, self.auto_delete, arguments)

    def _dead_letter_arguments(self) -> dict[str, Any]:
        if not self.dead_letter_exchange:
            return {}
        key = self.dead_letter_routing_key
        return {
            "x-dead-letter-exchange": self.dead_letter_exchange,
            **({"x-dead-letter-routing-key": key} if key else {}),
        }


class Flags(NamedTuple):
    """What a queue is declared with. Its exchange has the same, but never arguments."""

    durable: bool
    auto_delete: bool
    arguments: dict[str, Any]
