"""Shapes: queries with their constants taken out, each compiled once to two functions.

A million alarms share few shapes: `user_id = … and size > …` is one. Its functions fetch the
fields and check their kinds once, and then compare row after row, at some 20 ns a row:

    def scan(event, rows, out):
        values = event.values
        v0 = values.get('user_id')
        if not isinstance(v0, str):
            return False
        v1 = values.get('size')
        if not (type(v1) is int or type(v1) is float):
            return False
        for row in rows:
            if v0 == row[4] and v1 > row[5]:
                out.append(row[0])

For a single row, `one` is the same as one expression that fetches only as far as it has to.

Constants stay in the rows and never enter the source; trait names enter it through `repr` alone.
Whoever may create alarms chooses the field names, so the number of generated shapes is bounded;
those beyond it run as plain closures: slower, and the same otherwise.

Called by `pipeline.alarms.index`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias

from pipeline.alarms.alarm import Condition, ConditionValue
from pipeline.alarms.conditions import (
    BOOLEAN,
    OPERATORS,
    TEXT,
    TYPES,
    Clause,
    Kind,
    Reader,
    clause,
    constant,
    reader,
    trait_name,
)
from pipeline.event import Event

Row: TypeAlias = tuple[Any, ...]
ALARM_ID, SHAPE, PROJECT, EVENT_TYPE, CONSTANTS = range(5)
"""Where things stand in a row; the constants follow from CONSTANTS on, in the shape's order."""

One: TypeAlias = Callable[[Event, Row], bool]
Scan: TypeAlias = Callable[[Event, Iterable[Row], list[str]], object]

_SIGNATURE = attrgetter("field", "op", "type")
_PLANS_KEPT = 10_000
_INTEGERS_KEPT = 4_096


class Shape:
    """One shape. `one` says whether an event meets a row's query, `scan` collects the ids.

    `equals` and `bounds` are the clauses that a node can split on: the constant's position in a
    row → what reads the event's value (and, for a bound, the operator). `traits` are the position
    and the name of each equality with a trait. `alarms` counts the rows.
    """

    __slots__ = ("alarms", "bounds", "clauses", "equals", "number", "one", "scan", "traits")

    def __init__(self, number: int, clauses: tuple[Clause, ...], *, generate: bool) -> None:
        self.number = number
        self.clauses = clauses
        self.alarms = 0
        self.equals: dict[int, Reader] = {}
        self.bounds: dict[int, tuple[str, Reader]] = {}
        for position, (field, op, kind) in enumerate(clauses, CONSTANTS):
            if op == "eq":
                self.equals[position] = reader(field, kind)
            elif op != "ne":
                self.bounds[position] = (op, reader(field, kind))
        # Not booleans: there, several values of the event ('yes', 1) are equal to one constant.
        self.traits = [
            (position, name)
            for position, (field, op, kind) in enumerate(clauses, CONSTANTS)
            if op == "eq" and kind is not BOOLEAN and (name := trait_name(field)) is not None
        ]
        self.one: One
        self.scan: Scan
        self.one, self.scan = (_generated if generate else _closures)(clauses)


class Plan:
    """How a query with these fields, operators and types becomes a row of its shape.

    `steps` are, in the shape's order, each constant's place in the query, its type, and whether
    that means a text, and whether its values come again and again.
    """

    __slots__ = ("_known", "shape", "steps")

    def __init__(
        self, shape: Shape, steps: Iterable[tuple[int, str]], known: dict[str, ConditionValue]
    ) -> None:
        self.shape = shape
        self.steps = [
            (place, type, TYPES[type].kind is TEXT, type == "integer") for place, type in steps
        ]
        self._known = known

    def row(
        self, alarm_id: str, project: str | None, event_type: str, query: Sequence[Condition]
    ) -> Row:
        """An alarm's row. Raises `InvalidValue` for a value that does not convert."""
        made: list[Any] = [alarm_id, self.shape.number, project, event_type]
        for place, type, is_text, is_integer in self.steps:
            value = query[place].value
            if value.__class__ is not str:
                made.append(constant(value, type))
            elif is_text:
                # A text is its own constant: the common case.
                made.append(value)
            elif is_integer:
                known = self._known.get(value)
                made.append(self._learn(value) if known is None else known)
            else:
                made.append(constant(value, type))
        return tuple(made)

    def _learn(self, value: str) -> ConditionValue:
        """An integer, the same object for the first thousands: thresholds come again."""
        made = constant(value, "integer")
        if len(self._known) < _INTEGERS_KEPT:
            self._known[value] = made
        return made


