"""The event archive, and what removing old rows needs.

What the tables mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG_AGO = "1970-01-01T00:00:00.000000Z"


def upgrade() -> None:
    _create_archive()
    op.create_index("ix_firing_fired_at", "firing", ["fired_at"])
    # SQLite adds no column that must not be null without a value for the rows that there are.
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    with op.batch_alter_table("deleted_alarm") as table:
        table.add_column(_needed("deleted_at", INSTANT, server_default=now))
    with op.batch_alter_table("deleted_alarm") as table:
        table.alter_column("deleted_at", server_default=None)
    op.create_table(
        "pruning",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("holder", TEXT),
        _needed("due_at", INSTANT),
    )
    op.execute(f"INSERT INTO pruning (id, holder, due_at) VALUES (1, '', '{LONG_AGO}')")


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")


def _needed(name: str, kind: sa.types.TypeEngine[Any], **further: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **further)


def _create_archive() -> None:
    op.create_table(
        "event",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        _needed("message_id", TEXT),
        _needed("event_type", TEXT),
        _needed("generated", INSTANT),
        _needed("received_at", INSTANT),
        _needed("document", TEXT),
        _needed("bytes", sa.Integer()),
    )
    op.create_index("ix_event_message_id", "event", ["message_id"], unique=True)
    op.create_index("ix_event_generated", "event", ["generated", "sequence", "bytes"])
    op.create_index("ix_event_event_type", "event", ["event_type", "generated", "sequence"])
    op.create_table(
        "event_trait",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", TEXT, primary_key=True),
        sa.Column("generated", INSTANT, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
