"""Alarms tried out at the desk: on which events, and whose events those are (alarms 9 to 11).

Nothing is written, and nobody is told. Whoever may look at alarms may try some out, also such as
are not there yet. Who is held to projects tries them on their projects' events alone: of the
archive, the others are as if they were not there. What is brought along is the caller's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

from pipeline.access import Caller, Permission
from pipeline.alarms import explaining, trying
from pipeline.alarms.alarm import Alarm, EventRule
from pipeline.alarms.composites import Referred
from pipeline.alarms.references import Directory, resolve
from pipeline.desk.alarms import LocalAlarms
from pipeline.desk.base import Document, Parts
from pipeline.errors import Forbidden, InvalidValue, NotFound
from pipeline.event import Event, Rejected
from pipeline.past import Content, Reference
from pipeline.store.archive import EventFilter
from pipeline.times import plain

_REJECTIONS = 10
"""How many lines are told of that are no event."""


class LocalTrials:
    """`desk.base.Trials`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller
        self._alarms = LocalAlarms(parts, caller)

    def explain(self, alarm: str, event: Reference, at: datetime | None = None) -> Document:
        """Why an alarm does or does not fire on an event."""
        self._caller.require(Permission.AUDIT)
        asked = self._alarms.found(alarm)
        found = self._parts.past().event(event)
        if not (isinstance(event, Content) or self._caller.sees_project(found.project_id)):
            raise NotFound(f"Event {event} is not in the archive")
        referred = self._referred(_references([asked]))
        explanation = explaining.explain(asked, found, at or found.generated, referred)
        fired_at = self._parts.store.fired_at(asked.alarm_id, found.message_id)
        return {**explaining.as_dict(explanation), "fired_at": plain(fired_at)}

    def test(
        self,
        alarms: Sequence[Mapping[str, Any]],
        lines: Iterable[bytes] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest: int = 10,
        most: int | None = None,
    ) -> Document:
        """On which events these alarms would have fired; at `most` so many are looked at."""
        self._caller.require(Permission.AUDIT)
        tried, referred = self._resolved([self._alarm(document) for document in alarms])
        if lines is not None:
            if since or until:
                raise InvalidValue("events that are given go without since and until.", "since")
            source = _Source(self._parts.past().events(lines))
            return _tried(trying.Trial(tried, newest, referred=referred), source, most)
        period = EventFilter(since=since, until=until or self._parts.clock())
        trial = trying.Trial(tried, newest, self._types(period), referred)
        events = self._parts.store.events_in_order(period, trial.types)
        return _tried(trial, _Source(enumerate(events), self._caller), most)

    def _alarm(self, document: Mapping[str, Any]) -> Alarm:
        alarm = self._alarms.described(document)
        if not self._caller.sees_project(alarm.project_id):
            raise Forbidden(f"project {alarm.project_id!r} is not yours to try alarms out for.")
        return alarm

    def _resolved(self, tried: Sequence[Alarm]) -> tuple[list[Alarm], Mapping[str, Referred]]:
        """The alarms with ids in place of the names that they refer to: each other's, else those
        of alarms that there are. Raises `InvalidValue` for what leads nowhere."""
        here = {alarm.name for alarm in tried}
        others = self._seen(text for text in _references(tried) if text not in here)
        known = Directory([*tried, *others])
        referred = {other.alarm_id: Referred(other.name, other.state) for other in others}
        return [resolve(alarm, known) for alarm in tried], referred

    def _referred(self, alarm_ids: Iterable[str]) -> Mapping[str, Referred]:
        return {
            other.alarm_id: Referred(other.name, other.state) for other in self._seen(alarm_ids)
        }

    def _seen(self, texts: Iterable[str]) -> list[Alarm]:
        """The alarms by these ids or names, those that are there for the caller to see."""
        found = []
        for text in texts:
            with suppress(NotFound):
                found.append(self._alarms.found(text))
        return found

    def _types(self, period: EventFilter) -> Iterator[str]:
        """The types of the events that there are; which those are is not told to everybody."""
        if self._caller.sees_all:
            for each in self._parts.store.event_types(period):
                yield each.event_type


class _Source:
    """Events one by one, those that the caller may see; and what was no event."""

    def __init__(
        self, found: Iterable[tuple[int, Event | Rejected]], caller: Caller | None = None
    ) -> None:
        self._found, self._caller = found, caller
        self.rejected = 0
        self.rejections: list[Document] = []
        self.last: datetime | None = None

    def __iter__(self) -> Iterator[Event | None]:
        """An event, or None for what is passed over."""
        for line, found in self._found:
            if isinstance(found, Event):
                self.last = found.generated
                yield found if self._is_seen(found) else None
            else:
                self._reject(line, found)
                yield None

    def _is_seen(self, event: Event) -> bool:
        return self._caller is None or self._caller.sees_project(event.project_id)

    def _reject(self, line: int, rejected: Rejected) -> None:
        self.rejected += 1
        if len(self.rejections) < _REJECTIONS:
            self.rejections.append({"line": line, "reason": rejected.reason})


def _references(alarms: Iterable[Alarm]) -> list[str]:
    """What composite alarms refer to, each once."""
    rules = (alarm.rule for alarm in alarms)
    found = (each for rule in rules if not isinstance(rule, EventRule) for each in rule.references)
    return list(dict.fromkeys(found))


def _tried(trial: trying.Trial, source: _Source, most: int | None) -> Document:
    found = iter(source)
    for event in islice(found, most):
        if event is not None:
            trial.look(event)
    stopped_at = source.last
    is_all = most is None or next(found, _END) is _END
    return {
        "events": trial.events,
        "rejected": source.rejected,
        "rejections": source.rejections,
        "stopped_at": None if is_all else plain(stopped_at),
        "alarms": [*map(trying.as_dict, trial.results())],
    }


_END = object()