class Shapes:
    """The shapes in use. A shape lives as long as some alarm has it; no number is used twice."""

    def __init__(self, generated_limit: int) -> None:
        self.by_number: dict[int, Shape] = {}
        self._generated_limit = generated_limit
        self._by_clauses: dict[tuple[Clause, ...], Shape] = {}
        self._plans: dict[tuple[tuple[str, str, str], ...], Plan] = {}
        self._integers: dict[str, ConditionValue] = {}
        self._next_number = 0

    def plan(self, query: Sequence[Condition]) -> Plan:
        """How to make rows of such queries. Raises `InvalidValue` for an unknown op or type."""
        signature = tuple(map(_SIGNATURE, query))
        plan = self._plans.get(signature)
        return self._new_plan(signature) if plan is None else plan

    def release(self, number: int) -> None:
        """One alarm fewer has the shape; the last one takes it along."""
        shape = self.by_number[number]
        shape.alarms -= 1
        self.drop_unused(shape)

    def drop_unused(self, shape: Shape) -> None:
        """Forget the shape if no alarm has it."""
        if shape.alarms:
            return
        del self.by_number[shape.number]
        del self._by_clauses[shape.clauses]
        self._plans = {key: plan for key, plan in self._plans.items() if plan.shape is not shape}

    def _new_plan(self, signature: tuple[tuple[str, str, str], ...]) -> Plan:
        """The plan for a signature, remembered; the order of its conditions does not matter."""
        clauses = [clause(*condition) for condition in signature]
        order = sorted(range(len(clauses)), key=lambda place: _rank(clauses[place]))
        shape = self._shape(tuple([clauses[place] for place in order]))
        plan = Plan(shape, [(place, signature[place][2]) for place in order], self._integers)
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()
        self._plans[signature] = plan
        return plan

    def _shape(self, clauses: tuple[Clause, ...]) -> Shape:
        shape = self._by_clauses.get(clauses)
        if shape is None:
            generate = len(self.by_number) < self._generated_limit
            shape = Shape(self._next_number, clauses, generate=generate)
            self._next_number += 1
            self.by_number[shape.number] = self._by_clauses[clauses] = shape
        return shape


def _rank(each: Clause) -> tuple[bool, str, str, str]:
    """Equalities first: they tell most."""
    return each.op != "eq", each.field, each.op, each.kind.name


# --- a shape as closures ---------------------------------------------------------------------


def _closures(clauses: Sequence[Clause]) -> tuple[One, Scan]:
    steps = [
        (reader(field, kind), OPERATORS[op].compare, position)
        for position, (field, op, kind) in enumerate(clauses, CONSTANTS)
    ]

    def one(event: Event, row: Row) -> bool:
        for read, compare, position in steps:
            value = read(event)
            if value is None or not compare(value, row[position]):
                return False
        return True

    def scan(event: Event, rows: Iterable[Row], out: list[str]) -> None:
        read_once = [(read(event), compare, position) for read, compare, position in steps]
        if any(value is None for value, _, _ in read_once):
            return
        for row in rows:
            if all(compare(value, row[position]) for value, compare, position in read_once):
                out.append(row[ALARM_ID])

    return one, scan


# --- a shape as source code ------------------------------------------------------------------

_SOURCE = """\
def one(event, row):
    values = event.values
    return {one}

def scan(event, rows, out):
    values = event.values
{fetch}
    for row in rows:
        if {test}:
            out.append(row[0])
"""
_FETCH = """\
    {v} = {value}
    if not {guard}:
        return False"""


def _generated(clauses: Sequence[Clause]) -> tuple[One, Scan]:
    names: dict[tuple[str, Kind], str] = {}
    namespace: dict[str, Any] = {"datetime": datetime}
    fetches, tests, steps = [], [], []
    for position, (field, op, kind) in enumerate(clauses, CONSTANTS):
        symbol, constant = OPERATORS[op].symbol, f"row[{position}]"
        v = names.get((field, kind))
        if v is None:
            v = names[field, kind] = f"v{len(names)}"
            value, guard = _source(v, field, kind, namespace)
            fetches.append(_FETCH.format(v=v, value=value, guard=guard.format(first=v, v=v)))
            fetch = f"({v} := {value})"
            if op == "eq":
                # What is equal to the constant is seldom met, so that is asked first.
                steps += [f"{fetch} == {constant}", guard.format(first=v, v=v)]
            else:
                steps += [guard.format(first=fetch, v=v), f"{v} {symbol} {constant}"]
        else:
            steps.append(f"{v} {symbol} {constant}")
        tests.append(f"{v} {symbol} {constant}")
    source = _SOURCE.format(
        one=" and ".join(steps) or "True",
        fetch="\n".join(fetches),
        test=" and ".join(tests) or "True",
    )
    exec(compile(source, "<shape>", "exec"), namespace)
    return namespace["one"], namespace["scan"]


def _source(v: str, field: str, kind: Kind, namespace: dict[str, Any]) -> tuple[str, str]:
    """Source that gives a field's value, and the guard that says whether it is of the kind.

    A trait is read in place; anything else by the function that `conditions` has for it.
    """
    trait = trait_name(field)
    if trait is not None and kind.guard:
        return f"values.get({trait!r})", kind.guard
    namespace[f"read_{v}"] = reader(field, kind)
    return f"read_{v}(event)", "({first} is not None)"
