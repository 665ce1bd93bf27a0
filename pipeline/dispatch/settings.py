"""The settings of dispatch."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.options import option


@dataclass(frozen=True, slots=True)
class NotificationsSettings:
    """The settings `notifications.*`."""

    timezone: str = option(
        "",
        "The time zone of matchers' calendars, an IANA name such as Europe/Ljubljana. Empty: UTC.",
    )
