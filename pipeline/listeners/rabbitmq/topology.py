"""Finds the queues to listen on, and declares what is missing without harm to publishers.

A queue declared with other flags than the services use stops the *services*: each notification is
then refused to them and lost. So what exists is only looked at (passive declare). A missing queue
is declared only when nothing speaks against our flags: they are first tried on something that
exists, another queue or else the exchanges, where a difference costs us a channel and nobody
anything, and tells what the broker has. On a difference the queue is left for its publisher to
declare, and a person is told which settings to change.

Exchanges are never declared. A publisher declares exchange, queue and binding before its first
message, so a missing exchange has no message for us; and fifteen exchanges with guessed flags
could only stop the services to come. (The exchange for what the broker drops is nobody's but ours,
and is declared.) Queues are bound to every configured exchange there is,
which mends what a deleted queue leaves: publishers that believe it is still bound.

Called by the lookout when the listener has connected, and again while a queue is missing. Asks on
a channel of its own, as RabbitMQ closes the channel to say no.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from pika.exceptions import ChannelClosedByBroker

from pipeline.listeners.rabbitmq import refusals
from pipeline.listeners.rabbitmq.settings import Flags, RabbitmqSettings

_NOT_FOUND, _PRECONDITION_FAILED = 404, 406
_MOST_DIFFERENCES = 20

Ask: TypeAlias = Callable[[Any], None]
Declare: TypeAlias = Callable[[str, Flags, Any], None]


class Topology:
    """The queues and exchanges of one broker, through one connection.

    `complain` is called with each thing that a person has to mend, once for the same text.
    """

    def __init__(
        self, settings: RabbitmqSettings, connection: Any, complain: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._complain = complain
        self._channel: Any = None
        self._told: set[str] = set()
        self._prepared = False

    def ready(self, wanted: Sequence[str], known: Sequence[str] = ()) -> list[str]:
        """Those of the wanted queues that can be listened to now, declared and bound if need be.

        `known` are queues that exist for certain, as they are being listened to.
        """
        self._prepare_for_dead_letters()
        found = [queue for queue in wanted if self._has_queue(queue)]
        missing = [queue for queue in wanted if queue not in found]
        if not found and not (missing and self._settings.declare):
            return found
        exchanges = [name for name in self._settings.exchanges if self._has_exchange(name)]
        if missing and self._settings.declare and self._agreed([*known, *found], exchanges):
            found += [queue for queue in missing if self._declare(queue)]
        for queue in found:
            self._bind(queue, exchanges)
        return found

    def _prepare_for_dead_letters(self) -> None:
        """See to it that what the broker drops finds an exchange, and a queue behind it."""
        exchange = self._settings.dead_letter_exchange
        if not exchange or self._prepared:
            return
        self._prepared = True
        has_exchange = self._has_exchange(exchange)
        if not has_exchange and not self._settings.declare:
            self._say(
                f"The broker has no exchange {exchange!r}, and loses what it drops. Declare it, "
                "with a queue bound to it, or set rabbitmq.declare: true."
            )
            return
        if not has_exchange:
            self._allowed(f"declare exchange {exchange!r}", partial(_declare_kept, exchange))
        # Bound again each time: a listener may have ended between declaring and binding.
        if self._has_queue(exchange):
            self._allowed(f"bind queue {exchange!r}", partial(_bind_kept, exchange))

    def waiting(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait in each of the queues, without those that are on their way to
        somebody. A queue that is not there is left out."""
        counts: dict[str, int] = {}
        for queue in queues:
            self._attempt(partial(_count_waiting, queue, counts))
        return counts

    def _has_queue(self, queue: str) -> bool:
        return self._allowed(f"look at queue {queue!r}", partial(_find_queue, queue))

    def _has_exchange(self, exchange: str) -> bool:
        return self._allowed(f"look at exchange {exchange!r}", partial(_find_exchange, exchange))

    def _agreed(self, queues: Sequence[str], exchanges: Sequence[str]) -> bool:
        """Whether nothing that exists speaks against declaring with our flags."""
        if queues:
            return self._same_flags("queue", queues[0], _declare_queue)
        return all(self._same_flags("exchange", name, _declare_exchange) for name in exchanges)

    def _same_flags(self, kind: str, name: str, declare: Declare) -> bool:
        """Try our flags on what exists; on a difference learn the others too, and complain."""
        flags, differences = self._settings.queue_flags(), list[refusals.Difference]()
        adopted: Flags | None = flags
        while adopted and len(differences) < _MOST_DIFFERENCES:
            found = _difference(self._attempt(partial(declare, name, adopted)))
            if found is None:
                break
            differences.append(found)
            adopted = refusals.adopted(adopted, found)
        if differences:
            self._say(
                f"The broker's {kind} {name!r} differs from the settings, so missing queues are "
                f"left for the services to declare. {refusals.remedy(differences)}"
            )
        return not differences

    def _declare(self, queue: str) -> bool:
        return self._allowed(
            f"declare queue {queue!r}",
            partial(_declare_queue, queue, self._settings.queue_flags()),
            "or set rabbitmq.declare: false, so that only the services declare.",
        )

    def _bind(self, queue: str, exchanges: Sequence[str]) -> None:
        for exchange in exchanges:
            self._allowed(
                f"bind queue {queue!r} to exchange {exchange!r}",
                partial(_bind_queue, queue, exchange),
                "or bind it there yourself. What is bound already is listened to.",
            )

    def _allowed(self, action: str, ask: Ask, otherwise: str = "") -> bool:
        """Whether the broker did as asked. Complains of a no, but not where a thing is missing."""
        refusal = self._attempt(ask)
        if refusal is not None and refusal.reply_code != _NOT_FOUND:
            code, text = refusal.reply_code, refusal.reply_text
            self._say(refusals.explained(action, code, text, otherwise))
        return refusal is None

    def _attempt(self, ask: Ask) -> ChannelClosedByBroker | None:
        if self._channel is None or self._channel.is_closed:
            self._channel = self._connection.channel()
        try:
            ask(self._channel)
        except ChannelClosedByBroker as refusal:
            return refusal
        return None

    def _say(self, complaint: str) -> None:
        if complaint not in self._told:
            self._told.add(complaint)
            self._complain(complaint)


