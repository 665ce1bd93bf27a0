"""Normaliser: an opened notification → its event.

Pure and quick: it runs for every message. The worker calls `normalise` for each envelope and
reads the counters; `tocsin normalise` runs `normalised_lines`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from pipeline.captured import read_line
from pipeline.envelope import Envelope, masked, open_envelope
from pipeline.errors import InvalidValue
from pipeline.event import Event, Rejected
from pipeline.normalise.definitions import Definitions
from pipeline.normalise.normalised import events_in, is_list_of_events

_NO_RAW: dict[str, object] = {}


class Normaliser:
    """Makes events by these definitions; and takes those from elsewhere, signed with the secret.

    `dropped` counts notifications that no definition covered, where those are not wanted.
    `unconvertible` counts, by trait name, values that were left out because they did not convert.
    """

    def __init__(
        self,
        definitions: Definitions,
        *,
        drop_unmatched: bool = False,
        store_raw: Collection[str] = (),
        telemetry_secret: str = "",
    ) -> None:
        self._find = definitions.find
        self._drop_unmatched, self._secret = drop_unmatched, telemetry_secret
        self._raw_priorities = frozenset(priority.lower() for priority in store_raw)
        self.dropped = 0
        self.unconvertible: Counter[str] = definitions.unconvertible

    def events(self, envelope: Envelope) -> Sequence[Event | Rejected]:
        """What it holds: an event; none, if it is dropped; or a list (events-in 30)."""
        if is_list_of_events(envelope):
            return events_in(envelope, self._secret)
        event = self.normalise(envelope)
        return () if event is None else (event,)

    def normalise(self, envelope: Envelope) -> Event | Rejected | None:
        """The event of a notification; None for one that is dropped (events-in 20)."""
        message_id, event_type, _, priority, generated, document = envelope
        definition, matched = self._find(event_type)
        if self._drop_unmatched and not matched:
            self.dropped += 1
            return None
        values = definition.extract(document)
        raw = _NO_RAW
        if priority in self._raw_priorities:
            try:
                raw = masked(document)
            except RecursionError:
                return Rejected("The payload is nested too deeply to be kept (store_raw).")
        return Event(message_id, event_type, generated, values, definition.types(values), raw)


def normalised_lines(
    lines: Iterable[bytes], normaliser: Normaliser, *, received_at: datetime | None = None
) -> Iterator[tuple[int, Event | Rejected]]:
    """The event, or the reason for there being none, of each line; lines count from 1.

    Lines are as `pipeline.captured` reads them. Blank ones, and what is dropped, are passed over;
    a line with a list of events gives each of them.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            for result in _normalised_line(line, normaliser, received_at):
                yield number, result


def _normalised_line(
    line: bytes, normaliser: Normaliser, received_at: datetime | None
) -> Sequence[Event | Rejected]:
    try:
        body, content_type, headers, _ = read_line(line)
    except InvalidValue as error:
        return (Rejected(str(error)),)
    opened = open_envelope(body, content_type, headers, received_at=received_at)
    return (opened,) if isinstance(opened, Rejected) else normaliser.events(opened)
