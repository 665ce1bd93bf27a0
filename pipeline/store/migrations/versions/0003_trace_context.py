"""The context of a trace, kept with the notification that it goes on with.

What the tables mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("notification", sa.Column("trace_context", TEXT, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("put back a backup that was made with the older version")
