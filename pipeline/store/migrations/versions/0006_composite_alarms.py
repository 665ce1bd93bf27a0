"""Composite alarms: which alarms they refer to, and the states of their event conditions.

What the columns mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("alarm", sa.Column("leaf_states", TEXT))
    op.add_column("alarm", sa.Column("referenced", sa.Boolean))
    op.create_table(
        "alarm_reference",
        sa.Column("refers_to", TEXT, primary_key=True),
        sa.Column("alarm_id", TEXT, primary_key=True),
    )
    op.create_index("ix_alarm_reference_alarm_id", "alarm_reference", ["alarm_id"])
    op.execute("INSERT INTO revision (id, value) VALUES (3, 0)")


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")
