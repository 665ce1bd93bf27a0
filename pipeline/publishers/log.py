"""`log://`: one line in Tocsin's own log for each event, at level info."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import expect_bare


class LogPublisher:
    """Writes events to the log."""

    def __init__(self, url: str, tools: Tools) -> None:
        expect_bare(url)
        self.url = url
        self._log = tools.log

    def publish(self, events: Sequence[Event]) -> None:
        """Log each event with its traits. Nothing that a log does fails."""
        for event in events:
            self._log.info(
                "event",
                message_id=event.message_id,
                event_type=event.event_type,
                generated=event.generated.isoformat(),
                traits={name: str(value) for name, value in event.values.items()},
            )

    def close(self) -> None:
        """Nothing is held."""
