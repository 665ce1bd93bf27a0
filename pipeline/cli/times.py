"""Times on the command line: how they are shown, and how a person may give them.

Used by all commands that show or take a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import iso8601

_AGO = re.compile(r"(?P<count>\d{1,9})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def shown(moment: datetime | None) -> str | None:
    """A time for people: `2026-01-02T12:00:00Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def of_document(text: str) -> datetime:
    """The time that a document has as text (`pipeline.times.plain`)."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(text: str | None) -> str | None:
    """A document's time for people."""
    return shown(of_document(text)) if text else None


class _Moment(click.ParamType[datetime]):
    """ISO 8601, UTC unless it says otherwise; or how long it is from now, into the past or the
    future: `90s`, `15m`, `2h`, `3d`."""

    name = "time"

    def __init__(self, *, ahead: bool = False) -> None:
        self._ahead, self._word = (1, "a time from now") if ahead else (-1, "an age")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if age := _AGO.fullmatch(value):
                now: datetime = ctx.find_root().obj.clock() if ctx else datetime.now(UTC)
                return now + self._ahead * timedelta(**{_UNITS[age["unit"]]: int(age["count"])})
            return iso8601.parse_date(value).astimezone(UTC)
        except (iso8601.ParseError, OverflowError):
            self.fail(
                f"{value!r} is no time. Give 2026-01-02T12:00:00Z, or {self._word} such as 15m, "
                "2h, 3d.",
                param,
                ctx,
            )


MOMENT = _Moment()
AHEAD = _Moment(ahead=True)
