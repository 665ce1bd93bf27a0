"""What the notifier asks of the store to spare receivers (delivery 8, 11, 12).

`pipeline.store.sql` carries this out; what is decided stands in `pipeline.guards`. All of it is
state of the store, so notifiers agree without knowing each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from pipeline.access import LOCAL, Caller
from pipeline.guards import Breaker, BreakerRules, PaceRules
from pipeline.notification import Delivery, Notification


class Guarding(Protocol):
    """What is known outside of the store when attempts are recorded. Called in its transaction,
    so nothing of it may wait for anything."""

    @property
    def rules(self) -> BreakerRules:
        """When a breaker opens."""

    def fallback(self, action: str) -> str | None:
        """The action that takes what this one could not deliver (delivery 11); None: nobody."""

    def plan(self, notification: Notification) -> Sequence[str]:
        """Where a notification of the store's own goes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A receiver is left alone from now on."""

    receiver: str
    error: str
    probe_at: datetime


@dataclass(frozen=True, slots=True)
class Closed:
    """A receiver takes deliveries again."""

    receiver: str
    open_since: datetime


@dataclass(frozen=True, slots=True)
class Disabled:
    """A target, or an action, is told nothing any more."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class HandedOn:
    """A fallback has taken a dead letter, as a delivery of its own."""

    delivery_id: str
    to: str
    as_delivery_id: str


News: TypeAlias = Opened | Closed | Disabled | HandedOn


@dataclass(frozen=True, slots=True)
class Combined:
    """So many deliveries to a target were combined into a digest."""

    receiver: str
    count: int
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Given:
    """What paced targets were given.

    `more_for` may have more that is due, `look_at` is when more may be given to the others.
    """

    deliveries: Sequence[Delivery]
    more_for: Collection[str] = ()
    look_at: datetime | None = None
    combined: Sequence[Combined] = ()


class GuardedOutbox(Protocol):
    """The notifier's side, of receivers that are spared."""

    def breakers(self) -> Mapping[str, Breaker]:
        """All receivers that have failed lately, by name."""

    def claim_probes(
        self,
        paces: Mapping[str, PaceRules],
        lease: timedelta,
        now: datetime,
        busy: Collection[str] = (),
    ) -> list[Delivery]:
        """Take one due delivery for each receiver whose breaker is half-open; nobody else probes
        it until the lease ends."""

    def claim_paced(
        self,
        paces: Mapping[str, PaceRules],
        limit: int,
        lease: timedelta,
        now: datetime,
        busy: Collection[str] = (),
    ) -> Given:
        """Take for each of these receivers, `limit` at most, what its bounds allow, in order.

        What storms is combined into a digest, which is then taken like any other delivery.
        """

    def enable(self, receiver_or_action: str, by: Caller = LOCAL) -> bool:
        """Let it take deliveries again, its breaker closed; whether that changed anything."""


@dataclass(frozen=True, slots=True)
class SparedReceiver:
    """A receiver that is spared, for people: `open`, `half-open` or `failing`."""

    receiver: str
    state: str
    since: datetime | None
    probe_at: datetime | None
    last_error: str
    failing_since: datetime | None


def spared(receiver: str, breaker: Breaker, now: datetime) -> SparedReceiver:
    """How a receiver stands, for people."""
    state = "failing"
    if breaker.is_open:
        waits = breaker.probe_at is not None and breaker.probe_at > now and not breaker.probe
        state = "open" if waits else "half-open"
    return SparedReceiver(
        receiver,
        state,
        breaker.open_since or breaker.failing_since,
        breaker.probe_at,
        breaker.last_error,
        breaker.failing_since,
    )
