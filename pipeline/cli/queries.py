"""`--query "traits.a=string::x;traits.n>=integer::5"` → the conditions of an event rule.

Pure: text in, the wire form `[{field, op, type, value}]` out. Whether a value fits its type is the
alarm schema's business. Aodh's grammar (alarms 28), read in aodhclient; blanks around a field, an
operator or a value do not count.
"""

from __future__ import annotations

import re

from pipeline.alarms.conditions import SIGNS
from pipeline.errors import InvalidValue
from pipeline.registry import one_of

OPERATORS = {sign: name for name, sign in SIGNS.items()}
TYPES = ("string", "integer", "float", "boolean", "datetime")

_OPERATOR = re.compile("!=|>=|<=|>|<|=")
_EXAMPLE = 'Write --query "traits.a=string::x;traits.n>=integer::5".'


def conditions(query: str) -> list[dict[str, str]]:
    """The conditions of a query. Raises `InvalidValue`. A query of blanks has none."""
    return [_condition(part.strip()) for part in query.split(";") if part.strip()]


def _condition(text: str) -> dict[str, str]:
    operator = _OPERATOR.search(text)
    if operator is None:
        known = " ".join(OPERATORS)
        raise InvalidValue(f"{text!r} has no operator, one of {known}. {_EXAMPLE}", "query")
    field, value = text[: operator.start()].strip(), text[operator.end() :].strip()
    if not field:
        raise InvalidValue(f"{text!r} has no field before its operator. {_EXAMPLE}", "query")
    kind = ""
    if "::" in value:
        kind, _, value = (part.strip() for part in value.partition("::"))
        if kind and kind not in TYPES:
            raise InvalidValue(f"{text!r} has the unknown type {kind!r}. {one_of(kind, TYPES)}")
    if not value and kind != "string":
        raise InvalidValue(f"{text!r} has no value after its operator. {_EXAMPLE}", "query")
    return {"field": field, "op": OPERATORS[operator[0]], "type": kind, "value": value}
