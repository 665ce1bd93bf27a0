"""AlarmIndex: the alarms that an event fires, found without looking at the others.

Alarms are kept by project and then by event type, the ones with a glob apart. An event looks in
four places: its own project's alarms and those of all projects, its event type and the globs that
match it. What it finds there is a bucket, which narrows it down further.

Adding, changing and removing an alarm touches its own bucket only. Not thread-safe: see
`pipeline.alarms.live`. Pure.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from sys import intern
from typing import TypeAlias

from pipeline.alarms.alarm import EventRule
from pipeline.alarms.conditions import glob
from pipeline.alarms.index import bucket as buckets
from pipeline.alarms.index.bucket import Bucket
from pipeline.alarms.index.globs import Globs, is_glob
from pipeline.alarms.index.shape import EVENT_TYPE, PROJECT, SHAPE, Row, Shape, Shapes
from pipeline.errors import InvalidValue
from pipeline.event import Event

Places: TypeAlias = dict[str | None, dict[str, Bucket]]
"""Project (None: all projects) → event type or glob → bucket."""


class AlarmIndex:
    """Alarms by id, found by event. `len()` counts them.

    `generated_shapes` bounds for how many kinds of query code is generated
    (`pipeline.alarms.index.shape`); the alarms beyond it are matched more slowly.
    """

    def __init__(self, generated_shapes: int = 4096) -> None:
        self._rows: dict[str, Row] = {}
        self._shapes = Shapes(generated_shapes)
        self._globs = Globs()
        self._exact: Places = {}
        self._globbed: Places = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, alarm_id: object) -> bool:
        return alarm_id in self._rows

    def put(self, alarm_id: str, project: str | None, rule: EventRule) -> None:
        """Add an alarm, or replace it. `project` None: the events of all projects reach it.

        Raises `InvalidValue` for a rule that cannot be compiled; the index is then as before.
        """
        old = self._rows.get(alarm_id)
        row, shape = self._row(alarm_id, project, rule)
        if row == old:
            return
        pattern = row[EVENT_TYPE]
        places = self._exact
        if is_glob(pattern):
            places = self._globbed
            self._globs.add(pattern)
        # Before the old row goes, lest it take along the glob or the shape that both have.
        shape.alarms += 1
        if old is not None:
            self.remove(alarm_id)
        self._rows[alarm_id] = row
        watched = places.get(project)
        if watched is None:
            places[row[PROJECT]] = {pattern: row}
        else:
            bucket = watched.get(pattern)
            watched[pattern] = buckets.with_row(bucket, row, self._shapes.by_number)

    def remove(self, alarm_id: str) -> None:
        """Remove an alarm; one that is not here changes nothing."""
        row = self._rows.pop(alarm_id, None)
        if row is None:
            return
        project, pattern = row[PROJECT], row[EVENT_TYPE]
        places = self._globbed if is_glob(pattern) else self._exact
        watched = places[project]
        bucket = buckets.without_row(watched[pattern], row)
        if bucket is not None:
            watched[pattern] = bucket
        else:
            del watched[pattern]
            if not watched:
                del places[project]
        if is_glob(pattern):
            self._globs.remove(pattern)
        self._shapes.release(row[SHAPE])

    def matches(self, event: Event) -> list[str]:
        """The ids of the alarms whose project, event type and every condition the event meets.

        Each once, in no particular order. Never raises.
        """
        out: list[str] = []
        event_type, shapes = event.event_type, self._shapes.by_number
        for owner in (event.project_id, None):
            watched = self._exact.get(owner)
            if watched is not None and event_type in watched:
                buckets.search(watched[event_type], event, shapes, out)
            watched = self._globbed.get(owner)
            if watched is not None:
                for pattern in self._globs.matching(event_type):
                    if pattern in watched:
                        buckets.search(watched[pattern], event, shapes, out)
        return out

    def costly(self, limit: int = 10) -> list[tuple[str | None, str, int]]:
        """The buckets that can cost most: (project, event type or glob, alarms scanned).

        `alarms scanned` is what the most expensive event would meet there; the most first. Looks
        at every alarm: for people who ask, not for the hot path.
        """
        return heapq.nlargest(limit, self._costs(), key=lambda cost: cost[2])

    def _costs(self) -> Iterator[tuple[str | None, str, int]]:
        for places in (self._exact, self._globbed):
            for project, watched in places.items():
                for pattern, bucket in watched.items():
                    yield project, pattern, buckets.most_scanned(bucket)

    def _row(self, alarm_id: str, project: str | None, rule: EventRule) -> tuple[Row, Shape]:
        plan = self._shapes.plan(rule.query)
        try:
            constants = plan.constants(rule.query)
            if is_glob(rule.event_type):
                glob(rule.event_type)
        except InvalidValue:
            self._shapes.drop_unused(plan.shape)
            raise
        # Projects and event types come again and again; each is kept once.
        owner = project if project is None else intern(project)
        row = (alarm_id, plan.shape.number, owner, intern(rule.event_type), *constants)
        return row, plan.shape
