"""What a condition means: every operator and every type, in two tables.

The types (alarms 3), what makes their constant, and which values they take from an event:

    type        the value given becomes    compared with what is, in the event,
    '' string   itself                     a text
    integer     int                        an integer or a float, never a boolean
    float       float, not NaN             an integer or a float, never a boolean
    boolean     true or false              a boolean, 1 or 0, or a word that says so ('True', 'no')
    datetime    the moment, in UTC         a moment

An event's value that is absent, null or of another kind makes the condition **false whatever the
operator**, `ne` included: it means present and different (alarms 10). A text trait `'5'` is no
number, as in Aodh. Boolean traits do not exist: JSON's `true` is the text `'True'` in a text
trait and 1 in an int trait, and both are true here.

Fields are `traits.NAME` (dots in NAME are part of it), `event_type`, `message_id`, `generated`
(a moment; to a string condition its wire form) and `raw.a.b`, a path into the stored
notification, where JSON has no moments and so text is read as ISO 8601. Any other field is absent
from every event.

Pure. This is the reference: `hits` reads a rule plainly. `pipeline.alarms.index` finds the same
alarms faster, from the same tables. Nothing here raises when an event is looked at; a condition
that makes no sense raises `InvalidValue` when it is compiled.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import iso8601

from pipeline.alarms.alarm import Condition, ConditionValue, EventRule
from pipeline.errors import InvalidValue
from pipeline.event import Event
from pipeline.registry import one_of
from pipeline.words import truth

Reader: TypeAlias = Callable[[Event], Any]

# --- what an event's value must be -----------------------------------------------------------


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    return value if type(value) is int or type(value) is float else None


def _moment(value: Any) -> Any:
    return value if isinstance(value, datetime) else None


def _truth(value: Any) -> bool | None:
    """The truth that a value tells; the words are those that Aodh takes for a boolean."""
    if isinstance(value, str):
        return truth(value)
    if isinstance(value, (int, float)) and (value == 0 or value == 1):
        return bool(value)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A class of comparable values. `take` gives a value of this kind, None for all others.

    `guard` is the same as source code, where that is faster than a call: `{first}` is what gives
    the value and is evaluated first, `{v}` the variable that it is in afterwards.
    """

    name: str
    take: Callable[[Any], Any]
    guard: str = ""


TEXT = Kind("text", _text, "isinstance({first}, str)")
NUMBER = Kind("number", _number, "(type({first}) is int or type({v}) is float)")
BOOLEAN = Kind("boolean", _truth)
MOMENT = Kind("moment", _moment, "isinstance({first}, datetime)")

# --- the operators ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """How a value of the event is compared with the constant. All are false without a value."""

    symbol: str
    compare: Callable[[Any, Any], bool]
    meaning: str


OPERATORS: Mapping[str, Operator] = {
    "eq": Operator("==", operator.eq, "present and equal"),
    "ne": Operator("!=", operator.ne, "present and different"),
    "lt": Operator("<", operator.lt, "present and less"),
    "le": Operator("<=", operator.le, "present, and less or equal"),
    "gt": Operator(">", operator.gt, "present and greater"),
    "ge": Operator(">=", operator.ge, "present, and greater or equal"),
}

SIGNS: Mapping[str, str] = {
    "ne": "!=",
    "ge": ">=",
    "le": "<=",
    "gt": ">",
    "lt": "<",
    "eq": "=",
}
"""The operators as people write them."""

# --- the types -------------------------------------------------------------------------------


def _as_text(value: Any) -> str:
    if value.__class__ is str:
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _as_integer(value: Any) -> int:
    return int(_as_text(value))


def _as_float(value: Any) -> float:
    number = float(_as_text(value))
    if number != number:
        raise ValueError("NaN compares with nothing")
    return number


def _as_boolean(value: Any) -> bool:
    truth = _truth(_as_text(value))
    if truth is None:
        raise ValueError("not a boolean")
    return truth


