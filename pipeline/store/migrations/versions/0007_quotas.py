"""Quotas of projects, and alarms found by their user, as quotas of users count them.

What the columns mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

PLAIN_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "quota",
        sa.Column("project_id", PLAIN_TEXT, primary_key=True),
        sa.Column("resource", PLAIN_TEXT, primary_key=True),
        sa.Column("most", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_alarm_user_id", "alarm", ["user_id"])


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")
