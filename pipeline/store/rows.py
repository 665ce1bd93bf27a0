"""Values ⇄ rows: how an alarm, a transition or an event is laid out in the tables.

Pure. Called by `pipeline.store.sql`; what it writes, it reads back equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from pipeline.alarms.alarm import (
    Alarm,
    EventRule,
    Severity,
    State,
    TimeConstraint,
)
from pipeline.event import Event
from pipeline.masking import mask_url, masked
from pipeline.notification import (
    AlarmTransition,
    Attempt,
    Delivered,
    Failed,
    InProgress,
    Notification,
    Occurrence,
    Outcome,
    Progress,
    Refused,
    StoredData,
    Subject,
    outcome_name,
)
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.documents import from_json, to_json
from pipeline.store.rules import leaf_states_from, leaf_states_text, rule_from

# --- alarms ----------------------------------------------------------------------------------

_ALARM_FIELDS = tuple(field.name for field in fields(Alarm))
_UNRECORDED = frozenset(
    {"revision", "evaluate_timestamp", "rule", "time_constraints", "guarded", "leaf_states"}
)
_TIMES_OF_CHANGE = ("timestamp", "state_timestamp")
_DUMPED = '{"type": '
"""How reason data begins in `json.dumps`'s form; others leave out the blank."""
_STATES = {state.value: state for state in State}
_SEVERITIES = {severity.value: severity for severity in Severity}


def alarm_row(alarm: Alarm, revision: int) -> dict[str, Any]:
    """The row of an alarm that a person left so at `revision`."""
    return {
        "alarm_id": alarm.alarm_id,
        "name": alarm.name,
        "description": alarm.description,
        "type": alarm.type,
        "enabled": alarm.enabled,
        "state": alarm.state.value,
        "state_timestamp": alarm.state_timestamp,
        "state_reason": alarm.state_reason,
        "severity": alarm.severity.value,
        "event_type": alarm.rule.event_type if isinstance(alarm.rule, EventRule) else "",
        "rule": to_json(alarm.rule.as_dict()),
        "ok_actions": to_json(alarm.ok_actions),
        "alarm_actions": to_json(alarm.alarm_actions),
        "insufficient_data_actions": to_json(alarm.insufficient_data_actions),
        "repeat_actions": alarm.repeat_actions,
        "time_constraints": to_json(_constraints_document(alarm)),
        "project_id": alarm.project_id,
        "user_id": alarm.user_id,
        "all_projects": alarm.all_projects,
        "timestamp": alarm.timestamp,
        "evaluate_timestamp": alarm.evaluate_timestamp,
        "revision": revision,
        "guarded": alarm.guarded or None,
        "leaf_states": leaf_states_text(alarm),
    }


def alarm_from(row: Sequence[Any]) -> Alarm:
    """The alarm of a row that has every column of the table, in its order.

    A million of them are read when a worker starts, so the row is taken apart in one go.
    """
    (
        alarm_id,
        name,
        description,
        type_,
        enabled,
        state,
        state_timestamp,
        state_reason,
        severity,
        _event_type,
        rule,
        ok_actions,
        alarm_actions,
        insufficient_data_actions,
        repeat_actions,
        time_constraints,
        project_id,
        user_id,
        all_projects,
        timestamp,
        evaluate_timestamp,
        revision,
        guarded,
        leaf_states,
        _referenced,
    ) = row
    return Alarm(
        alarm_id=alarm_id,
        name=name,
        rule=rule_from(rule),
        description=description,
        timestamp=timestamp,
        state_timestamp=state_timestamp,
        type=type_,
        enabled=enabled,
        state=_STATES[state],
        state_reason=state_reason,
        severity=_SEVERITIES[severity],
        ok_actions=_actions_from(ok_actions),
        alarm_actions=_actions_from(alarm_actions),
        insufficient_data_actions=_actions_from(insufficient_data_actions),
        repeat_actions=repeat_actions,
        time_constraints=_constraints_from(time_constraints),
        project_id=project_id,
        user_id=user_id,
        all_projects=all_projects,
        evaluate_timestamp=evaluate_timestamp,
        revision=revision,
        guarded=bool(guarded),
        leaf_states=() if leaf_states is None else leaf_states_from(leaf_states),
    )


