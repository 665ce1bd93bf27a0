"""Past: events and notifications that were there before, to try templates and routes out with.

A person names one: a file with a captured message or a normalised event, the message id of an
event in the archive, or the id of a delivery. Nothing is written. Called by the commands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pipeline.alarms.alarm import Alarm, EventRule, State, Transition
from pipeline.alarms.evaluator import decide
from pipeline.errors import InvalidValue, NotFound
from pipeline.event import Event, Rejected
from pipeline.listeners.replay.lines import Unreadable, lines
from pipeline.normalise import Normaliser, normalised_lines
from pipeline.notification import Delivery, Notification, told

_LONGEST_FILE_BYTES = 64 * 1024 * 1024
_EXAMPLE_ID = "00000000-0000-0000-0000-000000000000"


class Archive(Protocol):
    """What is needed of the store."""

    def archived_event(self, message_id: str) -> tuple[Event, datetime]:
        """An event and when it came, by its id or a unique beginning of it. `NotFound`."""

    def delivery(self, delivery_id: str) -> tuple[Any, Delivery, Any]:
        """A delivery with its record and attempts. Raises `NotFound`."""


@dataclass(frozen=True, slots=True)
class Past:
    """Where to look. `now` is when it is tried out."""

    archive: Archive
    normaliser: Normaliser
    now: datetime

    def find(self, reference: str) -> Event | Notification:
        """The event or the notification that a person means. Raises `NotFound`, or
        `InvalidValue` for a file without an event."""
        if Path(reference).is_file():
            return self._in_file(reference)
        with suppress(NotFound):
            return self.archive.archived_event(reference)[0]
        with suppress(NotFound):
            return self.archive.delivery(reference)[1].notification
        raise NotFound(
            f"{reference} is no file, no event in the archive and no delivery. "
            "See: tocsin event list, tocsin delivery list"
        )

    def fired(
        self, event: Event, alarm: Alarm | None = None, *, again: bool = False
    ) -> Transition:
        """The transition that an event makes of the alarm, or of one that is made up for it.

        `again`: of one that is in state alarm and repeats. Raises `InvalidValue` for an event on
        which the alarm does not fire.
        """
        asked = alarm or _made_up(event, self.now)
        state = State.ALARM if again else State.INSUFFICIENT_DATA
        fresh = replace(asked, enabled=True, state=state, repeat_actions=again)
        made = decide(fresh, event, self.now)
        if made is None:
            raise InvalidValue(f"alarm {asked.name} does not fire on {_named(event)}.")
        return made

    def notification(
        self, reference: str, alarm: Alarm | None = None, *, again: bool = False
    ) -> Notification:
        """What was told, or would be told of the event."""
        found = self.find(reference)
        if isinstance(found, Notification):
            return found
        return told(self.fired(found, alarm, again=again), _EXAMPLE_ID)

    def _in_file(self, name: str) -> Event:
        rejected = ""
        for found in self._events_in(name):
            if isinstance(found, Event):
                return found
            rejected = rejected or found.reason
        why = f": {rejected}" if rejected else "."
        raise InvalidValue(f"{name}: there is no event in it{why}")

    def _events_in(self, name: str) -> Iterator[Event | Rejected]:
        try:
            with open(name, "rb") as file:
                read = [line for line in lines(file.fileno(), lambda count: None) if line]
        except (OSError, Unreadable) as error:
            raise InvalidValue(f"{name}: cannot be read: {error}") from error
        whole = b"\n".join(read)
        if len(whole) <= _LONGEST_FILE_BYTES and (event := _normalised(whole)):
            yield event
            return
        for line in read:
            if event := _normalised(line):
                yield event
            else:
                for _, found in normalised_lines([line], self.normaliser, received_at=self.now):
                    yield found


def _normalised(text: bytes) -> Event | None:
    """An event in its wire form, as `tocsin normalise` prints it; None for anything else."""
    try:
        wire = json.loads(text)
        return Event.from_dict(wire) if isinstance(wire.get("traits"), list) else None
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None


def _made_up(event: Event, now: datetime) -> Alarm:
    return Alarm(
        _EXAMPLE_ID,
        f"example: {event.event_type}",
        EventRule(),
        "Made up to try something out.",
        now,
        now,
        all_projects=True,
    )


def _named(event: Event) -> str:
    return f"event {event.message_id} ({event.event_type})"
