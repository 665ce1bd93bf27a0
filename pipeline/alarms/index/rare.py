"""Rare values: rows by a value in their query that hardly another alarm asks for.

Most alarms are about one user, server or volume, and its id is in their query. One dict for all
projects together has their rows by that id, whatever trait it is the value of. A table a project
would do the same, but thousands of them lie all over the memory, and memory that is in no cache is
what an event pays for among a million alarms. A value that nobody asks for costs it one look into
the dict, and no row is touched.

    RareValues    value → rows; there is one, which all projects share
    ByRareValue   a project's rows: the traits that its events are looked up by, and the other rows

A value is rare while few rows are kept by it, of whatever project. So `outcome = success` gathers
a dozen rows at first; whoever else asks for it is kept by another value, or by the project itself.
Events are looked up by the traits that their own project's alarms name, so that no project pays
for what another one watches.

Called by `pipeline.alarms.index.index` and `branch`. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pipeline.alarms.index import branch as branches
from pipeline.alarms.index.branch import LONGEST_LIST, Branch, Shapes
from pipeline.alarms.index.shape import ALARM_ID, EVENT_TYPE, PROJECT, SHAPE, Row
from pipeline.alarms.index.tables import ByTrait, ByType
from pipeline.event import Event

_NAMES_KEPT = 10_000


class RareValues:
    """The rows of all projects by rare values: `rows[value]` is a row or a short list of them."""

    __slots__ = ("_names", "rows")

    def __init__(self) -> None:
        self.rows: dict[Any, Branch] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def shared(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names in order, in one tuple for all projects that have the same."""
        names = tuple(sorted(names))
        if len(self._names) >= _NAMES_KEPT:
            self._names.clear()
        return self._names.setdefault(names, names)

    def costs(self, shapes: Shapes) -> Iterator[tuple[str | None, str, int]]:
        """(project, event type or glob, the most rows that one value has), for each trait."""
        most: dict[tuple[str | None, str, str], int] = {}
        for value, branch in self.rows.items():
            found = Counter(
                (row[PROJECT], row[EVENT_TYPE], _trait(row, value, shapes))
                for row in branches.few_rows(branch)
            )
            for key, rows in found.items():
                most[key] = max(rows, most.get(key, 0))
        return ((project, pattern, rows) for (project, pattern, _), rows in most.items())


def _trait(row: Row, value: Any, shapes: Shapes) -> str:
    """The trait that has the value in the row's query."""
    return next(name for position, name in shapes[row[SHAPE]].traits if row[position] == value)


class ByRareValue:
    """The rows of a project, or those of all projects: by rare values, and the rest.

    `costs` counts the rest only; the others are counted by `RareValues.costs`.
    """

    __slots__ = ("_count", "_names", "_project", "_rare", "_rest")

    def __init__(self, rare: RareValues) -> None:
        self._rare = rare
        self._project: str | None = None
        # The traits that events are looked up by, and how many rows are found so.
        self._names: tuple[str, ...] = ()
        self._count = 0
        self._rest: Branch | None = None

    def add(self, row: Row, shapes: Shapes) -> None:
        traits = shapes[row[SHAPE]].traits
        rows, names = self._rare.rows, self._names
        for position, trait in traits:
            # The common case without a call more.
            if trait in names and row[position] not in rows:
                rows[row[position]] = row
                self._count += 1
                return
        self._project = row[PROJECT]
        position, branch = self._place(row, shapes) if traits else (0, None)
        if position:
            rows[row[position]] = branches.with_row(branch, row, shapes, ByType)
            self._count += 1
        elif isinstance(self._rest, ByTrait):
            self._rest.add(row, shapes)
        else:
            self._rest = branches.with_row(self._rest, row, shapes, ByTrait, longest=3)

    def _place(self, row: Row, shapes: Shapes) -> tuple[int, Branch | None]:
        """The position of the row's rarest value, and who has it already; 0: none is rare."""
        rows_of, names = self._rare.rows.get, self._names
        best, fewest, there = (0, ""), LONGEST_LIST, None
        for each in shapes[row[SHAPE]].traits:
            branch = rows_of(row[each[0]])
            # One look-up more for every event of the project is worth as many rows as it has
            # look-ups. That bounds them, too.
            rows = 0 if each[1] in names else len(names) + 1
            if branch is not None:
                rows += branches.weight(branch)
            if rows < fewest:
                best, fewest, there = each, rows, branch
                if not rows:
                    break
        if best[0] and best[1] not in names:
            self._names = self._rare.shared((*names, best[1]))
        return best[0], there

    def _value_of(self, row: Row, shapes: Shapes) -> Any:
        """The rare value that the row is kept under; None: it is among the others."""
        for position, trait in shapes[row[SHAPE]].traits:
            if trait in self._names:
                branch = self._rare.rows.get(row[position])
                if branch is not None and branches.holds(branch, row, shapes):
                    return row[position]
        return None

    def holds(self, row: Row, shapes: Shapes) -> bool:
        if self._value_of(row, shapes) is not None:
            return True
        return self._rest is not None and branches.holds(self._rest, row, shapes)

    def remove(self, row: Row, shapes: Shapes) -> None:
        value = self._value_of(row, shapes)
        if value is None:
            if self._rest is not None:
                self._rest = branches.without_row(self._rest, row, shapes)
            return
        held = self._rare.rows
        branch = branches.without_row(held[value], row, shapes)
        if branch is None:
            del held[value]
        else:
            held[value] = branch
        self._count -= 1
        if not self._count:
            self._names = ()

    @property
    def empty(self) -> bool:
        return not self._count and self._rest is None

    def search(self, event: Event, watched: Set[str], shapes: Shapes, out: list[str]) -> None:
        names = self._names
        if names:
            value_of, rows_of, start = event.values.get, self._rare.rows.get, len(out)
            for name in names:
                branch = rows_of(value_of(name))
                if branch is not None:
                    self._search(branch, event, watched, shapes, out, start)
        if self._rest is not None:
            branches.search(self._rest, event, watched, shapes, out)

    def _search(
        self,
        branch: Branch,
        event: Event,
        watched: Set[str],
        shapes: Shapes,
        out: list[str],
        start: int,
    ) -> None:
        for row in branches.few_rows(branch):
            if (
                row[EVENT_TYPE] in watched
                and row[PROJECT] == self._project
                and shapes[row[SHAPE]].one(event, row)
                # Two traits of the event may have the value, and both lead here.
                and row[ALARM_ID] not in out[start:]
            ):
                out.append(row[ALARM_ID])

    def costs(self) -> Mapping[str, int]:
        return {} if self._rest is None else branches.costs(self._rest)