def alarm_document(alarm: Alarm) -> dict[str, Any]:
    """An alarm as its history tells of it: Aodh's field names, secrets in actions masked."""
    document = {name: getattr(alarm, name) for name in _ALARM_FIELDS if name not in _UNRECORDED}
    for name in _TIMES_OF_CHANGE:
        document[name] = _naive(document[name])
    for name in ("ok_actions", "alarm_actions", "insufficient_data_actions"):
        document[name] = [_shown(action) for action in document[name]]
    document["rule"] = alarm.rule.as_dict()
    document["time_constraints"] = _constraints_document(alarm)
    return document


def alarm_difference(before: Alarm, after: Alarm) -> dict[str, Any]:
    """What a change of the definition changed, as its history tells of it; {} for nothing."""
    changed = {
        field.name
        for field in fields(Alarm)
        if getattr(before, field.name) != getattr(after, field.name)
    }
    changed -= {"revision", "evaluate_timestamp", "leaf_states", *_TIMES_OF_CHANGE}
    return {name: value for name, value in alarm_document(after).items() if name in changed}


@lru_cache(maxsize=1_000)
def _actions_from(text: str) -> tuple[str, ...]:
    return tuple(from_json(text))


def _constraints_document(alarm: Alarm) -> list[dict[str, Any]]:
    return [
        {
            "name": constraint.name,
            "description": constraint.description,
            "start": constraint.start,
            "duration": constraint.duration_seconds,
            "timezone": constraint.timezone,
        }
        for constraint in alarm.time_constraints
    ]


def _constraints_from(text: str) -> tuple[TimeConstraint, ...]:
    if text == "[]":
        return ()
    return tuple(
        TimeConstraint(
            name=document["name"],
            start=document["start"],
            duration_seconds=document["duration"],
            timezone=document["timezone"],
            description=document["description"],
        )
        for document in from_json(text)
    )


@lru_cache(maxsize=1_000)
def _shown(action: str) -> str:
    return mask_url(action)


@lru_cache(maxsize=1_000)
def _naive(moment: datetime) -> str:
    """ISO 8601 in UTC without a zone, as Aodh writes times."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


# --- deliveries ------------------------------------------------------------------------------


def notification_from(row: Row[Any]) -> Notification:
    """The notification of a row that has every column of that table (but `created_at` may be
    that of its delivery: they are the same)."""
    subject: Subject
    if row.kind is None:
        subject = AlarmTransition(
            alarm_id=row.alarm_id,
            alarm_name=row.alarm_name,
            previous=_STATES[row.previous],
            current=_STATES[row.current],
            reason=row.reason,
            reason_data=_reason_data(row.reason_data),
        )
    else:
        subject = Occurrence(row.kind, from_json(row.reason_data))
    return Notification(row.notification_id, row.severity, row.created_at, subject)


def occurrence_row(notification: Notification) -> dict[str, Any]:
    """The row of a notification that tells of no alarm."""
    return {
        "notification_id": notification.notification_id,
        "alarm_id": "",
        "alarm_name": "",
        "severity": notification.severity,
        "previous": "",
        "current": "",
        "reason": "",
        "reason_data": to_json(notification.fields),
        "message_id": "",
        "created_at": notification.created_at,
        "trace_context": None,
        "kind": notification.kind,
    }


def _reason_data(text: str) -> Mapping[str, Any]:
    if text.startswith(_DUMPED):
        return StoredData(text, from_json)
    return from_json(text)  # type: ignore[no-any-return]


def attempt_row(attempt: Attempt, number: int) -> dict[str, Any]:
    """The row of an attempt, the delivery's `number`-th."""
    outcome = attempt.outcome
    row: dict[str, Any] = {
        "delivery_id": attempt.delivery_id,
        "number": number,
        "started_at": attempt.started_at,
        "duration_seconds": attempt.duration_seconds,
        "outcome": outcome_name(outcome),
        "status": outcome.status,
        "reason": "",
        "response_head": outcome.response_head,
        "retry_after_seconds": None,
        "gone": False,
    }
    match outcome:
        case Delivered(note=note) | InProgress(note=note):
            row["reason"] = note
        case Refused(reason=reason, gone=gone):
            row |= {"reason": reason, "gone": gone}
        case Failed(reason=reason, retry_after=timedelta() as retry_after):
            row |= {"reason": reason, "retry_after_seconds": retry_after.total_seconds()}
        case Failed(reason=reason):
            row["reason"] = reason
    return row


