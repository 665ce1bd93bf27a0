"""Past: events and notifications that were there before, to try templates and routes out with.

A person names one: the message id of an event in the archive, the id of a delivery, or a file
with a captured message or a normalised event. A file is read where the person is (`reference`);
its text is understood where the definitions are. Nothing is written. Called by the commands and
by the desk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from pipeline.alarms.alarm import Alarm, EventRule, State, Transition
from pipeline.alarms.evaluator import decide
from pipeline.errors import InvalidValue, NotFound
from pipeline.event import Event, Rejected
from pipeline.listeners.replay.lines import Unreadable, lines
from pipeline.normalise import Normaliser, event_of, normalised_lines
from pipeline.notification import Delivery, Notification, told

_MOST_BYTES: Final = 512 * 1024
"""How much of a file is looked at: it is about the first event in it."""
_EXAMPLE_ID: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a file: its text, and its name for messages.

    Bytes that are no UTF-8 are in it as Python's `surrogateescape` writes them.
    """

    name: str
    text: str


Reference: TypeAlias = str | Content
"""What a person means: an id, or the content of a file."""


def reference(given: str) -> Reference:
    """The beginning of the file, where there is one that is named so, in whole lines; else an id.

    Raises `InvalidValue` for a file that cannot be read.
    """
    if not Path(given).is_file():
        return given
    try:
        with open(given, "rb") as file:
            found = _beginning(line for line in lines(file.fileno(), lambda count: None) if line)
    except (OSError, Unreadable) as error:
        raise InvalidValue(f"{given}: cannot be read: {error}") from error
    return Content(given, found.decode("utf-8", "surrogateescape"))


def _beginning(lines: Iterable[bytes]) -> bytes:
    found: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if found and size > _MOST_BYTES:
            break
        found.append(line)
    return b"\n".join(found)


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

    def find(self, reference: Reference) -> Event | Notification:
        """The event or the notification that a person means. Raises `NotFound`, or
        `InvalidValue` for a file without an event."""
        if isinstance(reference, Content):
            return self._first_event(reference)
        with suppress(NotFound):
            return self.archive.archived_event(reference)[0]
        with suppress(NotFound):
            return self.archive.delivery(reference)[1].notification
        raise NotFound(
            f"{reference} is no file, no event in the archive and no delivery. "
            "See: tocsin event list, tocsin delivery list"
        )

    def event(self, reference: Reference) -> Event:
        """The event that a person means. Raises as `find` does, also for the id of a delivery."""
        if isinstance(reference, Content):
            return self._first_event(reference)
        return self.archive.archived_event(reference)[0]

    def events(self, lines: Iterable[bytes]) -> Iterator[tuple[int, Event | Rejected]]:
        """The event, or the reason for there being none, of each line; lines count from 1.

        A line is a captured message, a bare message body or a normalised event. One at a time.
        """
        for number, line in enumerate(lines, start=1):
            if event := _normalised(line):
                yield number, event
                continue
            for _, found in normalised_lines([line], self.normaliser, received_at=self.now):
                yield number, found

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

    def _first_event(self, content: Content) -> Event:
        rejected = ""
        for found in self._events_in(content):
            if isinstance(found, Event):
                return found
            rejected = rejected or found.reason
        why = f": {rejected}" if rejected else "."
        raise InvalidValue(f"{content.name}: there is no event in it{why}")

    def _events_in(self, content: Content) -> Iterator[Event | Rejected]:
        try:
            whole = content.text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise InvalidValue(f"{content.name}: it is no text in UTF-8.") from error
        if event := _normalised(whole):
            yield event
            return
        for _, found in self.events(whole.split(b"\n")):
            yield found


def as_told(
    past: Past,
    found: Event | Notification,
    alarm: Alarm | None = None,
    *,
    again: bool = False,
) -> Notification:
    """What was told, or would be told of the event; see `Past.fired`."""
    if isinstance(found, Notification):
        return found
    return told(past.fired(found, alarm, again=again), _EXAMPLE_ID)


def _normalised(text: bytes) -> Event | None:
    """An event in its wire form, as `tocsin normalise` prints it; None for anything else."""
    try:
        wire = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = event_of(wire) if isinstance(wire, dict) and "traits" in wire else None
    return found if isinstance(found, Event) else None


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
