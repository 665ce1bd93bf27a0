"""Event: what happened, as typed traits; and Rejected: what could not be understood.

Values only. Made by `pipeline.normalise`, read by routing, alarms, publishers and the store.
The wire form is Ceilometer's (events-in 23):
`{message_id, event_type, generated, traits: [[name, dtype, value], …], raw}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

TraitValue: TypeAlias = str | int | float | datetime


class TraitType(IntEnum):
    """A trait's data type; the numbers are Ceilometer's dtypes (events-in 17)."""

    TEXT = 1
    INT = 2
    FLOAT = 3
    DATETIME = 4


class Event(NamedTuple):
    """One event with its traits.

    `generated` is aware UTC. `values` and `types` have the same keys in the same order (`types`
    may be shared between events); a datetime value is aware UTC. `raw` is the whole notification
    where `store_raw` asks for it, else empty. Hot path: a NamedTuple is made in a third of the
    time of a frozen dataclass.
    """

    message_id: str
    event_type: str
    generated: datetime
    values: Mapping[str, TraitValue]
    types: Mapping[str, TraitType]
    raw: Mapping[str, Any] = {}

    @property
    def project_id(self) -> str:
        """The project that the event belongs to, `''` for none (alarms 9)."""
        values = self.values
        return str(values.get("project_id") or values.get("tenant_id") or "")

    def as_dict(self) -> dict[str, Any]:
        """The wire form, times as ISO 8601 in UTC without a zone, as Ceilometer writes them."""
        types = self.types
        traits = [
            [k, int(types[k]), _plain(v) if isinstance(v, datetime) else v]
            for k, v in self.values.items()
        ]
        return {
            "message_id": self.message_id,
            "event_type": self.event_type,
            "generated": _plain(self.generated),
            "traits": traits,
            "raw": dict(self.raw),
        }

    @classmethod
    def from_dict(cls, wire: Mapping[str, Any]) -> Event:
        """Read the wire form that `as_dict` writes back into an Event."""
        traits: Iterable[tuple[str, int, Any]] = wire["traits"]
        types = {name: TraitType(dtype) for name, dtype, _ in traits}
        values = {name: _typed(types[name], value) for name, _, value in traits}
        generated = _aware(wire["generated"])
        return cls(
            wire["message_id"], wire["event_type"], generated, values, types, wire.get("raw") or {}
        )


class Rejected(NamedTuple):
    """Said of a message that cannot be understood: why, for a person to read.

    `body` is the message to keep where only a part of what came is meant, None for all of it.
    """

    reason: str
    body: bytes | None = None


def _plain(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


def _typed(dtype: TraitType, value: Any) -> TraitValue:
    return _aware(value) if dtype is TraitType.DATETIME else value


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
