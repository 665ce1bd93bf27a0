"""What people and metrics ask of the store as a whole: counts, what waits, the last minutes.

Values, and the protocol that `pipeline.store.sql.SqlStore` carries out beside those of
`pipeline.store.base`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipeline.store.guards import SparedReceiver


@dataclass(frozen=True, slots=True)
class Counts:
    """What `tocsin status` shows of the store."""

    alarms: int
    alarms_by_state: Mapping[str, int]
    firings: int
    deliveries_by_state: Mapping[str, int]
    oldest_due: datetime | None
    rejected: int
    publications: int
    disabled_actions: Mapping[str, str]
    revision: int
    unpublished_events: int = 0
    spared: Sequence[SparedReceiver] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the store, cheap enough to be asked for every few seconds.

    The numbers are counted up to a bound (`pipeline.store.sql.status`). `unpublished` is by the
    publisher's URL, as it stands in the pipelines file.
    """

    pending: int
    dead: int
    rejected: int
    disabled: int
    unpublished: Mapping[str, int]
    oldest_due: datetime | None
    spared: Sequence[SparedReceiver] = ()


@dataclass(frozen=True, slots=True)
class Fired:
    """An alarm that lately changed its state: to what, when last, and how often."""

    alarm_id: str
    name: str
    severity: str
    state: str
    last_at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class ReceiverLoad:
    """What lately became of the deliveries to one receiver, and how many wait for it.

    `breaker` is `open`, `half-open` or `failing`, `''` for who has not failed.
    """

    receiver: str
    attempts: Mapping[str, int]
    mean_seconds: float
    slowest_seconds: float
    waiting: int
    breaker: str = ""


@dataclass(frozen=True, slots=True)
class Recent:
    """The last minutes, of which a bounded part is looked at.

    `transitions_per_second` is over what was looked at. `fired` has the newest first, `receivers`
    those for which most wait first, then those that take longest.
    """

    transitions: int
    transitions_per_second: float
    fired: Sequence[Fired]
    receivers: Sequence[ReceiverLoad]


class Status(Protocol):
    """A look at the whole."""

    def recent(self, since: datetime) -> Recent:
        """What happened since then, at a bounded cost."""

    def backlog(self) -> Backlog:
        """What waits, at a bounded cost."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` where the database does not answer."""

    def counts(self) -> Counts:
        """Counts of everything, in one read."""
