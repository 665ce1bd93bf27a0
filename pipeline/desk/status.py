"""The state of the whole at the desk: for who is held to no projects, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Parts
from pipeline.masking import mask_url
from pipeline.store.guards import SparedReceiver
from pipeline.store.status import Backlog, Counts, Recent
from pipeline.times import plain

_LATELY = timedelta(minutes=5)


class LocalStatus:
    """`desk.kept.Status`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def counts(self) -> Document:
        """How much of everything there is, and what wants a person."""
        self._caller.require_all(Permission.AUDIT)
        store, now = self._parts.store, self._parts.clock()
        return {
            "database": store.name,
            **counts_document(store.counts(), now),
            "unpublished_by_publisher": _by_publisher(store.backlog().unpublished),
            "transitions_last_5_minutes": store.recent(now - _LATELY).transitions,
        }

    def recent(self) -> Document:
        """The last five minutes and what waits, at a bounded cost."""
        self._caller.require_all(Permission.AUDIT)
        store, now = self._parts.store, self._parts.clock()
        return {
            "now": plain(now),
            "database": store.name,
            "backlog": backlog_document(store.backlog(), now),
            "recent": recent_document(store.recent(now - _LATELY)),
        }

    def costly(self) -> list[Document]:
        """What can cost most to match."""
        self._caller.require_all(Permission.AUDIT)
        return [
            {"project_id": project_id, "event_type": event_type, "alarms": alarms}
            for project_id, event_type, alarms in self._parts.costly_alarms()
        ]


def counts_document(counts: Counts, now: datetime) -> Document:
    """How much of everything there is."""
    return {
        "alarms": counts.alarms,
        "alarms_by_state": dict(counts.alarms_by_state),
        "revision": counts.revision,
        "firings": counts.firings,
        "deliveries_by_state": dict(counts.deliveries_by_state),
        "oldest_due_seconds": round(_late(counts.oldest_due, now), 1),
        "rejected_events": counts.rejected,
        "unpublished_events": counts.unpublished_events,
        "disabled_actions": [
            {"action": mask_url(action), "reason": reason}
            for action, reason in counts.disabled_actions.items()
        ],
        "spared_receivers": [_spared(each) for each in counts.spared],
    }


def backlog_document(backlog: Backlog, now: datetime) -> Document:
    """What waits."""
    return {
        "pending": backlog.pending,
        "dead": backlog.dead,
        "rejected": backlog.rejected,
        "disabled": backlog.disabled,
        "oldest_due_seconds": _late(backlog.oldest_due, now),
        "unpublished_by_publisher": _by_publisher(backlog.unpublished),
    }


def recent_document(recent: Recent) -> Document:
    """What happened lately."""
    return {
        "transitions": recent.transitions,
        "transitions_per_second": recent.transitions_per_second,
        "fired": [
            {
                "alarm_id": each.alarm_id,
                "name": each.name,
                "severity": each.severity,
                "state": each.state,
                "last_at": plain(each.last_at),
                "times": each.times,
            }
            for each in recent.fired
        ],
        "receivers": [
            {
                "receiver": each.receiver,
                "attempts": dict(each.attempts),
                "mean_seconds": each.mean_seconds,
                "slowest_seconds": each.slowest_seconds,
                "waiting": each.waiting,
                "breaker": each.breaker,
            }
            for each in recent.receivers
        ],
    }


def _spared(each: SparedReceiver) -> Document:
    return {
        "receiver": each.receiver,
        "state": each.state,
        "since": plain(each.since),
        "next_try": plain(each.probe_at),
        "last_error": each.last_error,
    }


def _by_publisher(unpublished: Mapping[str, int]) -> list[Document]:
    """So many publications by the publisher's URL, as it may be shown."""
    by_shown: dict[str, int] = {}
    for url, count in unpublished.items():
        by_shown[mask_url(url)] = by_shown.get(mask_url(url), 0) + count
    return [{"publisher": url, "publications": by_shown[url]} for url in sorted(by_shown)]


def _late(oldest_due: datetime | None, now: datetime) -> float:
    return max((now - oldest_due).total_seconds(), 0.0) if oldest_due else 0.0
