"""Column types that mean the same on SQLite and PostgreSQL.

`Instant` orders and compares as time does, `WireText` and `WireKey` take any string that Python
can hold, and every text sorts by code point (SQLite's order; PostgreSQL's collation "C").
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TIMESTAMP, TypeEngine

from pipeline.store.documents import storable_key, storable_text

Sequence = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers given out by the database, growing. SQLite gives out INTEGER keys only."""

_BY_CODE_POINT = postgresql.TEXT(collation="C")
PlainText = Text().with_variant(_BY_CODE_POINT, "postgresql")
"""Text that this program made itself: ids, words from a fixed list, JSON documents."""


class Instant(TypeDecorator[datetime]):
    """A moment. Aware in and UTC out; ISO 8601 text of fixed width on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return _utc(value) if dialect.name == "postgresql" else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        moment: datetime = value.astimezone(UTC)
        return moment


class WireText(TypeDecorator[str]):
    """Text of any content and length, as `storable_text` writes it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return _BY_CODE_POINT if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value)


class WireKey(WireText):
    """Text of any content and length that is looked up by index, as `storable_key` writes it."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_key(value)


def encoder(type_: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """What makes a value of this column ready for JSON and SQLite; None: it is so by itself.

    Not to be called for a None, which is ready in every column.
    """
    return _ENCODERS.get(type(type_))


@lru_cache(maxsize=1_000)
def instant_text(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds: texts of one width, which sort as the moments do."""
    return f"{_utc(value).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"a moment needs its time zone: {value!r}")
    return value.astimezone(UTC)


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    Instant: instant_text,
    WireText: storable_text,
    WireKey: storable_key,
}
