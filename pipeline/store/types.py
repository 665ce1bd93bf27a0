"""Column types that mean the same on SQLite and PostgreSQL.

`Instant` orders and compares as time does, `WireText` and `WireKey` take any string that Python
can hold, and every text sorts by code point (SQLite's order; PostgreSQL's collation "C").
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TIMESTAMP, TypeEngine

from pipeline.store.documents import storable_key, storable_text

Sequence = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers given out by the database, growing. SQLite gives out INTEGER keys only."""

PlainText = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that this program made itself: ids, words from a fixed list, JSON documents."""


class Instant(TypeDecorator[datetime]):
    """A moment. Aware in and UTC out; ISO 8601 text of fixed width on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs its time zone: {value!r}")
        value = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return value
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"

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
        return PlainText.dialect_impl(dialect)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value)


class WireKey(WireText):
    """Text of any content and length that is looked up by index, as `storable_key` writes it."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_key(value)
