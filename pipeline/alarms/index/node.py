"""Nodes: the rows of one shape, split so that an event meets few of them.

A node is a single row, a list of rows, or, from 12 rows on, a split. The split takes what is most
selective: the equality with the most distinct constants (`ByValue`: one look-up, and the rest of
the conditions may split its children again), else the order conditions (`ByBound`: what lies on
the right side of the event's value), else none (`ById`: a scan). A split stays until it is empty.

A split may give too many rows, never too few: `shape.scan` checks every condition on each.

Called by `pipeline.alarms.index.tables`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, TypeAlias

from sortedcontainers import SortedList

from pipeline.alarms.conditions import Reader
from pipeline.alarms.index.shape import ALARM_ID, Row, Shape
from pipeline.event import Event

SPLIT_AT = 12
DEEPEST = 8
"""How many equalities a path may split on; a query may have thousands."""
_AFTER_EVERY_ID = chr(0x10FFFF)
_ROW = itemgetter(2)
_LONG_SIDE = 3
"""A side of a bound with more than this part of the rows is no better than all of them."""


def with_row(
    node: Node | None, row: Row, shape: Shape, used: frozenset[int] = frozenset()
) -> Node:
    """The node with one row more. `used` are the positions that its parents split on."""
    if node is None:
        return row
    if isinstance(node, tuple):
        return [node, row]
    if isinstance(node, list):
        node.append(row)
        return node if len(node) < SPLIT_AT else _split(node, shape, used)
    node.add(row)
    return node


def without_row(node: Node, row: Row) -> Node | None:
    """The node with one row fewer, None when that was the last."""
    if isinstance(node, tuple):
        return None
    if isinstance(node, list):
        node.remove(row)
        return node[0] if len(node) == 1 else node
    node.remove(row)
    return None if node.empty else node


def search(node: Node, event: Event, shape: Shape, out: list[str]) -> None:
    """Add to `out` the ids of the alarms whose query the event meets."""
    if isinstance(node, tuple):
        if shape.one(event, node):
            out.append(node[ALARM_ID])
    elif isinstance(node, list):
        shape.scan(event, node, out)
    else:
        node.search(event, out)


def holds(node: Node, row: Row) -> bool:
    """Whether the row is in the node."""
    if isinstance(node, tuple):
        return node is row
    return row in node if isinstance(node, list) else node.holds(row)


def most_scanned(node: Node) -> int:
    """How many rows the most expensive event would meet."""
    if isinstance(node, tuple):
        return 1
    return len(node) if isinstance(node, list) else node.most_scanned()


class ByValue:
    """Rows by the constant of one equality; an event meets the rows of its own value only."""

    __slots__ = ("_position", "_read", "_shape", "_table", "_used")

    def __init__(self, shape: Shape, position: int, used: frozenset[int]) -> None:
        self._shape, self._position = shape, position
        self._read: Reader = shape.equals[position]
        self._used = used | {position}
        self._table: dict[Any, Node] = {}

    def add(self, row: Row) -> None:
        table, value = self._table, row[self._position]
        table[value] = with_row(table.get(value), row, self._shape, self._used)

    def holds(self, row: Row) -> bool:
        child = self._table.get(row[self._position])
        return child is not None and holds(child, row)

    def remove(self, row: Row) -> None:
        value = row[self._position]
        child = without_row(self._table[value], row)
        if child is None:
            del self._table[value]
        else:
            self._table[value] = child

    @property
    def empty(self) -> bool:
        return not self._table

    def search(self, event: Event, out: list[str]) -> None:
        child = self._table.get(self._read(event))
        if child is not None:
            search(child, event, self._shape, out)

    def most_scanned(self) -> int:
        return max(map(most_scanned, self._table.values()))


class ByBound:
    """Rows sorted by the constant of each order condition; the shortest side is scanned.

    The id breaks ties between equal constants, so that removing one of many stays cheap. Where
    even the shortest side is long, all rows are scanned in the order in which they came: sorted,
    they lie all over the memory, which costs three times as much a row.

    A row is sorted as `(constant, id, row)`: a list of keys beside one of rows would take as much
    memory, and half as long again to add to.
    """

    __slots__ = ("_bounds", "_rows", "_shape")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._bounds = [
            (op in ("gt", "ge"), read, position, SortedList())
            for position, (op, read) in shape.bounds.items()
        ]
        self._rows: dict[str, Row] = {}

    def add(self, row: Row) -> None:
        alarm_id = row[ALARM_ID]
        self._rows[alarm_id] = row
        for _, _, position, rows in self._bounds:
            rows.add((row[position], alarm_id, row))

    def holds(self, row: Row) -> bool:
        return row[ALARM_ID] in self._rows

    def remove(self, row: Row) -> None:
        alarm_id = row[ALARM_ID]
        del self._rows[alarm_id]
        for _, _, position, rows in self._bounds:
            rows.remove((row[position], alarm_id, row))

    @property
    def empty(self) -> bool:
        return not self._rows

    def search(self, event: Event, out: list[str]) -> None:
        fewest = len(self._rows) + 1
        side: Iterable[tuple[Any, str, Row]] = ()
        for takes_less, read, _, rows in self._bounds:
            value = read(event)
            if value is None:
                return
            # `gt c` and `ge c` hold for the constants up to the value, `lt` and `le` from it on;
            # an id is never '' and never beyond the last character.
            key = (value, _AFTER_EVERY_ID) if takes_less else (value, "")
            cut = rows.bisect_left(key)
            count = cut if takes_less else len(rows) - cut
            if count < fewest:
                fewest = count
                side = rows.islice(0, cut) if takes_less else rows.islice(cut)
        is_long = fewest * _LONG_SIDE > len(self._rows)
        candidates = self._rows.values() if is_long else map(_ROW, side)
        self._shape.scan(event, candidates, out)

    def most_scanned(self) -> int:
        return len(self._rows)


class ById:
    """Rows that nothing divides (only `ne` conditions, or none at all): each event meets all."""

    __slots__ = ("_rows", "_shape")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._rows: dict[str, Row] = {}

    def add(self, row: Row) -> None:
        self._rows[row[ALARM_ID]] = row

    def holds(self, row: Row) -> bool:
        return row[ALARM_ID] in self._rows

    def remove(self, row: Row) -> None:
        del self._rows[row[ALARM_ID]]

    @property
    def empty(self) -> bool:
        return not self._rows

    def search(self, event: Event, out: list[str]) -> None:
        self._shape.scan(event, self._rows.values(), out)

    def most_scanned(self) -> int:
        return len(self._rows)


Node: TypeAlias = Row | list[Row] | ByValue | ByBound | ById


def _split(rows: list[Row], shape: Shape, used: frozenset[int]) -> Node:
    """The same rows, split by what is most selective of what the parents left."""
    split = _best_split(rows, shape, used)
    for row in rows:
        split.add(row)
    return split


def _best_split(rows: list[Row], shape: Shape, used: frozenset[int]) -> ByValue | ByBound | ById:
    free = [position for position in shape.equals if position not in used]
    if free and len(used) < DEEPEST:
        most_distinct = max(free, key=lambda position: len({row[position] for row in rows}))
        return ByValue(shape, most_distinct, used)
    return ByBound(shape) if shape.bounds else ById(shape)
