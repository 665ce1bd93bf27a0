"""Digest: what tells of many notifications together (delivery 12). Pure.

Called by the store when it combines what waits for a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pipeline.notification import Notification, Occurrence
from pipeline.severity import RANKS, UNKNOWN

DIGEST: Final = "digest"
MOST_NAMED: Final = 20
"""How many notifications a digest names; the others are counted."""

_TITLES: Final = ("title", "summary", "subject", "target", "job", "host", "text")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is combined: how many of each severity, made between when and when, and the `first`."""

    severities: Mapping[str, int]
    since: datetime
    until: datetime
    first: Sequence[Notification]

    @property
    def severity(self) -> str:
        """That of the most severe."""
        return max(self.severities, key=_rank, default=UNKNOWN)


def digest(target: str, gathered: Gathered) -> Occurrence:
    """What is told of these to a target."""
    by_rank = sorted(gathered.severities, key=lambda word: (-_rank(word), word))
    return Occurrence(
        DIGEST,
        {
            "count": sum(gathered.severities.values()),
            "target": target,
            "since": gathered.since.isoformat(),
            "until": gathered.until.isoformat(),
            "severities": {word: gathered.severities[word] for word in by_rank},
            "notifications": [_line(told) for told in gathered.first[:MOST_NAMED]],
        },
    )


def title_of(told: Notification) -> str:
    """A notification in a few words: `disk full: alarm`."""
    if alarm := told.alarm:
        return f"{alarm.alarm_name or alarm.alarm_id}: {alarm.current.value}"
    text = next((told.fields[name] for name in _TITLES if told.fields.get(name)), "")
    first = str(text).strip().splitlines()[:1]
    return f"{told.kind}: {first[0]}" if first else told.kind


def _rank(severity: str) -> int:
    return RANKS.get(severity, 0)


def _line(told: Notification) -> dict[str, Any]:
    return {
        "title": title_of(told),
        "severity": told.severity,
        "kind": told.kind,
        "created_at": told.created_at.isoformat(),
    }
