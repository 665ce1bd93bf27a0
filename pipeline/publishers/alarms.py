"""`alarms://`: the alarms of this process look at the event.

The worker evaluates the events of a route that has this sink itself, before anything is
published; so there is nothing left to publish. It is a publisher all the same, so that it can
stand in pipelines.yaml like every other sink.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.event import Event
from pipeline.publishers.base import Tools
from pipeline.publishers.url_options import expect_bare


class AlarmsPublisher:
    """Marks a sink whose events the alarms look at."""

    def __init__(self, url: str, tools: Tools) -> None:
        expect_bare(url)
        self.url = url

    def publish(self, events: Sequence[Event]) -> None:
        """Nothing: the worker has evaluated them."""

    def close(self) -> None:
        """Nothing is held."""
