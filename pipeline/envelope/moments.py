"""The time formats of the wire → aware UTC datetimes.

Seen there: no zone (UTC is meant), a space or a `T`, no fraction where microseconds are zero,
`Z`, `+00:00`, and CADF's `+0000`. Called for every event, so the common case comes first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import iso8601


def moment(text: Any) -> datetime:
    """The moment that an ISO 8601 text names; UTC where it has no zone. Raises `ValueError`."""
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        # What is left are rarities such as `2026-11` or a single digit for the month.
        parsed = iso8601.parse_date(text)
    return in_utc(parsed)


def in_utc(parsed: datetime) -> datetime:
    """The same moment in UTC; without a zone it is UTC already. Raises `ValueError`."""
    if parsed.tzinfo is UTC:
        return parsed
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    try:
        return parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{parsed} is outside the years 1 to 9999 in UTC") from error
