"""`store://`: the event archive, in Tocsin's own database.

Events are kept as `tocsin event` finds them, one for each message id, until they are too old or
too many (`retention.events_days` and the settings beside it). Two processes, or a batch that
comes again, may publish the same event.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import PublishFailed, StoreUnavailable
from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import expect_bare


class StorePublisher:
    """Keeps events in the event archive."""

    def __init__(self, url: str, tools: Tools) -> None:
        expect_bare(url)
        self.url = url
        self._archive = tools.archive

    def publish(self, events: Sequence[Event]) -> None:
        """Commit the events to the archive. Raises `PublishFailed` when the store is away."""
        if self._archive is None:
            raise PublishFailed(f"{self.url}: there is no store here to keep events in")
        try:
            self._archive.keep_events(events)
        except StoreUnavailable as error:
            raise PublishFailed(str(error)) from error

    def close(self) -> None:
        """The store is not the publisher's to close."""
