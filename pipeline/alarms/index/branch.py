"""Branches: some rows of any shape and event type, kept as small as their number allows.

A branch is a row, a short list, or, beyond that, a table that divides the rows
(`pipeline.alarms.index.rare` and `tables`). There may be a million branches, most of them a single
row, which takes no memory more. A list has each row's event type before the row,
`[type, row, type, row, …]`: what an event pays for among a million alarms is memory that is in no
cache, and the rows of other event types are passed over without being touched.

Called by `pipeline.alarms.index.index` and by the tables. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol, TypeAlias

from pipeline.alarms.index.shape import ALARM_ID, EVENT_TYPE, SHAPE, Row, Shape
from pipeline.event import Event

LONGEST_LIST = 12
"""Beyond so many rows a table is worth its memory."""

TABLE_WEIGHT = 16
"""What a table counts as where branches are weighed against each other."""

Shapes: TypeAlias = Mapping[int, Shape]


class Table(Protocol):
    """Rows divided by something. It stays a table until it is empty."""

    def add(self, row: Row, shapes: Shapes) -> None: ...

    def remove(self, row: Row, shapes: Shapes) -> None: ...

    def holds(self, row: Row, shapes: Shapes) -> bool: ...

    def search(self, event: Event, watched: Set[str], shapes: Shapes, out: list[str]) -> None: ...

    def costs(self) -> Mapping[str, int]: ...

    @property
    def empty(self) -> bool: ...


Branch: TypeAlias = Row | list[Any] | Table


def with_row(
    branch: Branch | None,
    row: Row,
    shapes: Shapes,
    table: Callable[[], Table],
    longest: int = LONGEST_LIST,
) -> Branch:
    """The branch with one row more; `table` makes what divides a list that gets too long."""
    if branch is None:
        return row
    if isinstance(branch, tuple):
        return [branch[EVENT_TYPE], branch, row[EVENT_TYPE], row]
    if isinstance(branch, list):
        branch += (row[EVENT_TYPE], row)
        if len(branch) <= 2 * longest:
            return branch
        divided = table()
        for each in branch[1::2]:
            divided.add(each, shapes)
        return divided
    branch.add(row, shapes)
    return branch


def without_row(branch: Branch, row: Row, shapes: Shapes) -> Branch | None:
    """The branch with one row fewer, None when that was the last."""
    if isinstance(branch, tuple):
        return None
    if isinstance(branch, list):
        at = branch.index(row)
        del branch[at - 1 : at + 1]
        return branch[1] if len(branch) == 2 else branch
    branch.remove(row, shapes)
    return None if branch.empty else branch


def holds(branch: Branch, row: Row, shapes: Shapes) -> bool:
    """Whether the row is in the branch."""
    if isinstance(branch, tuple):
        return branch is row
    if isinstance(branch, list):
        return row in branch
    return branch.holds(row, shapes)


def few_rows(branch: Branch) -> list[Row]:
    """The rows of a branch that is no table."""
    return (
        [branch] if isinstance(branch, tuple) else branch[1::2] if isinstance(branch, list) else []
    )


def weight(branch: Branch | None) -> int:
    """About how many rows an event looks at that comes to the branch."""
    if branch is None:
        return 0
    if isinstance(branch, tuple):
        return 1
    return len(branch) // 2 if isinstance(branch, list) else TABLE_WEIGHT


def search(
    branch: Branch, event: Event, watched: Set[str], shapes: Shapes, out: list[str]
) -> None:
    """Add to `out` the ids of the alarms whose event type and query the event meets.

    `watched` are the event types and globs that match the event's.
    """
    if isinstance(branch, tuple):
        if branch[EVENT_TYPE] in watched and shapes[branch[SHAPE]].one(event, branch):
            out.append(branch[ALARM_ID])
    elif isinstance(branch, list):
        pairs = iter(branch)
        for pattern, row in zip(pairs, pairs, strict=True):
            if pattern in watched and shapes[row[SHAPE]].one(event, row):
                out.append(row[ALARM_ID])
    else:
        branch.search(event, watched, shapes, out)


def costs(branch: Branch) -> Mapping[str, int]:
    """Event type or glob → how many of its rows the most expensive event would meet."""
    if isinstance(branch, tuple):
        return {branch[EVENT_TYPE]: 1}
    if isinstance(branch, list):
        return Counter(branch[::2])
    return branch.costs()
