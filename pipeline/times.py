"""Times in documents: as Aodh writes them, ISO 8601 in UTC without a zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def plain(moment: datetime | None) -> str | None:
    """`2026-01-02T12:00:00`, or None."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None
