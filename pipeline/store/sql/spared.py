"""Spared: how deliveries to receivers are claimed that are spared (delivery 8, 12).

`claim` in `pipeline.store.sql.outbox` leaves these out: what has an open breaker, and what the
notifier names as having bounds of its own. Here they are given what they may have: a probe, and
what the bounds allow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select, update

from pipeline.access import LOCAL, Caller
from pipeline.guards import Breaker, Pace, PaceRules
from pipeline.guards.pace import (
    Combine,
    Hold,
    Through,
    allowed,
    next_at,
    taken,
    through_storm,
    told_one_by_one,
)
from pipeline.masking import mask_url
from pipeline.notification import Delivery
from pipeline.store import schema
from pipeline.store.access import Action, Change
from pipeline.store.guards import Combined, Given
from pipeline.store.sql.arrivals import announce_deliveries
from pipeline.store.sql.breakers import all_breakers, due_probes, probed_by
from pipeline.store.sql.bulk import among, given_keys
from pipeline.store.sql.changes import record_changes
from pipeline.store.sql.disabled import disabled_reasons, enable
from pipeline.store.sql.outbox import CLAIMED_COLUMNS, delivery_from
from pipeline.store.sql.paces import (
    combine,
    count_fresh,
    due_for,
    held_pace,
    is_fresh,
    write_pace,
)
from pipeline.store.sql.part import Part

_delivery, _notification = schema.delivery.c, schema.notification.c
_breaker = schema.receiver_breaker.c
_PROBES_AT_ONCE = 20


class SqlSpared(Part):
    """`store.guards.GuardedOutbox`."""

    def breakers(self) -> Mapping[str, Breaker]:
        """All receivers that have failed lately, by name."""
        with self._database.look() as connection:
            return all_breakers(connection)

    def claim_probes(
        self,
        paces: Mapping[str, PaceRules],
        lease: timedelta,
        now: datetime,
        busy: Collection[str] = (),
    ) -> list[Delivery]:
        """Take one due delivery for each receiver whose breaker is half-open."""
        probes: list[Delivery] = []
        with self._database.write() as connection:
            for receiver in due_probes(connection, now, _PROBES_AT_ONCE):
                rules = paces.get(receiver, PaceRules())
                if receiver in busy or not self._may_probe(connection, receiver, rules, now):
                    continue
                found = self._take_some(connection, due_for(receiver, now), 1, now, lease)
                for delivery in found:
                    probed_by(connection, receiver, delivery.delivery_id, now + lease)
                    if rules.rate:
                        pace = taken(held_pace(connection, receiver), rules.rate, 1, now)
                        write_pace(connection, receiver, pace)
                probes += found
        return probes

    def claim_paced(
        self,
        paces: Mapping[str, PaceRules],
        limit: int,
        lease: timedelta,
        now: datetime,
        busy: Collection[str] = (),
    ) -> Given:
        """Take for each of these receivers what its bounds allow, in order."""
        waiting = self._with_due([who for who in paces if who not in busy], now)
        deliveries: list[Delivery] = []
        combined: list[Combined] = []
        more_for: set[str] = set()
        look_at: datetime | None = None
        for receiver in waiting:
            with self._database.write() as connection:
                given = self._give_paced(connection, receiver, paces[receiver], limit, now, lease)
            deliveries += given.deliveries
            combined += given.combined
            more_for.update(given.more_for)
            if given.look_at:
                look_at = min(look_at or given.look_at, given.look_at)
        return Given(deliveries, more_for, look_at, combined)

    def enable(self, receiver_or_action: str, by: Caller = LOCAL) -> bool:
        """Let it take deliveries again, its breaker closed; whether it was disabled or
        had failed."""
        with self._database.write() as connection:
            changed = enable(connection, [receiver_or_action])
            announce_deliveries(connection)
            if changed:
                who = mask_url(receiver_or_action)
                enabled = Change("receiver", who, Action.UPDATE, {"enabled": (False, True)})
                record_changes(connection, [enabled], by, self._clock())
            return changed

    def _with_due(self, receivers: Sequence[str], now: datetime) -> list[str]:
        """Those of the receivers that something is due for and whose breaker is not open."""
        if not receivers:
            return []
        with self._database.read() as connection:
            opened = set(
                connection.scalars(
                    select(_breaker.receiver).where(_breaker.open_since.is_not(None))
                )
            )
            return [
                receiver
                for receiver in sorted(receivers)
                if receiver not in opened
                and connection.scalar(select(exists().where(due_for(receiver, now))))
            ]

    def _give_paced(
        self,
        connection: Connection,
        receiver: str,
        rules: PaceRules,
        limit: int,
        now: datetime,
        lease: timedelta,
    ) -> Given:
        pace = held_pace(connection, receiver)
        room = allowed(pace, rules.rate, limit, now)
        due, hold = due_for(receiver, now), None
        combined: list[Combined] = []
        if rules.storm is None:
            found = self._take_some(connection, due, room, now, lease)
        else:
            # What was let through before, and digests, go before what is new.
            found = self._take_some(connection, due & ~is_fresh(), room, now, lease)
            fresh, pace, combined, hold = self._let_through(connection, receiver, rules, pace, now)
            if combined:
                found += self._take_some(
                    connection, due & ~is_fresh(), room - len(found), now, lease
                )
            news = self._take_some(
                connection, due & is_fresh(), min(fresh, room - len(found)), now, lease
            )
            pace = told_one_by_one(pace, len(news))
            found += news
        pace = taken(pace, rules.rate, len(found), now)
        write_pace(connection, receiver, pace)
        full = len(found) >= limit
        if full:
            return Given(found, [receiver], None, combined)
        wait = next_at(pace, rules.rate, now) if len(found) >= room else None
        looks = [moment for moment in (wait, hold) if moment and moment > now]
        return Given(found, (), min(looks, default=None), combined)

    def _let_through(
        self, connection: Connection, receiver: str, rules: PaceRules, pace: Pace, now: datetime
    ) -> tuple[int, Pace, list[Combined], datetime | None]:
        """How many of those that nobody has tried may go one by one; what was combined; and until
        when the others are held."""
        assert rules.storm is not None
        waiting = count_fresh(connection, receiver, now, rules.storm.count + 1)
        match through_storm(pace, rules.storm, waiting, now):
            case Hold(until, pace):
                return 0, pace, [], until if waiting else None
            case Combine(pace) if waiting > 1:
                digest_id, count = combine(connection, receiver, now, self._new_id)
                return 0, pace, [Combined(receiver, count, digest_id)], None
            case Combine(pace):
                return waiting, pace, [], None
            case Through(count, pace):
                began = pace.window_from or now
                return count, pace, [], began + rules.storm.span if pace.storming else None

    def _may_probe(
        self, connection: Connection, receiver: str, rules: PaceRules, now: datetime
    ) -> bool:
        return not rules.rate or bool(allowed(held_pace(connection, receiver), rules.rate, 1, now))

    def _take_some(
        self,
        connection: Connection,
        due: ColumnElement[bool],
        most: int,
        now: datetime,
        lease: timedelta,
    ) -> list[Delivery]:
        """Lease the oldest of what is due; what others are claiming is left out."""
        if most <= 0:
            return []
        told = _notification.notification_id == _delivery.notification_id
        oldest = (
            select(*CLAIMED_COLUMNS)
            .join_from(schema.delivery, schema.notification, told)
            .where(due)
            .order_by(_delivery.due_at, _delivery.delivery_id)
            .limit(most)
            .with_for_update(skip_locked=True, of=schema.delivery)
        )
        rows: list[Any] = list(connection.execute(oldest))
        if not rows:
            return []
        key, token = (_delivery.delivery_id,), self._new_id()
        leased = update(schema.delivery).where(among(connection, *key))
        ids = given_keys(connection, key, [(row.delivery_id,) for row in rows])
        connection.execute(leased.values(due_at=now + lease, lease=token), ids)
        disabled = disabled_reasons(connection, {row.action for row in rows})
        return [delivery_from(row, token, disabled) for row in rows]
