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
    _create_guards()


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


def _create_guards() -> None:
    op.create_table(
        "receiver_breaker",
        sa.Column("receiver", PLAIN_TEXT, primary_key=True),
        sa.Column("lately", PLAIN_TEXT, nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_error", PLAIN_TEXT, nullable=False),
        sa.Column("open_since", INSTANT),
        sa.Column("probe_at", INSTANT),
        sa.Column("probe", PLAIN_TEXT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_table(
        "receiver_pace",
        sa.Column("receiver", PLAIN_TEXT, primary_key=True),
        sa.Column("full_at", INSTANT),
        sa.Column("window_from", INSTANT),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("storming", sa.Boolean, nullable=False),
    )
    op.add_column("delivery", sa.Column("digest_id", PLAIN_TEXT))
    op.add_column("delivery", sa.Column("fallback_for", PLAIN_TEXT))
    digested = sa.text("digest_id IS NOT NULL")
    op.create_index(
        "ix_delivery_digest_id",
        "delivery",
        ["digest_id"],
        postgresql_where=digested,
        sqlite_where=digested,
    )
