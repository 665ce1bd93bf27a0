"""API tokens, and the history of what people changed.

What the columns mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

PLAIN_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_tokens()
    _create_changes()


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")


def _create_tokens() -> None:
    op.create_table(
        "api_token",
        sa.Column("token_id", PLAIN_TEXT, primary_key=True),
        sa.Column("name", PLAIN_TEXT, nullable=False),
        sa.Column("secret_hash", PLAIN_TEXT, nullable=False),
        sa.Column("role", PLAIN_TEXT, nullable=False),
        sa.Column("projects", PLAIN_TEXT),
        sa.Column("names", PLAIN_TEXT),
        sa.Column("made_by", PLAIN_TEXT, nullable=False),
        sa.Column("made_with", PLAIN_TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
    )
    not_revoked = sa.text("revoked_at IS NULL")
    op.create_index(
        "ix_api_token_name",
        "api_token",
        ["name"],
        unique=True,
        postgresql_where=not_revoked,
        sqlite_where=not_revoked,
    )


def _create_changes() -> None:
    op.create_table(
        "change_history",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("kind", PLAIN_TEXT, nullable=False),
        sa.Column("name", PLAIN_TEXT, nullable=False),
        sa.Column("action", PLAIN_TEXT, nullable=False),
        sa.Column("detail", PLAIN_TEXT, nullable=False),
        sa.Column("user_id", PLAIN_TEXT, nullable=False),
        sa.Column("project_id", PLAIN_TEXT, nullable=False),
        sa.Column("timestamp", INSTANT, nullable=False),
    )
    op.create_index("ix_change_history_name", "change_history", ["name", "sequence"])
