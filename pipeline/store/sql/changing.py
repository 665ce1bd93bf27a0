"""Changing: what people change of alarms is written, with what follows from it.

Every change takes, or holds, the alarms' revision before anything else, so people's changes come
one after the other, and then locks what it concerns in the order that `sql.composites` tells.
References of composite alarms are resolved and checked in the same transaction, and composite
alarms are evaluated in it: they come into the state that their rule gives, with all that a
transition is.

`pipeline.store.sql.alarms` and `applying` stand on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.access import Caller
from pipeline.alarms.alarm import COMPOSITE, Alarm, CompositeRule, State
from pipeline.alarms.composites import Evaluation
from pipeline.alarms.composition import carried_over, set_by_hand
from pipeline.alarms.references import Directory
from pipeline.errors import InvalidValue, NotFound
from pipeline.store import schema
from pipeline.store.documents import KEY_LENGTH, storable_key, to_json
from pipeline.store.rows import alarm_difference, alarm_document, alarm_from, alarm_row
from pipeline.store.sql import composites
from pipeline.store.sql.bulk import among, execute_given, insert_all
from pipeline.store.sql.intake import SqlTransaction
from pipeline.store.sql.marks import ALARM, forget_applied
from pipeline.store.sql.part import Part
from pipeline.store.sql.revisions import Revision, hold_revision
from pipeline.store.sql.routing import entries_without_secrets
from pipeline.store.sql.telling import tell

_alarm, _deleted, _history = schema.alarm, schema.deleted_alarm, schema.alarm_history

_PUBLISHER_ID = "tocsin.api"
_AT_A_TIME = 1_000
_KEPT_BY_UPDATE = ("state", "state_timestamp", "state_reason", "evaluate_timestamp")
_LOOKED_AT_AGAIN = ("enabled", "time_constraints", "project_id", "all_projects")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done, in one go. Of those to update the state is as it is in the store."""

    created: Sequence[Alarm] = ()
    updated: Sequence[Alarm] = ()
    deleted: Sequence[Alarm] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A change with ids for all references, and what it concerns held until the end: `updated`
    are pairs of what is stored and what is to be, `deleted` are as they are stored."""

    created: Sequence[Alarm]
    updated: Sequence[tuple[Alarm, Alarm]]
    deleted: Sequence[Alarm]


class SqlChanges(Part):
    """Alarms changed by people."""

    def _hold(self, connection: Connection, change: Change) -> Held:
        """Lock what a change concerns. Raises `NotFound`, and `InvalidValue` for a reference."""
        beside = Directory((*change.created, *change.updated))
        created = [composites.resolved(connection, each, beside) for each in change.created]
        updated = [composites.resolved(connection, each, beside) for each in change.updated]
        ids = {alarm.alarm_id for alarm in (*updated, *change.deleted)}
        referred = _referred([*created, *updated])
        stored, _ = composites.lock_others(connection, {*ids, *referred})
        missing = ids - stored.keys()
        if missing or any(alarm.type == COMPOSITE for alarm in (*created, *updated)):
            hold_revision(connection, Revision.COMPOSITES)
        stored |= {each: _stored(connection, each) for each in sorted(missing)}
        return Held(
            created,
            [(stored[each.alarm_id], _kept(stored[each.alarm_id], each)) for each in updated],
            [stored[each.alarm_id] for each in change.deleted],
        )

    def _hold_one(self, connection: Connection, alarm_id: str) -> tuple[Alarm, bool]:
        """The alarm, locked, and whether another may refer to it. Raises `NotFound`."""
        others, referenced = composites.lock_others(connection, [alarm_id])
        if alarm_id in others:
            return others[alarm_id], alarm_id in referenced
        hold_revision(connection, Revision.COMPOSITES)
        return _stored(connection, alarm_id), True

    def _carry_out(self, connection: Connection, held: Held, revision: int, by: Caller) -> None:
        """Write a change, and evaluate the composite alarms that it changes or makes.

        Raises `InvalidValue` for a cycle, `Conflict` for what is still referred to.
        """
        for before, after in held.updated:
            self._replace(connection, before, after, revision, by)
        for alarm in held.deleted:
            self._remove(connection, alarm, revision, by)
        for start in range(0, len(held.created), _AT_A_TIME):
            self._insert(connection, held.created[start : start + _AT_A_TIME], revision, by)
        made = [alarm for alarm in held.created if alarm.type == COMPOSITE]
        ruled = [after for before, after in held.updated if before.rule != after.rule]
        self._refer(connection, [*made, *ruled], held)
        # A new one that is about events alone has had none yet.
        asked = [alarm for alarm in made if _referred([alarm])]
        asked += [alarm for alarm in ruled if alarm.type == COMPOSITE]
        asked += [after for before, after in held.updated if _is_looked_at(before, after)]
        if asked:
            self._evaluate(connection, self._clock(), asked={alarm.alarm_id for alarm in asked})

    def _refer(self, connection: Connection, ruled: Sequence[Alarm], held: Held) -> None:
        """Write down who refers to whom, and check that it may be so."""
        if ruled:
            composites.note_referred(connection, _referred(ruled))
            composites.write_references(connection, ruled)
            composites.check_no_cycle(connection, ruled)
        if held.deleted:
            gone = [alarm.alarm_id for alarm in held.deleted]
            composites.forget_references(connection, gone)
            composites.check_gone(connection, held.deleted)
        moved = [after for before, after in held.updated if before.project_id != after.project_id]
        if moved:
            composites.check_seen(connection, moved)

    def _evaluate(
        self,
        connection: Connection,
        at: datetime,
        *,
        changed: Mapping[str, State] | None = None,
        asked: Collection[str] = (),
    ) -> None:
        """Let composite alarms come into the states that their rules give: those `asked` for, and
        those above them and above the alarms that were `changed` to a state."""
        changed = changed or {}
        held = composites.held_composites(connection, asked, changed)
        transitions = Evaluation(held, at).happens(changed=changed, asked=asked)
        if not transitions:
            return
        actions = self._plan(transitions, entries_without_secrets(connection))
        transaction = SqlTransaction(connection, self._clock, self._new_id, self._told)
        transaction.save_transitions(transitions, actions)

    def _insert(
        self, connection: Connection, alarms: Sequence[Alarm], revision: int, by: Caller
    ) -> None:
        if not alarms:
            return
        for alarm in alarms:
            check_ids(alarm)
        ids = [alarm.alarm_id for alarm in alarms]
        rows = [alarm_row(_as_new(alarm), revision) for alarm in alarms]
        try:
            insert_all(connection, _alarm, rows)
        except IntegrityError as error:
            which = f"the id {ids[0]}" if len(ids) == 1 else "one of these ids"
            raise InvalidValue(f"there is already an alarm with {which}", "alarm_id") from error
        # One that was deleted and comes back is no longer deleted for those who follow.
        key = _deleted.c.alarm_id
        back = delete(_deleted).where(among(connection, key))
        execute_given(connection, back, [key], [(alarm_id,) for alarm_id in ids])
        changes = [(alarm, alarm_document(alarm)) for alarm in alarms]
        self._record(connection, "creation", changes, by)

    def _replace(
        self, connection: Connection, before: Alarm, after: Alarm, revision: int, by: Caller
    ) -> None:
        """Put the one that is held in the place of another, if anything of it changes."""
        if change := alarm_difference(before, after):
            row = alarm_row(after, revision)
            if before.type != after.type:
                row["referenced"] = composites.may_be_referred_to(connection, after) or None
            connection.execute(of_alarm(update(_alarm), after.alarm_id).values(row))
            self._record(connection, "rule change", [(after, change)], by)

    def _remove(self, connection: Connection, alarm: Alarm, revision: int, by: Caller) -> None:
        """Delete an alarm that is held."""
        connection.execute(of_alarm(delete(_alarm), alarm.alarm_id))
        now = self._clock()
        gone = {"alarm_id": alarm.alarm_id, "revision": revision, "deleted_at": now}
        connection.execute(insert(_deleted).values(gone))
        change = {"state": alarm.state.value}
        self._record(connection, "deletion", [(alarm, change)], by, now)
        forget_applied(connection, ALARM, [alarm.alarm_id])

    def _record(
        self,
        connection: Connection,
        type: str,
        changes: list[tuple[Alarm, dict[str, Any]]],
        by: Caller,
        at: datetime | None = None,
    ) -> None:
        """Write a line of history for each change; `at` the alarm's own timestamp if not said."""
        rows = [
            {
                "event_id": self._new_id(),
                "alarm_id": alarm.alarm_id,
                "type": type,
                "detail": to_json(change),
                "severity": alarm.severity.value,
                "project_id": by.project_id,
                "user_id": by.user_id,
                "on_behalf_of": alarm.project_id,
                "timestamp": at or alarm.timestamp,
            }
            for alarm, change in changes
        ]
        insert_all(connection, _history, rows)
        tell(connection, self._told, rows, _PUBLISHER_ID, self._clock(), self._new_id)


