"""Times in documents: as Aodh writes them, ISO 8601 in UTC without a zone; and as they are read.

Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.errors import InvalidValue


def plain(moment: datetime | None) -> str | None:
    """`2026-01-02T12:00:00`, or None."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() if moment else None


def utc(moment: datetime, name: str) -> datetime:
    """The same moment in UTC; `name` is the field's that it was given for.

    Raises `InvalidValue` for one that the calendar does not reach.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidValue(
            f"{name}: {moment.isoformat()} is beyond the calendar.", name
        ) from error
