"""What a publisher is: a sink for events at a URL.

`alarms://` is no publisher in this sense: it marks a sink whose events the worker evaluates
against the alarms in this process (`pipeline.routing` knows it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.event import Event


class Publisher(Protocol):
    """Takes events for one URL. Made once per distinct URL, by `publishers.from_url(url)`."""

    url: str

    def publish(self, events: Sequence[Event]) -> None:
        """Publish all events, in order. Raises `PublishFailed` if any was not taken.

        May be called again with the same events: what is published is published at least once.
        """

    def close(self) -> None:
        """Write out what is held and let go of files and connections."""
