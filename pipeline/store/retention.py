"""What can be removed from the store when it is old, and how it is asked to remove it.

`pipeline.store.sql.retention` carries this out; `pipeline.pruner` asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kept(StrEnum):
    """What grows: each has an age of its own at which it may go."""

    DELIVERIES = "deliveries"
    """Delivered ones with their attempts; a notification goes with its last delivery."""
    DEAD_LETTERS = "dead_letters"
    FIRINGS = "firings"
    """That an event fired an alarm; with it goes a notification that no delivery is left of."""
    HISTORY = "history"
    """Of alarms."""
    CHANGES = "changes"
    """What people changed of all else."""
    TOKENS = "tokens"
    """API tokens that were revoked, or have expired."""
    REJECTED = "rejected"
    DELETED_ALARMS = "deleted_alarms"
    """That an alarm was deleted, for processes that follow; its history is no part of it."""
    EVENTS = "events"
    """The event archive."""


class Retention(Protocol):
    """Removing in portions, each a short transaction of its own. Pending deliveries never go."""

    def prune(self, kept: Kept, before: datetime, portion: int) -> Iterator[int]:
        """Remove what is from before that time, the oldest first; after each portion, how many.

        History and archive go in the order of their writing: an old row that was written behind
        a whole portion of young ones, by a clock that was wrong, stays until these go.
        """

    def prunable(self, kept: Kept, before: datetime) -> int:
        """How many `prune` would remove."""

    def excess_events(self, most: int | None, most_bytes: int | None) -> tuple[int, int]:
        """By how many events, and by how many bytes of them, the archive is beyond these."""

    def first_events(self, size: int) -> int:
        """How many of the events that were kept first hold so many bytes."""

    def prune_oldest_events(self, events: int, size: int, portion: int) -> Iterator[int]:
        """Remove the events that were kept first until so many, and so many bytes, are gone."""

    def claim_pruning(self, holder: str, now: datetime, until: datetime) -> bool:
        """Take the round, if one is due; nobody else gets it until then.

        One that is due much later than a round is ever put off is taken too: a clock was wrong.
        """

    def hold_pruning(self, holder: str, until: datetime) -> bool:
        """Put off until then when the next round is due. False: another has the round now."""
