"""Intake: one transaction per batch, in which all that the batch causes is written.

The worker locks the alarms that may fire, asks what has fired before, decides, and saves. While
an alarm is locked nobody else decides on it, so of two workers with the same event one finds the
other's firing. The number of statements does not grow with the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeline.alarms.alarm import Alarm, Transition
from pipeline.alarms.composites import Composites
from pipeline.dispatch import is_guarded, receiver
from pipeline.event import Event
from pipeline.notification import Notification
from pipeline.self_notification import is_self_notification
from pipeline.store import schema
from pipeline.store.base import Publication, RejectedEvent, Transaction
from pipeline.store.documents import storable_key, to_json
from pipeline.store.rows import occurrence_row, publication_row, rejected_row
from pipeline.store.rules import leaf_states_text
from pipeline.store.sql.arrivals import announcement
from pipeline.store.sql.bulk import insert_new, select_given, write_all
from pipeline.store.sql.composites import held_composites, lock_others
from pipeline.store.sql.part import Part
from pipeline.store.sql.telling import tell
from pipeline.store.sql.written import Written

_PUBLISHER_ID = "tocsin.evaluator"
_alarm, _firing = schema.alarm, schema.firing


class SqlIntake(Part):
    """`store.base.Intake`."""

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction: committed at the end of the block, undone when the block raises."""
        with self._database.write() as connection:
            yield SqlTransaction(connection, self._clock, self._new_id, self._told)