def _find_queue(queue: str, channel: Any) -> None:
    channel.queue_declare(queue, passive=True)


def _count_waiting(queue: str, counts: dict[str, int], channel: Any) -> None:
    counts[queue] = channel.queue_declare(queue, passive=True).method.message_count


def _find_exchange(exchange: str, channel: Any) -> None:
    channel.exchange_declare(exchange, passive=True)


def _declare_queue(queue: str, flags: Flags, channel: Any) -> None:
    durable, auto_delete, arguments = flags
    channel.queue_declare(queue, durable=durable, auto_delete=auto_delete, arguments=arguments)


def _declare_exchange(exchange: str, flags: Flags, channel: Any) -> None:
    durable, auto_delete, _ = flags
    channel.exchange_declare(exchange, "topic", durable=durable, auto_delete=auto_delete)


def _bind_queue(queue: str, exchange: str, channel: Any) -> None:
    channel.queue_bind(queue, exchange, routing_key=queue)


def _declare_kept(name: str, channel: Any) -> None:
    """An exchange for what the broker drops, and the queue of the same name that keeps it."""
    channel.queue_declare(name, durable=True)
    channel.exchange_declare(name, "topic", durable=True)


def _bind_kept(name: str, channel: Any) -> None:
    channel.queue_bind(name, name, routing_key="#")


def _difference(refusal: ChannelClosedByBroker | None) -> refusals.Difference | None:
    if refusal is None or refusal.reply_code != _PRECONDITION_FAILED:
        return None
    return refusals.difference(refusal.reply_text)