def of_alarm(statement: Any, alarm_id: str) -> Any:
    """The statement for the row of one alarm."""
    return statement.where(_alarm.c.alarm_id == alarm_id)


def check_ids(alarm: Alarm) -> None:
    """Ids are looked up by index, so they are stored as they are or not at all."""
    for field in ("alarm_id", "project_id", "user_id"):
        value = getattr(alarm, field)
        if value != storable_key(value):
            message = f"{field} must be at most {KEY_LENGTH} characters, without U+0000"
            raise InvalidValue(message, field)


def _stored(connection: Connection, alarm_id: str) -> Alarm:
    row = connection.execute(of_alarm(select(_alarm), alarm_id)).first()
    if row is None:
        raise NotFound(f"Alarm {alarm_id} not found")
    return alarm_from(row)


def _kept(before: Alarm, after: Alarm) -> Alarm:
    """What is to be, with what of it is not for people to say: the state is as it is stored, since
    the alarm may have fired after they read it."""
    kept = {name: getattr(before, name) for name in _KEPT_BY_UPDATE}
    return carried_over(before, replace(after, **kept))


def _as_new(alarm: Alarm) -> Alarm:
    """A new composite alarm's conditions are in the state that it is given, but for alarm."""
    return set_by_hand(alarm, alarm.state) if alarm.type == COMPOSITE else alarm


def _is_looked_at(before: Alarm, after: Alarm) -> bool:
    """Whether alarms that it refers to may have changed while it was not looked at."""
    changed = any(getattr(before, name) != getattr(after, name) for name in _LOOKED_AT_AGAIN)
    return changed and bool(_referred([after]))


def _referred(alarms: Sequence[Alarm]) -> set[str]:
    """What these alarms refer to."""
    rules = [alarm.rule for alarm in alarms if isinstance(alarm.rule, CompositeRule)]
    return {each for rule in rules for each in rule.references}
