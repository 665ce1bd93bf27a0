"""Criteria → SQL: the one reading of what people ask for (`pipeline.alarms.criteria`).

SQL decides all but regular expressions, which no two databases mean alike, and some of which keep
PostgreSQL busy for ever. Where there are any, SQL chooses what may be meant and tells of each row
how its other comparisons stand; `Chosen.holds` puts the whole together, with RE2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, case, false, literal, not_, or_, true

from pipeline.alarms.alarm import Severity
from pipeline.alarms.criteria import (
    AllOf,
    AnyOf,
    Comparison,
    Criterion,
    Negation,
    matcher,
)
from pipeline.store.documents import storable_text

Columns: TypeAlias = Mapping[str, ColumnElement[Any]]
"""Where each field stands."""

RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}
_Test: TypeAlias = Callable[[Sequence[Any]], bool]
_ORDERED: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """How rows are chosen: those of `where`, and of them, where `test` is not None, those for
    which it holds, given the values of `decided`."""

    where: ColumnElement[bool]
    decided: tuple[ColumnElement[Any], ...] = ()
    test: _Test | None = None


def chosen(criterion: Criterion | None, columns: Columns) -> Chosen:
    """How the rows that meet the criterion are chosen; all for None."""
    if criterion is None:
        return Chosen(true())
    if not _has_pattern(criterion):
        return Chosen(_sql(criterion, columns))
    decided: list[ColumnElement[Any]] = []
    test = _test(criterion, columns, decided)
    return Chosen(_possible(criterion, columns, wanted=True), tuple(decided), test)


def _has_pattern(criterion: Criterion) -> bool:
    match criterion:
        case AllOf(parts) | AnyOf(parts):
            return any(map(_has_pattern, parts))
        case Negation(part):
            return _has_pattern(part)
        case Comparison(sign=sign):
            return sign == "=~"


def _sql(criterion: Criterion, columns: Columns) -> ColumnElement[bool]:
    match criterion:
        case AllOf(parts):
            return and_(*(_sql(part, columns) for part in parts))
        case AnyOf(parts):
            return or_(*(_sql(part, columns) for part in parts))
        case Negation(part):
            return not_(_sql(part, columns))
        case Comparison():
            return _compared(criterion, columns[criterion.field])


def _possible(criterion: Criterion, columns: Columns, *, wanted: bool) -> ColumnElement[bool]:
    """What can be `wanted`, true or false, whatever the regular expressions in it say."""
    match criterion:
        case AllOf(parts) | AnyOf(parts):
            together = and_ if isinstance(criterion, AllOf) is wanted else or_
            return together(*(_possible(part, columns, wanted=wanted) for part in parts))
        case Negation(part):
            return _possible(part, columns, wanted=not wanted)
        case Comparison(sign="=~"):
            return true()
        case Comparison():
            compared = _compared(criterion, columns[criterion.field])
            return compared if wanted else not_(compared)


def _test(criterion: Criterion, columns: Columns, decided: list[ColumnElement[Any]]) -> _Test:
    """The criterion of what SQL `decided`, to which is added what it needs."""
    match criterion:
        case AllOf(parts):
            tests = [_test(part, columns, decided) for part in parts]
            return lambda row: all(test(row) for test in tests)
        case AnyOf(parts):
            tests = [_test(part, columns, decided) for part in parts]
            return lambda row: any(test(row) for test in tests)
        case Negation(part):
            inner = _test(part, columns, decided)
            return lambda row: not inner(row)
        case Comparison(field=field, sign="=~", value=pattern):
            decided.append(columns[field])
            search, place = matcher(pattern).search, len(decided) - 1
            return lambda row: search(row[place]) is not None
        case Comparison():
            decided.append(_compared(criterion, columns[criterion.field]))
            at = len(decided) - 1
            return lambda row: bool(row[at])


def _compared(comparison: Comparison, column: ColumnElement[Any]) -> ColumnElement[bool]:
    sign, value = comparison.sign, comparison.value
    found: ColumnElement[bool]
    if sign == "in":
        found = column.in_([_stored(each) for each in value]) if value else false()
    elif sign in ("=", "!="):
        found = column == _literal(value, column)
    elif comparison.field == "severity":
        found = _ORDERED[sign](case(RANKS, value=column), literal(RANKS[value]))
    else:
        found = _ORDERED[sign](column, _literal(value, column))
    return not_(found) if sign == "!=" else found


def _literal(value: Any, column: ColumnElement[Any]) -> ColumnElement[Any]:
    return literal(_stored(value), column.type)


def _stored(value: Any) -> Any:
    """The value as its column takes it."""
    return storable_text(value) if isinstance(value, str) else value