def attempt_from(row: Row[Any]) -> Attempt:
    """The attempt of a row."""
    return Attempt(
        delivery_id=row.delivery_id,
        number=row.number,
        started_at=row.started_at,
        duration_seconds=row.duration_seconds,
        outcome=_outcome_from(row),
    )


def progress_text(progress: Progress | None) -> str | None:
    """What an attempt leaves for the next, as it is kept."""
    return None if progress is None else to_json(progress)


def progress_from(text: str | None) -> Progress | None:
    """What was kept."""
    return None if text is None else from_json(text)


def _outcome_from(row: Row[Any]) -> Outcome:
    """What was recorded of an outcome. Progress, and when to look again, are not."""
    if row.outcome == "delivered":
        return Delivered(row.status, row.response_head, row.reason)
    if row.outcome == "in-progress":
        return InProgress(row.reason, {}, timedelta(), row.status, row.response_head)
    if row.outcome == "refused":
        return Refused(row.reason, row.status, row.response_head, row.gone)
    seconds = row.retry_after_seconds
    retry_after = None if seconds is None else timedelta(seconds=seconds)
    return Failed(row.reason, row.status, row.response_head, retry_after)


# --- events in -------------------------------------------------------------------------------


def rejected_row(rejected: RejectedEvent) -> dict[str, Any]:
    """The row of a rejected event."""
    return {
        "rejected_id": rejected.rejected_id,
        "reason": rejected.reason,
        "body": rejected.body,
        "content_type": rejected.content_type,
        "headers": to_json(masked(dict(rejected.headers))),
        "source": rejected.source,
        "received_at": rejected.received_at,
        "truncated": rejected.truncated,
    }


def rejected_from(row: Row[Any]) -> RejectedEvent:
    """The rejected event of a row."""
    headers: Mapping[str, Any] = from_json(row.headers)
    return RejectedEvent(
        rejected_id=row.rejected_id,
        reason=row.reason,
        body=bytes(row.body),
        content_type=row.content_type,
        headers=headers,
        source=row.source,
        received_at=row.received_at,
        truncated=row.truncated,
    )


def publication_row(publication: Publication, now: datetime) -> dict[str, Any]:
    """The row of a publication; NaN stays in it, as it must come out as it went in."""
    return {
        "publication_id": publication.publication_id,
        "publisher": publication.publisher,
        "events": to_json([event.as_dict() for event in publication.events], keep_nan=True),
        "error": publication.error,
        "attempts": publication.attempts,
        "due_at": publication.due_at or now,
        "sink": publication.publisher,
        "size": len(publication.events),
        "created_at": publication.created_at or now,
    }


def publication_from(row: Row[Any]) -> Publication:
    """The publication of a row."""
    return Publication(
        publication_id=row.publication_id,
        publisher=row.publisher,
        events=tuple(Event.from_dict(wire) for wire in from_json(row.events)),
        error=row.error,
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
    )
