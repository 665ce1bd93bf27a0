"""AlarmIndex: the alarms that an event fires, found without looking at the others.

Alarms are kept by project, those of all projects apart. An event looks in two places: its own
project's alarms and those of all projects. What it finds there is a branch, which narrows it down
further.

Adding, changing and removing an alarm touches its own branch only. Not thread-safe: see
`pipeline.alarms.live`. Pure.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from functools import partial
from sys import intern

from pipeline.alarms.alarm import EventRule
from pipeline.alarms.conditions import glob
from pipeline.alarms.index import branch as branches
from pipeline.alarms.index.branch import Branch
from pipeline.alarms.index.globs import Globs, is_glob
from pipeline.alarms.index.rare import ByRareValue, RareValues
from pipeline.alarms.index.shape import EVENT_TYPE, PROJECT, SHAPE, Row, Shape, Shapes
from pipeline.errors import InvalidValue
from pipeline.event import Event


class AlarmIndex:
    """Alarms by id, found by event. `len()` counts them.

    `generated_shapes` bounds for how many kinds of query code is generated
    (`pipeline.alarms.index.shape`); the alarms beyond it are matched more slowly.
    """

    def __init__(self, generated_shapes: int = 4096) -> None:
        self._rows: dict[str, Row] = {}
        self._shapes = Shapes(generated_shapes)
        self._globs = Globs()
        # By project; None: all projects.
        self._branches: dict[str | None, Branch] = {}
        self._rare = RareValues()
        self._table = partial(ByRareValue, self._rare)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, alarm_id: object) -> bool:
        return alarm_id in self._rows

    def put(self, alarm_id: str, project: str | None, rule: EventRule) -> None:
        """Add an alarm, or replace it. `project` None: the events of all projects reach it.

        Raises `InvalidValue` for a rule that cannot be compiled; the index is then as before.
        """
        old = self._rows.get(alarm_id)
        is_a_glob = is_glob(rule.event_type)
        row, shape = self._row(alarm_id, project, rule, is_a_glob)
        if old is not None and row == old:
            return
        if is_a_glob:
            self._globs.add(row[EVENT_TYPE])
        # Before the old row goes, lest it take along the glob or the shape that both have.
        shape.alarms += 1
        if old is not None:
            self.remove(alarm_id)
        self._rows[alarm_id] = row
        owner, shapes = row[PROJECT], self._shapes.by_number
        branch = self._branches.get(owner)
        if isinstance(branch, ByRareValue):
            # The common case, without asking what else it may be.
            branch.add(row, shapes)
        else:
            self._branches[owner] = branches.with_row(branch, row, shapes, self._table, longest=3)

    def remove(self, alarm_id: str) -> None:
        """Remove an alarm; one that is not here changes nothing."""
        row = self._rows.pop(alarm_id, None)
        if row is None:
            return
        owner, shapes = row[PROJECT], self._shapes.by_number
        branch = branches.without_row(self._branches[owner], row, shapes)
        if branch is None:
            del self._branches[owner]
        else:
            self._branches[owner] = branch
        if is_glob(row[EVENT_TYPE]):
            self._globs.remove(row[EVENT_TYPE])
        self._shapes.release(row[SHAPE])

    def matches(self, event: Event) -> list[str]:
        """The ids of the alarms whose project, event type and every condition the event meets.

        Each once, in no particular order. Never raises.
        """
        out: list[str] = []
        shapes = self._shapes.by_number
        for owner in (event.project_id, None):
            branch = self._branches.get(owner)
            if branch is not None:
                watched = self._globs.matching(event.event_type)
                if isinstance(branch, ByRareValue):
                    # The common case without a call more.
                    branch.search(event, watched, shapes, out)
                else:
                    branches.search(branch, event, watched, shapes, out)
        return out

    def costly(self, limit: int = 10) -> list[tuple[str | None, str, int]]:
        """What can cost most: (project or None for all, event type or glob, alarms scanned).

        `alarms scanned` is what the most expensive event would meet there; the most first. Looks
        at every alarm: for people who ask, not for the hot path.
        """
        return heapq.nlargest(limit, self._costs(), key=lambda cost: cost[2])

    def _costs(self) -> Iterator[tuple[str | None, str, int]]:
        total: Counter[tuple[str | None, str]] = Counter()
        for project, branch in self._branches.items():
            for pattern, rows in branches.costs(branch).items():
                total[project, pattern] += rows
        for project, pattern, rows in self._rare.costs(self._shapes.by_number):
            total[project, pattern] += rows
        return ((project, pattern, rows) for (project, pattern), rows in total.items())

    def _row(
        self, alarm_id: str, project: str | None, rule: EventRule, is_a_glob: bool
    ) -> tuple[Row, Shape]:
        plan = self._shapes.plan(rule.query)
        # Projects and event types come again and again; each is kept once.
        owner = project if project is None else intern(project)
        try:
            if is_a_glob:
                glob(rule.event_type)
            return plan.row(alarm_id, owner, intern(rule.event_type), rule.query), plan.shape
        except InvalidValue:
            self._shapes.drop_unused(plan.shape)
            raise
