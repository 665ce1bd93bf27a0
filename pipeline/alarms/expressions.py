"""`alarm list --query "severity=critical and not (name=~disk or state!=alarm)"` → a predicate.

Pure: parses the expression language of `aodh alarm list --query` (alarms 29) and decides about
one alarm at a time. Not the conditions of an event rule; those are `pipeline.alarms.queries`.

    expression  =  term { "or" term }              term   =  factor { "and" factor }
    factor      =  "not" factor | "(" expression ")" | field operator value
    value       =  word | "text" | 'text' | [value, value, …]      (a list with the operator in)

Words are compared by the field's kind: booleans, times, and severities by their rank.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import iso8601

from pipeline.alarms.alarm import Alarm, Severity
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

Predicate: TypeAlias = Callable[[Alarm], bool]
_Value: TypeAlias = str | list["_Value"]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign> >=|=>|<=|=<|!=|==|=~|=|<|> )
    | (?P<mark> [()\[\],] )
    | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
    | (?P<word> [^\s()\[\],<>=!"']+ )
    )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ALIASES = {"==": "=", "eq": "=", "ne": "!=", "lt": "<", "le": "<=", "=<": "<=", "gt": ">"}
_ALIASES |= {"ge": ">=", "=>": ">=", "=~": "=~", "in": "in"} | {sign: sign for sign in _COMPARE}
_KINDS: Mapping[str, type] = {
    "alarm_id": str,
    "name": str,
    "description": str,
    "type": str,
    "project_id": str,
    "user_id": str,
    "state": str,
    "state_reason": str,
    "severity": Severity,
    "enabled": bool,
    "repeat_actions": bool,
    "timestamp": datetime,
    "state_timestamp": datetime,
}
_FIELD_ALIASES = {"project": "project_id", "user": "user_id"}
_SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


def predicate(expression: str) -> Predicate:
    """Whether an alarm meets the expression. Raises `InvalidValue` saying where it is wrong."""
    parser = _Parser(expression)
    found = parser.expression()
    parser.end()
    return found


class _Parser:
    """Recursive descent; a method for each rule of the grammar above."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._wrong(f"cannot read {text[place:].strip()!r}", place)
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()
        self._next = 0

    def expression(self) -> Predicate:
        alternatives = [self._term()]
        while self._took("or"):
            alternatives.append(self._term())
        return lambda alarm: any(one(alarm) for one in alternatives)

    def _term(self) -> Predicate:
        factors = [self._factor()]
        while self._took("and"):
            factors.append(self._factor())
        return lambda alarm: all(one(alarm) for one in factors)

    def _factor(self) -> Predicate:
        if self._took("not"):
            negated = self._factor()
            return lambda alarm: not negated(alarm)
        if self._took("("):
            inner = self.expression()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        field = self._field()
        sign = _ALIASES.get(self._peek().lower())
        if sign is None:
            raise self._wrong(f"expected an operator, one of {' '.join(_ALIASES)}")
        self._next += 1
        place = self._next
        value = self._value()
        try:
            return _comparison(field, sign, value)
        except ValueError as error:
            self._next = place
            raise self._wrong(str(error)) from error

    def _field(self) -> str:
        name = self._peek().lower()
        field = _FIELD_ALIASES.get(name, name)
        if field not in _KINDS:
            raise self._wrong(f"no field is called {self._peek()!r}. {one_of(field, _KINDS)}")
        self._next += 1
        return field

    def _value(self) -> _Value:
        if not self._took("["):
            if not self._left() or self._tokens[self._next][0] in ("sign", "mark"):
                raise self._wrong("expected a value")
            self._next += 1
            return self._tokens[self._next - 1][1]
        values: list[_Value] = []
        while not self._took("]"):
            values.append(self._value())
            if not self._took(",") and self._peek() != "]":
                raise self._wrong("expected , or ]")
        return values

    def end(self) -> None:
        if self._left():
            raise self._wrong("expected and, or, or the end")

    def _left(self) -> bool:
        return self._next < len(self._tokens)

    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._left() else ""

    def _took(self, text: str) -> bool:
        """Step over `text` if it is next; in quotes it would be a value."""
        here = self._left() and self._tokens[self._next][0] in ("word", "mark")
        if here and self._peek().lower() == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise self._wrong(f"expected {text}")

    def _wrong(self, what: str, place: int | None = None) -> InvalidValue:
        if place is None:
            place = self._tokens[self._next][2] if self._left() else len(self._text)
        pointer = " " * place + "^"
        return InvalidValue(f"--query: {what}\n  {self._text}\n  {pointer}", "query")


def _comparison(field: str, sign: str, value: _Value) -> Predicate:
    """Raises `ValueError` where the value does not fit the field or the operator."""
    kind = _KINDS[field]
    if sign == "in":
        if not isinstance(value, list):
            raise ValueError("in needs a list: [one, two]")
        options = [_converted(kind, one) for one in value]
        return lambda alarm: _comparable(getattr(alarm, field)) in options
    if sign == "=~":
        pattern = _pattern(str(value))
        return lambda alarm: bool(pattern.search(str(getattr(alarm, field))))
    wanted, compare = _converted(kind, value), _COMPARE[sign]
    return lambda alarm: compare(_comparable(getattr(alarm, field)), wanted)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error


def _comparable(value: Any) -> Any:
    return _RANKS[value] if isinstance(value, Severity) else value


def _converted(kind: type, value: _Value) -> Any:
    if isinstance(value, list):
        raise ValueError("a list goes with the operator in")
    if kind is bool:
        if value.lower() not in _SWITCH:
            raise ValueError(f"expected true or false, not {value!r}")
        return _SWITCH[value.lower()]
    if kind is datetime:
        try:
            return iso8601.parse_date(value)
        except iso8601.ParseError as error:
            raise ValueError(f"expected a time as 2026-01-02T12:00:00Z, not {value!r}") from error
    if kind is Severity:
        if value not in list(Severity):
            raise ValueError(f"unknown severity {value!r}. {one_of(value, list(Severity))}")
        return _RANKS[Severity(value)]
    return value
