"""`alarm list --query "severity=critical and not (name=~disk or state!=alarm)"` → criteria.

Pure: parses the expression language of `aodh alarm list --query` (alarms 29) into the tree that
the store decides by. Not the conditions of an event rule; those are `pipeline.alarms.queries`.

    expression  =  term { "or" term }              term   =  factor { "and" factor }
    factor      =  "not" factor | "(" expression ")" | field operator value
    value       =  word | "text" | 'text' | [value, value, …]      (a list with the operator in)

Words are compared by the field's kind: booleans, times, and severities by their rank.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from pipeline.alarms import criteria
from pipeline.alarms.criteria import (
    ALARM_FIELDS,
    DEEPEST,
    FIELD_ALIASES,
    LARGEST,
    AllOf,
    AnyOf,
    Criterion,
    Fields,
    Negation,
)
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

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
_ALIASES = {"==": "=", "eq": "=", "ne": "!=", "lt": "<", "le": "<=", "=<": "<=", "gt": ">"}
_ALIASES |= {"ge": ">=", "=>": ">="} | {sign: sign for sign in criteria.SIGNS}


def criterion(expression: str, fields: Fields = ALARM_FIELDS) -> Criterion:
    """What the expression asks for. Raises `InvalidValue` saying where it is wrong."""
    parser = _Parser(expression, fields)
    found = parser.expression()
    parser.end()
    return found


class _Parser:
    """Recursive descent; a method for each rule of the grammar above."""

    def __init__(self, text: str, fields: Fields) -> None:
        self._text, self._fields = text, fields
        self._depth = self._size = 0
        self._tokens: list[tuple[str, str, int]] = []
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._wrong(f"cannot read {text[place:].strip()!r}", place)
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()
        self._next = 0

    def expression(self) -> Criterion:
        alternatives = [self._term()]
        while self._took("or"):
            alternatives.append(self._term())
        return alternatives[0] if len(alternatives) == 1 else AnyOf(tuple(alternatives))

    def _term(self) -> Criterion:
        factors = [self._factor()]
        while self._took("and"):
            factors.append(self._factor())
        return factors[0] if len(factors) == 1 else AllOf(tuple(factors))

    def _factor(self) -> Criterion:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} levels")
        found = self._inner_factor()
        self._depth -= 1
        return found

    def _inner_factor(self) -> Criterion:
        if self._took("not"):
            return Negation(self._factor())
        if self._took("("):
            inner = self.expression()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Criterion:
        field = self._field()
        sign = _ALIASES.get(self._peek().lower())
        if sign is None:
            raise self._wrong(f"expected an operator, one of {' '.join(_ALIASES)}")
        self._next += 1
        place = self._next
        value = self._value()
        try:
            kind = self._fields[field]
            return criteria.comparison(kind, field, sign, value, strict=True)
        except ValueError as error:
            self._next = place
            raise self._wrong(str(error)) from error

    def _field(self) -> str:
        name = self._peek().lower()
        field = FIELD_ALIASES.get(name, name)
        if field not in self._fields:
            known = one_of(field, self._fields)
            raise self._wrong(f"no field is called {self._peek()!r}. {known}")
        self._next += 1
        return field

    def _value(self) -> _Value:
        if not self._took("["):
            if not self._left() or self._tokens[self._next][0] in ("sign", "mark"):
                raise self._wrong("expected a value")
            self._size += 1
            if self._size > LARGEST:
                raise self._wrong(f"more than {LARGEST} values")
            self._next += 1
            return self._tokens[self._next - 1][1]
        values: list[_Value] = []
        while not self._took("]"):
            if self._peek() == "[":
                raise self._wrong("a list goes with the operator in")
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
