"""Publications by sink, in the order in which they were made, and how many events each holds.

What the columns mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from pipeline.store.documents import storable_key

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("publication") as table:
        table.add_column(sa.Column("sink", TEXT))
        table.add_column(sa.Column("size", sa.Integer()))
        table.add_column(sa.Column("created_at", INSTANT))
    _fill(op.get_bind())
    with op.batch_alter_table("publication") as table:
        for name, kind in (("sink", TEXT), ("size", sa.Integer()), ("created_at", INSTANT)):
            table.alter_column(name, existing_type=kind, nullable=False)
    op.drop_index("ix_publication_due_at", "publication")
    op.create_index("ix_publication_sink", "publication", ["sink", "created_at", "publication_id"])


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")


def _fill(connection: Any) -> None:
    """What rows there are were made when they were first due, as far as one can know."""
    names = ("publication_id", "publisher", "events", "due_at", "sink", "size", "created_at")
    table = sa.table("publication", *map(sa.column, names))
    columns = table.c
    ids = [row[0] for row in connection.execute(sa.select(columns.publication_id))]
    for publication_id in ids:
        this = columns.publication_id == publication_id
        query = sa.select(columns.publisher, columns.events).where(this)
        publisher, events = connection.execute(query).one()
        filled = {
            "sink": storable_key(publisher),
            "size": len(json.loads(events)),
            "created_at": columns.due_at,
        }
        connection.execute(sa.update(table).where(this).values(filled))