def _as_moment(value: Any) -> datetime:
    return iso8601.parse_date(_as_text(value)).astimezone(UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A condition's type. `constant` makes what is compared with; raises ValueError."""

    kind: Kind
    constant: Callable[[Any], ConditionValue]


TYPES: Mapping[str, Type] = {
    "": Type(TEXT, _as_text),
    "string": Type(TEXT, _as_text),
    "integer": Type(NUMBER, _as_integer),
    "float": Type(NUMBER, _as_float),
    "boolean": Type(BOOLEAN, _as_boolean),
    "datetime": Type(MOMENT, _as_moment),
}

# --- conditions ------------------------------------------------------------------------------


class Clause(NamedTuple):
    """A condition without its constant: what many alarms have in common."""

    field: str
    op: str
    kind: Kind


def clause(field: str, op: str, type: str) -> Clause:
    """What is compared, and how. Raises `InvalidValue` for an unknown operator or type."""
    if op not in OPERATORS:
        raise InvalidValue(f"unknown operator {op!r}. {one_of(op, OPERATORS)}", "op")
    if type not in TYPES:
        supported = [name for name in TYPES if name]
        message = f"The data type {type} is not supported. The supported data type list is: "
        raise InvalidValue(f"{message}{supported}", "type")
    return Clause(field, op, TYPES[type].kind)


def constant(value: Any, type: str) -> ConditionValue:
    """What a condition compares with. Raises `InvalidValue`, in Aodh's words (alarms 3)."""
    try:
        if isinstance(value, (str, int, float, datetime)):
            return TYPES[type].constant(value)
    except (ValueError, OverflowError):
        pass
    message = f"Unable to convert the value {value} to the expected data type {type or 'string'}."
    raise InvalidValue(message, "value")


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Callable[[str], Any]:
    """A function that says whether a text matches the shell glob; letters' case counts.

    Raises `InvalidValue` for a pattern that cannot be one.
    """
    try:
        return re.compile(translate(pattern)).match
    except (re.error, OverflowError, RecursionError) as error:
        message = f"{pattern!r} cannot be used as a shell glob: {error}."
        raise InvalidValue(message, "event_type") from error


def check(rule: EventRule) -> None:
    """Raise `InvalidValue` for a rule that cannot be compiled."""
    glob(rule.event_type)
    for c in rule.query:
        clause(c.field, c.op, c.type)
        constant(c.value, c.type)


def hits(rule: EventRule, event: Event) -> bool:
    """Whether the event is of the rule's type and every condition holds (alarms 10).

    Raises `InvalidValue` for a rule that cannot be compiled.
    """
    return bool(glob(rule.event_type)(event.event_type)) and all(
        holds(condition, event) for condition in rule.query
    )


def holds(condition: Condition, event: Event) -> bool:
    """Whether one condition holds. Raises `InvalidValue` for one that cannot be compiled."""
    field, op, kind = clause(condition.field, condition.op, condition.type)
    value = reader(field, kind)(event)
    expected = constant(condition.value, condition.type)
    return value is not None and OPERATORS[op].compare(value, expected)


# --- fields ----------------------------------------------------------------------------------


def trait_name(field: str) -> str | None:
    """The trait that a field names; None if it is not about a trait."""
    return field[len("traits.") :] if field.startswith("traits.") else None


def reader(field: str, kind: Kind) -> Reader:
    """A function that gives an event's value of that field and kind, None if there is none."""
    take = kind.take
    trait = trait_name(field)
    if trait is not None:
        return lambda event: take(event.values.get(trait))
    head, *path = field.split(".")
    if head == "raw" and path:
        take_raw = _moment_in_json if kind is MOMENT else take
        return lambda event: take_raw(_inside(event.raw, path))
    return _EVENT_FIELDS.get((field, kind), _absent)


def _inside(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _moment_in_json(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return _as_moment(value)
    except (ValueError, OverflowError):
        return None


def _wire_time(event: Event) -> str:
    return event.generated.astimezone(UTC).replace(tzinfo=None).isoformat()


def _absent(event: Event) -> None:
    return None


_EVENT_FIELDS: Mapping[tuple[str, Kind], Reader] = {
    ("event_type", TEXT): lambda event: event.event_type,
    ("message_id", TEXT): lambda event: event.message_id,
    ("generated", TEXT): _wire_time,
    ("generated", MOMENT): lambda event: event.generated,
}
