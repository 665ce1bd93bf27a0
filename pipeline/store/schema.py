"""The tables.

`pipeline.store.migrations` makes them; a test holds the two equal. There are no foreign keys: rows
that belong together are written in one transaction, history and firings outlive their alarm.
JSON documents are text (`documents.to_json`).

    alarm ──< firing          one per (alarm, event): a redelivered event changes nothing
          ──< alarm_reference the alarms that a composite one refers to
          ──< alarm_history
          ──< notification ──< delivery ──< attempt
    quota                     how many alarms a project may have
    revision, deleted_alarm   what people changed, for workers to follow
    routing_entry             targets, groups, filters and matchers
    applied_item              which of these, and which alarms, came from files
    disabled_action           actions and receivers that are told nothing any more
    receiver_breaker          receivers that have failed lately, and what is done about it
    receiver_pace             targets that are to be told less: where they stand
    rejected_event            messages that are no events
    publication               events that a publisher did not take
    event ──< event_trait     the archive: events as documents, their traits to find them by
    pruning                   who removes what is too old, and when it is next due
    api_token                 who may use the API; only hashes of the secrets
    change_history            what people changed, but for alarms, which have their own
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)

from pipeline.store.types import Instant, PlainText, Sequence, WireKey, WireText

SCHEMA_VERSION = "0008"
"""The newest migration; known here so that an up-to-date database costs no import of Alembic."""

metadata = MetaData()

# --- alarms ----------------------------------------------------------------------------------

alarm = Table(
    "alarm",
    metadata,
    Column("alarm_id", WireKey, primary_key=True),
    Column("name", WireText, nullable=False),
    Column("description", WireText, nullable=False),
    Column("type", PlainText, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("state", PlainText, nullable=False),
    Column("state_timestamp", Instant, nullable=False),
    Column("state_reason", WireText, nullable=False),
    Column("severity", PlainText, nullable=False),
    # The rule as a document; its event type beside it, for listings to filter on.
    Column("event_type", WireText, nullable=False),
    Column("rule", PlainText, nullable=False),
    Column("ok_actions", PlainText, nullable=False),
    Column("alarm_actions", PlainText, nullable=False),
    Column("insufficient_data_actions", PlainText, nullable=False),
    Column("repeat_actions", Boolean, nullable=False),
    Column("time_constraints", PlainText, nullable=False),
    Column("project_id", WireKey, nullable=False),
    Column("user_id", WireKey, nullable=False),
    Column("all_projects", Boolean, nullable=False),
    Column("timestamp", Instant, nullable=False),
    Column("evaluate_timestamp", Instant),
    # The revision at which a person last changed this alarm. Firings leave it as it is.
    Column("revision", BigInteger, nullable=False),
    # Whether somebody else than an admin set the actions (delivery 9).
    Column("guarded", Boolean),
    # The states of a composite rule's event conditions, in its order; NULL: insufficient data.
    Column("leaf_states", PlainText),
    # Whether a composite alarm may refer to this one (`sql.composites`); never of a composite.
    Column("referenced", Boolean),
    # A name may be of any length, which only a hash index takes.
    Index("ix_alarm_name", "name", postgresql_using="hash"),
    Index("ix_alarm_project_id", "project_id"),
    Index("ix_alarm_user_id", "user_id"),
    Index("ix_alarm_timestamp", "timestamp"),
    Index("ix_alarm_revision", "revision"),
    # Room in each page, so that a firing changes the state in place and touches no index.
    postgresql_with={"fillfactor": 70},
)

# One row for alarms, one for routing entries (`sql.revisions`). Taking the next revision locks its
# row, so that revisions are committed in their order. One more is held, and never counted up, by
# who looks at composite alarms.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

alarm_reference = Table(
    "alarm_reference",
    metadata,
    Column("refers_to", WireKey, primary_key=True),
    # The composite alarm.
    Column("alarm_id", WireKey, primary_key=True),
    Index("ix_alarm_reference_alarm_id", "alarm_id"),
)

# What people set up by name; the built-in entries only once they are changed.
routing_entry = Table(
    "routing_entry",
    metadata,
    Column("name", PlainText, primary_key=True),
    # target, group, filter or matcher
    Column("kind", PlainText, nullable=False),
    # Its properties; the secrets among them as `***`.
    Column("document", PlainText, nullable=False),
    # The secrets as a JSON document, sealed; '' for none.
    Column("secrets", PlainText, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

applied_item = Table(
    "applied_item",
    metadata,
    # alarm or entry
    Column("kind", PlainText, primary_key=True),
    # The alarm's id, the entry's name.
    Column("id", WireKey, primary_key=True),
    # The set of files that it came from (`tocsin apply --set`).
    Column("owner", PlainText, nullable=False),
)

deleted_alarm = Table(
    "deleted_alarm",
    metadata,
    Column("alarm_id", WireKey, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("deleted_at", Instant, nullable=False),
    Index("ix_deleted_alarm_revision", "revision"),
)

alarm_history = Table(
    "alarm_history",
    metadata,
    # The order of lines of the same moment.
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    Column("event_id", PlainText, nullable=False),
    Column("alarm_id", WireKey, nullable=False),
    Column("type", PlainText, nullable=False),
    Column("detail", PlainText, nullable=False),
    Column("severity", PlainText, nullable=False),
    Column("project_id", WireText, nullable=False),
    Column("user_id", WireText, nullable=False),
    Column("on_behalf_of", WireText, nullable=False),
    Column("timestamp", Instant, nullable=False),
    Index("ix_alarm_history_alarm_id", "alarm_id", "timestamp", "sequence"),
)

# How many a project may have; who has no row has what the settings say.
quota = Table(
    "quota",
    metadata,
    Column("project_id", WireKey, primary_key=True),
    # alarms
    Column("resource", PlainText, primary_key=True),
    # -1 for any number.
    Column("most", BigInteger, nullable=False),
)

firing = Table(
    "firing",
    metadata,
    Column("alarm_id", WireKey, primary_key=True),
    Column("message_id", WireKey, primary_key=True),
    Column("fired_at", Instant, nullable=False),
    # The oldest firings are forgotten (`retention.firings_days`).
    Index("ix_firing_fired_at", "fired_at"),
)

# --- deliveries ------------------------------------------------------------------------------

notification = Table(
    "notification",
    metadata,
    Column("notification_id", PlainText, primary_key=True),
    Column("alarm_id", WireKey, nullable=False),
    Column("alarm_name", WireText, nullable=False),
    Column("severity", PlainText, nullable=False),
    Column("previous", PlainText, nullable=False),
    Column("current", PlainText, nullable=False),
    Column("reason", WireText, nullable=False),
    Column("reason_data", PlainText, nullable=False),
    Column("message_id", WireKey, nullable=False),
    Column("created_at", Instant, nullable=False),
    # The trace that it goes on with (`pipeline.tracing`), where there is one.
    Column("trace_context", PlainText),
    # What is told where it is not of an alarm; its fields are then the reason data.
    Column("kind", PlainText),
    Index("ix_notification_alarm_id", "alarm_id"),
    Index("ix_notification_message_id", "message_id"),
)

_PENDING, _DEAD = text("state = 'pending'"), text("state = 'dead'")
_DIGESTED = text("digest_id IS NOT NULL")

delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", PlainText, primary_key=True),
    Column("notification_id", PlainText, nullable=False),
    Column("action", WireText, nullable=False),
    # Whom the action is for (`dispatch.receiver`), so that a claim can pass over a busy one.
    Column("receiver", WireKey, nullable=False),
    # pending, delivered, dead or digested
    Column("state", PlainText, nullable=False),
    # Attempts recorded, and those of them that the schedule does not count: made before a person
    # started it afresh, or such as found the receiver at work.
    Column("attempts", Integer, nullable=False),
    Column("attempts_before", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    # When the next attempt is due; while it is claimed, when its lease ends. Pending only.
    Column("due_at", Instant),
    # The claim under which a notifier holds it, '' for none.
    Column("lease", PlainText, nullable=False),
    Column("finished_at", Instant),
    Column("last_error", WireText, nullable=False),
    # What an attempt left for the next, as JSON; and since when the receiver is at it, while
    # it is.
    Column("progress", PlainText),
    Column("in_progress_since", Instant),
    # Whether the outbound guard looks at it (delivery 9): its action is such an alarm's own.
    Column("guarded", Boolean),
    # The delivery that tells of this one among others; and the one in whose place this one came.
    Column("digest_id", PlainText),
    Column("fallback_for", PlainText),
    Index("ix_delivery_due", "due_at", postgresql_where=_PENDING, sqlite_where=_PENDING),
    Index("ix_delivery_dead", "finished_at", postgresql_where=_DEAD, sqlite_where=_DEAD),
    Index("ix_delivery_notification_id", "notification_id"),
    Index("ix_delivery_created_at", "created_at"),
    Index(
        "ix_delivery_digest_id",
        "digest_id",
        postgresql_where=_DIGESTED,
        sqlite_where=_DIGESTED,
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", PlainText, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_seconds", Float(53), nullable=False),
    # `notification.OUTCOME_NAMES`
    Column("outcome", PlainText, nullable=False),
    Column("status", Integer),
    Column("reason", WireText, nullable=False),
    Column("response_head", WireText, nullable=False),
    Column("retry_after_seconds", Float(53)),
    Column("gone", Boolean, nullable=False),
)

disabled_action = Table(
    "disabled_action",
    metadata,
    Column("action_key", WireKey, primary_key=True),
    Column("action", WireText, nullable=False),
    Column("reason", WireText, nullable=False),
    Column("disabled_at", Instant, nullable=False),
)

# Only of receivers that have failed: those that work cost nothing. See `guards.breaker.Breaker`.
receiver_breaker = Table(
    "receiver_breaker",
    metadata,
    Column("receiver", WireKey, primary_key=True),
    # Attempts and failures by slot of time, as JSON.
    Column("lately", PlainText, nullable=False),
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False),
    Column("last_error", WireText, nullable=False),
    Column("open_since", Instant),
    Column("probe_at", Instant),
    Column("probe", PlainText, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# Only of targets that have a rate limit or a storm guard. See `guards.pace.Pace`.
receiver_pace = Table(
    "receiver_pace",
    metadata,
    Column("receiver", WireKey, primary_key=True),
    Column("full_at", Instant),
    Column("window_from", Instant),
    Column("told", Integer, nullable=False),
    Column("storming", Boolean, nullable=False),
)

# --- events in -------------------------------------------------------------------------------

rejected_event = Table(
    "rejected_event",
    metadata,
    Column("rejected_id", WireKey, primary_key=True),
    Column("reason", WireText, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("content_type", WireText),
    Column("headers", PlainText, nullable=False),
    Column("source", WireText, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Index("ix_rejected_event_received_at", "received_at"),
)

publication = Table(
    "publication",
    metadata,
    Column("publication_id", PlainText, primary_key=True),
    Column("publisher", WireText, nullable=False),
    Column("events", PlainText, nullable=False),
    Column("error", WireText, nullable=False),
    Column("attempts", Integer, nullable=False),
    # When it is to be tried next; while it is claimed, when its lease ends.
    Column("due_at", Instant, nullable=False),
    # The publisher as a key: each sink's are worked off by themselves, oldest first.
    Column("sink", WireKey, nullable=False),
    # How many events it holds.
    Column("size", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_publication_sink", "sink", "created_at", "publication_id"),
)

# --- the archive -----------------------------------------------------------------------------

event = Table(
    "event",
    metadata,
    # The order in which they were kept, by which the oldest are removed.
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    Column("message_id", WireKey, nullable=False),
    Column("event_type", WireKey, nullable=False),
    Column("generated", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("document", PlainText, nullable=False),
    # The document's length. In the index, so that the archive is measured without reading it.
    Column("bytes", Integer, nullable=False),
    Index("ix_event_message_id", "message_id", unique=True),
    Index("ix_event_generated", "generated", "sequence", "bytes"),
    Index("ix_event_event_type", "event_type", "generated", "sequence"),
)

# The key is the whole row: of a trait's value (`trait_keys`) it gives the events in their order.
event_trait = Table(
    "event_trait",
    metadata,
    Column("name", WireKey, primary_key=True),
    Column("value", PlainText, primary_key=True),
    Column("generated", Instant, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# One row. Whoever moves `due_at` beyond a lease has the round, as with a delivery.
pruning = Table(
    "pruning",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", PlainText, nullable=False),
    Column("due_at", Instant, nullable=False),
)

# --- access ----------------------------------------------------------------------------------

_NOT_REVOKED = text("revoked_at IS NULL")

api_token = Table(
    "api_token",
    metadata,
    Column("token_id", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False),
    # SHA-256 of the secret, in hexadecimal.
    Column("secret_hash", PlainText, nullable=False),
    Column("role", PlainText, nullable=False),
    # What it is held to, as JSON; null for all.
    Column("projects", PlainText),
    Column("names", PlainText),
    # Who made it, and the id of the token that they showed.
    Column("made_by", WireText, nullable=False),
    Column("made_with", PlainText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    Index(
        "ix_api_token_name",
        "name",
        unique=True,
        postgresql_where=_NOT_REVOKED,
        sqlite_where=_NOT_REVOKED,
    ),
)

change_history = Table(
    "change_history",
    metadata,
    # The order in which they were written.
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    # target, group, filter, matcher, token, …
    Column("kind", PlainText, nullable=False),
    Column("name", WireKey, nullable=False),
    # create, update or delete
    Column("action", PlainText, nullable=False),
    # What changed, as JSON: {property: [what it was, what it is]}, secrets as `***`.
    Column("detail", PlainText, nullable=False),
    Column("user_id", WireText, nullable=False),
    Column("project_id", WireText, nullable=False),
    Column("timestamp", Instant, nullable=False),
    Index("ix_change_history_name", "name", "sequence"),
)
