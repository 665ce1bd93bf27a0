"""Tables: what divides the rows of a branch, each by something of its own.

    ByTrait   the rows of a project (or of all projects) that no rare value finds (`rare.py`), by
              a value that their query asks for
    ByType    the rows that have no such value, or share it, by event type or glob
    ByShape   the rows of one event type or glob, by shape: from here on nodes (`node.py`)

An event meets only the rows whose value, event type or glob is its own.

Called by `pipeline.alarms.index.rare` and `branch`. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from pipeline.alarms.index import branch as branches
from pipeline.alarms.index import node as nodes
from pipeline.alarms.index.branch import Branch, Shapes
from pipeline.alarms.index.node import Node
from pipeline.alarms.index.shape import ALARM_ID, EVENT_TYPE, SHAPE, Row
from pipeline.event import Event

MOST_TYPES, MOST_OF_A_TYPE = 12, 3
"""How many event types, and rows of one of them, a project has before it is divided by traits."""


class ByType:
    """Rows by event type or glob."""

    __slots__ = ("_types",)

    def __init__(self) -> None:
        self._types: dict[str, Branch] = {}

    def add(self, row: Row, shapes: Shapes) -> None:
        types, pattern = self._types, row[EVENT_TYPE]
        branch = types.get(pattern)
        if isinstance(branch, ByShape):
            branch.add(row, shapes)
        else:
            types[pattern] = branches.with_row(branch, row, shapes, ByShape)

    def holds(self, row: Row, shapes: Shapes) -> bool:
        branch = self._types.get(row[EVENT_TYPE])
        return branch is not None and branches.holds(branch, row, shapes)

    def remove(self, row: Row, shapes: Shapes) -> None:
        pattern = row[EVENT_TYPE]
        branch = branches.without_row(self._types[pattern], row, shapes)
        if branch is None:
            del self._types[pattern]
        else:
            self._types[pattern] = branch

    @property
    def empty(self) -> bool:
        return not self._types

    def search(self, event: Event, watched: Set[str], shapes: Shapes, out: list[str]) -> None:
        types = self._types
        # Over the smaller of the two: a project with one glob does not pay for the thousands
        # that others may have, nor does an event for those that do not match it.
        for pattern in types if len(types) < len(watched) else watched:
            if pattern in types and pattern in watched:
                branch = types[pattern]
                if isinstance(branch, tuple):
                    # The common case without a call more.
                    if shapes[branch[SHAPE]].one(event, branch):
                        out.append(branch[ALARM_ID])
                else:
                    branches.search(branch, event, watched, shapes, out)

    def costs(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for branch in self._types.values():
            total.update(branches.costs(branch))
        return total


class ByTrait(ByType):
    """Rows of any event type by the constant of one of their equalities; the others by type.

    One look-up a trait passes over all alarms about other users, servers or volumes, whatever
    their event types and shapes. Each row is put where the fewest rows are so far: the alarms
    about one server each spread by `server_id`, without anybody knowing how selective a trait is,
    and `outcome = success` gathers no more rows than an event type does.

    A few rows are kept by event type alone: that is one table and not several.
    """

    __slots__ = ("_traits",)

    def __init__(self) -> None:
        super().__init__()
        # None: so far by event type alone.
        self._traits: dict[str, dict[Any, Branch]] | None = None

    def add(self, row: Row, shapes: Shapes) -> None:
        if self._traits is not None:
            self._add(row, shapes, self._traits)
            return
        super().add(row, shapes)
        types = self._types
        if len(types) > MOST_TYPES or branches.weight(types[row[EVENT_TYPE]]) > MOST_OF_A_TYPE:
            self._start_traits(shapes)

    def _start_traits(self, shapes: Shapes) -> None:
        rows = [row for branch in self._types.values() for row in branches.few_rows(branch)]
        self._types, self._traits = {}, {}
        # Twice: the first were placed when there was nothing yet to choose by.
        for row in rows + rows[:2]:
            if self.holds(row, shapes):
                self.remove(row, shapes)
            self.add(row, shapes)

    def _add(self, row: Row, shapes: Shapes, traits: dict[str, dict[Any, Branch]]) -> None:
        asked_for = shapes[row[SHAPE]].traits
        if not asked_for:
            # Not super(), which takes as long as the work.
            ByType.add(self, row, shapes)
            return
        best, fewest = None, branches.TABLE_WEIGHT + 1
        for position, trait in asked_for:
            table, value = traits.get(trait), row[position]
            if table is None:
                # It would cost every event a look-up more, and so counts as many rows as there
                # are tables. That bounds them, too: no branch weighs more than TABLE_WEIGHT.
                rows = len(traits)
            elif value in table:
                rows = branches.weight(table[value])
            else:
                table[value] = row
                return
            if rows < fewest:
                best, fewest = (trait, value), rows
        if best is None or branches.weight(self._types.get(row[EVENT_TYPE])) + 1 < fewest:
            super().add(row, shapes)
        else:
            trait, value = best
            table = traits.setdefault(trait, {})
            table[value] = branches.with_row(table.get(value), row, shapes, ByType)

    def holds(self, row: Row, shapes: Shapes) -> bool:
        return self._trait_of(row, shapes) is not None or super().holds(row, shapes)

    def _trait_of(self, row: Row, shapes: Shapes) -> tuple[str, Any] | None:
        """The trait and value that the row is kept under; None: not under any."""
        if self._traits is None:
            return None
        for position, trait in shapes[row[SHAPE]].traits:
            branch = self._traits.get(trait, {}).get(row[position])
            if branch is not None and branches.holds(branch, row, shapes):
                return trait, row[position]
        return None

    def remove(self, row: Row, shapes: Shapes) -> None:
        found = self._trait_of(row, shapes)
        if self._traits is None or found is None:
            super().remove(row, shapes)
            return
        trait, value = found
        table = self._traits[trait]
        branch = branches.without_row(table[value], row, shapes)
        if branch is not None:
            table[value] = branch
        else:
            del table[value]
            if not table:
                del self._traits[trait]

    @property
    def empty(self) -> bool:
        return not self._traits and not self._types

    def search(self, event: Event, watched: Set[str], shapes: Shapes, out: list[str]) -> None:
        if self._traits:
            value_of = event.values.get
            for trait, table in self._traits.items():
                branch = table.get(value_of(trait))
                if branch is not None:
                    branches.search(branch, event, watched, shapes, out)
        if self._types:
            # Not super(), which takes as long as the search.
            ByType.search(self, event, watched, shapes, out)

    def costs(self) -> Mapping[str, int]:
        total = Counter(super().costs())
        for table in (self._traits or {}).values():
            most: dict[str, int] = {}
            for branch in table.values():
                for pattern, rows in branches.costs(branch).items():
                    most[pattern] = max(rows, most.get(pattern, 0))
            total.update(most)
        return total


class ByShape:
    """Rows of one event type or glob by shape: a node each."""

    __slots__ = ("_event_type", "_nodes")

    def __init__(self) -> None:
        self._event_type = ""
        self._nodes: dict[int, Node] = {}

    def add(self, row: Row, shapes: Shapes) -> None:
        number = row[SHAPE]
        self._event_type = row[EVENT_TYPE]
        self._nodes[number] = nodes.with_row(self._nodes.get(number), row, shapes[number])

    def holds(self, row: Row, shapes: Shapes) -> bool:
        node = self._nodes.get(row[SHAPE])
        return node is not None and nodes.holds(node, row)

    def remove(self, row: Row, shapes: Shapes) -> None:
        number = row[SHAPE]
        node = nodes.without_row(self._nodes[number], row)
        if node is None:
            del self._nodes[number]
        else:
            self._nodes[number] = node

    @property
    def empty(self) -> bool:
        return not self._nodes

    def search(self, event: Event, watched: Set[str], shapes: Shapes, out: list[str]) -> None:
        for number, node in self._nodes.items():
            if isinstance(node, tuple):
                # The common case without a call more.
                if shapes[number].one(event, node):
                    out.append(node[ALARM_ID])
            else:
                nodes.search(node, event, shapes[number], out)

    def costs(self) -> Mapping[str, int]:
        return {self._event_type: sum(map(nodes.most_scanned, self._nodes.values()))}