class SqlTransaction:
    """`store.base.Transaction`, on one connection."""

    def __init__(
        self,
        connection: Connection,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        told: Sequence[str] = (),
    ) -> None:
        self._connection = connection
        self._told = told
        self._clock = clock
        self._new_id = new_id
        self._referenced: set[str] = set()

    def lock_alarms(self, alarm_ids: Collection[str]) -> dict[str, Alarm]:
        """The alarms as they now stand, held until the end; composite ones are left out.

        Locked in one order by everybody, which `sql.composites` tells.
        """
        alarms, referenced = lock_others(self._connection, alarm_ids)
        self._referenced |= referenced
        return alarms

    def lock_composites(
        self, alarm_ids: Collection[str], changed: Collection[str] = ()
    ) -> Composites:
        """The composite alarms among these, and those above them and above what has changed."""
        below = self._referenced.intersection(changed)
        if not (alarm_ids or below):
            return Composites()
        return held_composites(self._connection, alarm_ids, below)

    def fired(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (alarm_id, message_id) pairs that have fired before."""
        by_key = {(storable_key(a), storable_key(m)): (a, m) for a, m in pairs}
        key = (_firing.c.alarm_id, _firing.c.message_id)
        rows = select_given(self._connection, key, key, sorted(by_key))
        return {by_key[alarm_id, message_id] for alarm_id, message_id in rows}

    def save_transitions(
        self, transitions: Sequence[Transition], actions: Sequence[Sequence[str]] | None = None
    ) -> None:
        """Write, for each: alarm state, history, firing, notification, a delivery per action.

        `actions` are those that were planned for each; None: the alarm's own, as they are.
        """
        if actions is None:
            actions = [each.alarm.actions(each.current) for each in transitions]
        firings, history, notifications = [], [], []
        deliveries: list[dict[str, Any]] = []
        reason_data = _ReasonData()
        for transition, planned in zip(transitions, actions, strict=True):
            if transition.data is None:
                firings.append(_firing_row(transition))
            history.append(self._history_row(transition))
            notification = self._notification_row(transition, reason_data)
            notifications.append(notification)
            told = notification["notification_id"]
            deliveries.extend(self._delivery_rows(told, planned, transition.at, transition.alarm))
        written = [
            Written(_firing, firings),
            Written(_alarm, _last_states(transitions), key="alarm_id"),
            Written(schema.alarm_history, history),
            Written(schema.notification, notifications),
            Written(schema.delivery, deliveries),
        ]
        write_all(self._connection, written, beside=announcement if deliveries else None)
        if self._told:
            self._tell(transitions, history)

    def save_composites(
        self, alarms: Sequence[Alarm], met: Sequence[tuple[str, str]], at: datetime
    ) -> None:
        """Write the states of these alarms' event conditions, and that events met some."""
        if not (alarms or met):
            return
        firings = [{"alarm_id": a, "message_id": m, "fired_at": at} for a, m in met]
        states = [
            {"alarm_id": alarm.alarm_id, "leaf_states": leaf_states_text(alarm)}
            for alarm in alarms
        ]
        written = [Written(_firing, firings), Written(_alarm, states, key="alarm_id")]
        write_all(self._connection, written)

    def save_notification(self, notification: Notification, actions: Sequence[str]) -> None:
        """Write a notification that tells of no alarm, with a delivery per action."""
        rows = self._delivery_rows(notification.notification_id, actions, notification.created_at)
        written = [
            Written(schema.notification, [occurrence_row(notification)]),
            Written(schema.delivery, list(rows)),
        ]
        write_all(self._connection, written, beside=announcement if actions else None)

    def _tell(self, transitions: Sequence[Transition], history: Sequence[dict[str, Any]]) -> None:
        """Tell of the transitions, but for those that a self-notification caused: no end to it."""
        rows = [
            row
            for transition, row in zip(transitions, history, strict=True)
            if transition.event is None or not is_self_notification(transition.event)
        ]
        now = self._clock()
        tell(self._connection, self._told, rows, _PUBLISHER_ID, now, self._new_id)

    def save_rejected(self, rejected: Sequence[RejectedEvent]) -> None:
        """Keep what could not be understood; one that is kept already changes nothing."""
        rows = [rejected_row(event) for event in rejected]
        insert_new(self._connection, schema.rejected_event, rows, key="rejected_id")

    def save_publications(self, publications: Sequence[Publication]) -> None:
        """Keep what a publisher did not take; due now unless they say when.

        One that is kept already changes nothing: who lost the answer to a commit says it again.
        """
        now = self._clock()
        rows = [publication_row(publication, now) for publication in publications]
        insert_new(self._connection, schema.publication, rows, key="publication_id")

    def _history_row(self, transition: Transition) -> dict[str, Any]:
        alarm = transition.alarm
        detail = {"state": transition.current.value, "transition_reason": transition.reason}
        return {
            "event_id": self._new_id(),
            "alarm_id": alarm.alarm_id,
            "type": "state transition",
            "detail": to_json(detail),
            "severity": alarm.severity.value,
            "project_id": "",
            "user_id": "",
            "on_behalf_of": alarm.project_id,
            "timestamp": transition.at,
        }

    def _notification_row(
        self, transition: Transition, reason_data: _ReasonData
    ) -> dict[str, Any]:
        alarm = transition.alarm
        return {
            "notification_id": self._new_id(),
            "alarm_id": alarm.alarm_id,
            "alarm_name": alarm.name,
            "severity": alarm.severity.value,
            "previous": transition.previous.value,
            "current": transition.current.value,
            "reason": transition.reason,
            "reason_data": reason_data.of(transition),
            "message_id": transition.event.message_id if transition.event else "",
            "created_at": transition.at,
            "trace_context": transition.trace or None,
            "kind": None,
        }

    def _delivery_rows(
        self,
        notification_id: str,
        actions: Sequence[str],
        at: datetime,
        alarm: Alarm | None = None,
    ) -> Iterator[dict[str, Any]]:
        for action in actions:
            yield {
                "delivery_id": self._new_id(),
                "notification_id": notification_id,
                "action": action,
                "receiver": receiver(action),
                "state": "pending",
                "attempts": 0,
                "attempts_before": 0,
                "created_at": at,
                "due_at": at,
                "lease": "",
                "finished_at": None,
                "last_error": "",
                "guarded": (alarm is not None and is_guarded(alarm, action)) or None,
            }


class _ReasonData:
    """The reason data as documents; an event that fires many alarms is written out once."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Event, str]] = {}

    def of(self, transition: Transition) -> str:
        event = transition.event
        if event is None or transition.data is not None:
            return to_json(transition.reason_data, dumped=True)
        known = self._written.get(id(event))
        if known is None:
            # As it will stand in each callback's body.
            written = to_json(transition.reason_data, dumped=True)
            known = self._written[id(event)] = (event, written)
        return known[1]


def _firing_row(transition: Transition) -> dict[str, Any]:
    """Of an alarm that fires on an event by itself; see `save_composites` for the others."""
    assert transition.event is not None
    return {
        "alarm_id": transition.alarm.alarm_id,
        "message_id": transition.event.message_id,
        "fired_at": transition.at,
    }


def _last_states(transitions: Sequence[Transition]) -> list[dict[str, Any]]:
    """Each alarm's state after the last of its transitions."""
    last = {transition.alarm.alarm_id: transition for transition in transitions}
    return [
        {
            "alarm_id": alarm_id,
            "state": transition.current.value,
            "state_timestamp": transition.at,
            "state_reason": transition.reason,
        }
        for alarm_id, transition in last.items()
    ]
