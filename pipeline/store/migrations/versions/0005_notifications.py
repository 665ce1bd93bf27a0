"""Notifications that tell of anything, not only of alarms; targets, groups, filters, matchers.

What the columns mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

PLAIN_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("notification", sa.Column("kind", PLAIN_TEXT))
    _create_routing_entries()
    _create_applied_items()
    op.add_column("delivery", sa.Column("progress", PLAIN_TEXT))
    op.add_column("delivery", sa.Column("in_progress_since", INSTANT))
    op.add_column("alarm", sa.Column("guarded", sa.Boolean))
    op.add_column("delivery", sa.Column("guarded", sa.Boolean))


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")


def _create_routing_entries() -> None:
    op.create_table(
        "routing_entry",
        sa.Column("name", PLAIN_TEXT, primary_key=True),
        sa.Column("kind", PLAIN_TEXT, nullable=False),
        sa.Column("document", PLAIN_TEXT, nullable=False),
        sa.Column("secrets", PLAIN_TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO revision (id, value) VALUES (2, 0)")


def _create_applied_items() -> None:
    op.create_table(
        "applied_item",
        sa.Column("kind", PLAIN_TEXT, primary_key=True),
        sa.Column("id", PLAIN_TEXT, primary_key=True),
        sa.Column("owner", PLAIN_TEXT, nullable=False),
    )
