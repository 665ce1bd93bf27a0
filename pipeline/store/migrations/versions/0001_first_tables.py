"""The first tables: alarms, firings, deliveries, and what came in and could not be used.

What the tables mean is said in `pipeline.store.schema`. A migration is never changed once it is
released, so the types are spelled out here.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_alarms()
    _create_history()
    _create_deliveries()
    _create_events_in()


def downgrade() -> None:
    raise NotImplementedError("the first tables are not taken away; drop the database instead")


def _needed(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _create_alarms() -> None:
    op.create_table(
        "alarm",
        sa.Column("alarm_id", TEXT, primary_key=True),
        _needed("name", TEXT),
        _needed("description", TEXT),
        _needed("type", TEXT),
        _needed("enabled", sa.Boolean()),
        _needed("state", TEXT),
        _needed("state_timestamp", INSTANT),
        _needed("state_reason", TEXT),
        _needed("severity", TEXT),
        _needed("event_type", TEXT),
        _needed("rule", TEXT),
        _needed("ok_actions", TEXT),
        _needed("alarm_actions", TEXT),
        _needed("insufficient_data_actions", TEXT),
        _needed("repeat_actions", sa.Boolean()),
        _needed("time_constraints", TEXT),
        _needed("project_id", TEXT),
        _needed("user_id", TEXT),
        _needed("all_projects", sa.Boolean()),
        _needed("timestamp", INSTANT),
        sa.Column("evaluate_timestamp", INSTANT),
        _needed("revision", sa.BigInteger()),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_alarm_name", "alarm", ["name"], postgresql_using="hash")
    op.create_index("ix_alarm_project_id", "alarm", ["project_id"])
    op.create_index("ix_alarm_timestamp", "alarm", ["timestamp"])
    op.create_index("ix_alarm_revision", "alarm", ["revision"])
    revisions = op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("value", sa.BigInteger()),
    )
    op.bulk_insert(revisions, [{"id": 1, "value": 0}])
    op.create_table(
        "deleted_alarm",
        sa.Column("alarm_id", TEXT, primary_key=True),
        _needed("revision", sa.BigInteger()),
    )
    op.create_index("ix_deleted_alarm_revision", "deleted_alarm", ["revision"])


def _create_history() -> None:
    op.create_table(
        "alarm_history",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        _needed("event_id", TEXT),
        _needed("alarm_id", TEXT),
        _needed("type", TEXT),
        _needed("detail", TEXT),
        _needed("severity", TEXT),
        _needed("project_id", TEXT),
        _needed("user_id", TEXT),
        _needed("on_behalf_of", TEXT),
        _needed("timestamp", INSTANT),
    )
    op.create_index(
        "ix_alarm_history_alarm_id", "alarm_history", ["alarm_id", "timestamp", "sequence"]
    )
    op.create_table(
        "firing",
        sa.Column("alarm_id", TEXT, primary_key=True),
        sa.Column("message_id", TEXT, primary_key=True),
        _needed("fired_at", INSTANT),
    )


def _create_deliveries() -> None:
    op.create_table(
        "notification",
        sa.Column("notification_id", TEXT, primary_key=True),
        _needed("alarm_id", TEXT),
        _needed("alarm_name", TEXT),
        _needed("severity", TEXT),
        _needed("previous", TEXT),
        _needed("current", TEXT),
        _needed("reason", TEXT),
        _needed("reason_data", TEXT),
        _needed("message_id", TEXT),
        _needed("created_at", INSTANT),
    )
    op.create_index("ix_notification_alarm_id", "notification", ["alarm_id"])
    op.create_index("ix_notification_message_id", "notification", ["message_id"])
    op.create_table(
        "delivery",
        sa.Column("delivery_id", TEXT, primary_key=True),
        _needed("notification_id", TEXT),
        _needed("action", TEXT),
        _needed("receiver", TEXT),
        _needed("state", TEXT),
        _needed("attempts", sa.Integer()),
        _needed("attempts_before", sa.Integer()),
        _needed("created_at", INSTANT),
        sa.Column("due_at", INSTANT),
        _needed("lease", TEXT),
        sa.Column("finished_at", INSTANT),
        _needed("last_error", TEXT),
    )
    pending, dead = sa.text("state = 'pending'"), sa.text("state = 'dead'")
    op.create_index(
        "ix_delivery_due", "delivery", ["due_at"], postgresql_where=pending, sqlite_where=pending
    )
    op.create_index(
        "ix_delivery_dead", "delivery", ["finished_at"], postgresql_where=dead, sqlite_where=dead
    )
    op.create_index("ix_delivery_notification_id", "delivery", ["notification_id"])
    op.create_index("ix_delivery_created_at", "delivery", ["created_at"])
    op.create_table(
        "attempt",
        sa.Column("delivery_id", TEXT, primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        _needed("started_at", INSTANT),
        _needed("duration_seconds", sa.Float(53)),
        _needed("outcome", TEXT),
        sa.Column("status", sa.Integer()),
        _needed("reason", TEXT),
        _needed("response_head", TEXT),
        sa.Column("retry_after_seconds", sa.Float(53)),
        _needed("gone", sa.Boolean()),
    )
    op.create_table(
        "disabled_action",
        sa.Column("action_key", TEXT, primary_key=True),
        _needed("action", TEXT),
        _needed("reason", TEXT),
        _needed("disabled_at", INSTANT),
    )


def _create_events_in() -> None:
    op.create_table(
        "rejected_event",
        sa.Column("rejected_id", TEXT, primary_key=True),
        _needed("reason", TEXT),
        _needed("body", sa.LargeBinary()),
        sa.Column("content_type", TEXT),
        _needed("headers", TEXT),
        _needed("source", TEXT),
        _needed("received_at", INSTANT),
        _needed("truncated", sa.Boolean()),
    )
    op.create_index("ix_rejected_event_received_at", "rejected_event", ["received_at"])
    op.create_table(
        "publication",
        sa.Column("publication_id", TEXT, primary_key=True),
        _needed("publisher", TEXT),
        _needed("events", TEXT),
        _needed("error", TEXT),
        _needed("attempts", sa.Integer()),
        _needed("due_at", INSTANT),
    )
    op.create_index("ix_publication_due_at", "publication", ["due_at"])
