"""Known fields: what matchers can look at, and the values that it had (notifications 13). Pure.

Learnt from the contracts of kinds, from what was told and from events of the archive, as far as
the caller has these at hand. Names and meaning are those of `facts`. How much is kept of a field
is bounded: it is there to choose from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from pipeline.event import Event
from pipeline.kinds import Kind
from pipeline.notification import Notification
from pipeline.severity import WORDS

_MOST_FIELDS, _MOST_VALUES, _LONGEST_VALUE, _DEEPEST = 500, 100, 200, 4
_OF_ONE_ONLY: Final = frozenset({"message_id", "generated", "reason"})
"""What is another each time: nobody chooses among its values."""
_TRAIT: Final = "traits."


@dataclass(frozen=True, slots=True)
class KnownField:
    """A field: what it is for people, and its values with what each means, if anybody says so."""

    about: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def known_fields(
    kinds: Iterable[Kind], told: Iterable[Notification], events: Iterable[Event]
) -> dict[str, KnownField]:
    """All fields by name; of each the values that were most frequent, these first."""
    kinds = list(kinds)
    about = _described(kinds)
    seen: dict[str, Counter[str]] = {name: Counter() for name in about}
    for fields in _all_fields(told, events):
        for name, value in _flat(fields, "", 0):
            if name not in seen and len(seen) >= _MOST_FIELDS:
                continue
            values = seen.setdefault(name, Counter())
            if name.removeprefix(_TRAIT) not in _OF_ONE_ONLY and value:
                values[value] += 1
    found = {
        name: KnownField(about.get(name, ""), dict.fromkeys(_frequent(values), ""))
        for name, values in seen.items()
    }
    found["kind"] = KnownField(about["kind"], {each.id: each.description for each in kinds})
    found["severity"] = KnownField(about["severity"], dict.fromkeys(WORDS, ""))
    return found


def _frequent(values: Counter[str]) -> list[str]:
    """The most frequent; of those that are as frequent the first by name."""
    return sorted(values, key=lambda value: (-values[value], value))[:_MOST_VALUES]


def _described(kinds: Iterable[Kind]) -> dict[str, str]:
    """What the contracts say of each field; of several the first."""
    about = {"kind": "What sort of thing is told.", "severity": "How severe it is."}
    for kind in kinds:
        for name, described in kind.fields.items():
            if described.type != "object":
                about.setdefault(name, described.description)
    return about


def _all_fields(told: Iterable[Notification], events: Iterable[Event]) -> Iterator[Any]:
    for notification in told:
        yield notification.fields
    for event in events:
        yield {"event_type": event.event_type, "traits": dict(event.values)}


def _flat(fields: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Each field that holds a text or a number, traits also by their bare names."""
    for name, value in islice(fields.items(), _MOST_FIELDS):
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _flat(value, f"{path}{name}.", depth + 1)
            continue
        for text in _texts(value):
            yield f"{path}{name}", text
            if path == _TRAIT:
                yield str(name), text


def _texts(value: Any) -> Iterator[str]:
    match value:
        case bool():
            yield str(value).lower()
        case str() | int() | float():
            text = str(value)
            yield text if len(text) <= _LONGEST_VALUE and text.isprintable() else ""
        case datetime():
            yield ""
        case list() | tuple():
            for each in islice(value, _MOST_VALUES):
                if not isinstance(each, (list, tuple)):
                    yield from _texts(each)
