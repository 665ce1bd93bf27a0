"""Whether the promises were kept: what the database, the receiver, the queue and the logs say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import func, select

from pipeline.receiver import Callback
from pipeline.store import schema
from pipeline.store.sql import SqlStore

from faults.load import Load

_LOGGED_FOR_POISON = {"batch.failed"}
_BUGS = {"process.part_failed", "event.failed", "delivery.bug", "alarm.broken"}


def settled(store: SqlStore, load: Load) -> bool:
    """Whether all that has to come has come, and nothing is on its way any more."""
    counts = store.counts()
    delivered = counts.deliveries_by_state["delivered"]
    return (counts.firings, delivered, counts.rejected) == (
        load.transitions,
        load.transitions,
        len(load.rejected),
    ) and counts.deliveries_by_state["pending"] == 0


def every_sink_got_every_event(store: SqlStore, load: Load, sunk: Counter[str]) -> int:
    """events-in 28: the queue at least once, the archive exactly once; how many were repeats."""
    with store._database.read() as connection:
        kept = [row.message_id for row in connection.execute(select(schema.event.c.message_id))]
    assert sunk.keys() == load.published, _difference(sunk.keys(), load.published)
    assert set(kept) == load.published, _difference(kept, load.published)
    assert len(kept) == len(set(kept))
    return sunk.total() - len(sunk)


def progress(store: SqlStore, load: Load) -> str:
    """How far it is, for who waits in vain."""
    return f"{store.counts()}, to be {load.transitions} and {len(load.rejected)} rejected"


def each_event_made_one_transition(store: SqlStore, load: Load) -> None:
    """delivery 1, 2: for each alarm and event one firing, history entry and notification."""
    firing, notification = schema.firing.c, schema.notification.c
    fired = _pairs(store, firing.alarm_id, firing.message_id)
    told = _pairs(store, notification.alarm_id, notification.message_id)
    repeated = {pair for pair in fired if not pair[0].startswith("once-")}
    assert repeated == load.repeating, _difference(repeated, load.repeating)
    firsts = [pair for pair in fired if pair[0].startswith("once-")]
    assert sorted(alarm_id for alarm_id, _ in firsts) == sorted(load.once)
    assert [(a, m) for a, m in firsts if m not in load.once[a]] == []
    assert told == fired, "a notification for each firing, and no other"
    assert _transitions_by_alarm(store) == Counter(alarm_id for alarm_id, _ in fired.elements())


def each_callback_came_under_one_id(
    store: SqlStore, load: Load, callbacks: Iterable[Callback]
) -> int:
    """delivery 3: each delivery arrived, under its own id always; how many were repeats."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    count = 0
    for callback in callbacks:
        count += 1
        said = callback.json()
        assert callback.path == f"/{said['alarm_id']}"
        delivery_id = callback.headers["webhook-id"]
        ids[said["alarm_id"], said["reason_data"]["event"]["message_id"]].add(delivery_id)
        bodies[delivery_id].add(callback.body)
    fired = _pairs(store, schema.firing.c.alarm_id, schema.firing.c.message_id)
    assert ids.keys() == fired.keys(), _difference(ids.keys(), fired.keys())
    assert {pair: seen for pair, seen in ids.items() if len(seen) != 1} == {}
    assert len(bodies) == load.transitions, "no two deliveries share an id"
    assert [each for each, seen in bodies.items() if len(seen) != 1] == [], "the same each time"
    return count - len(ids)


def no_row_is_stuck(store: SqlStore, load: Load) -> None:
    """Every delivery ended, none is leased; what was rejected is the poison, once each."""
    counts = store.counts()
    ends = {"delivered": load.transitions, "pending": 0, "dead": 0, "digested": 0}
    assert dict(counts.deliveries_by_state) == ends
    assert counts.publications == 0
    delivery = schema.delivery.c
    with store._database.read() as connection:
        held = (delivery.lease != "") | delivery.due_at.is_not(None)
        assert connection.scalar(select(func.count()).where(held)) == 0
    kept = [event.body for event in store.rejected(limit=10_000)]
    assert len(kept) == len(set(kept)) == counts.rejected
    assert set(kept) == load.rejected, _difference(set(kept), load.rejected)


def nothing_was_a_bug(log: Collection[Mapping[str, Any]]) -> None:
    """No part failed, and no process said anything but log lines (a traceback, say)."""
    failures = [
        line
        for line in log
        if line.get("event") in _BUGS
        or ("exception" in line and line.get("event") not in _LOGGED_FOR_POISON)
    ]
    assert failures == [], [f"{line}" for line in failures[:3]]
    # The last line of who was killed may be cut.
    assert [line for line in log if str(line.get("text", "")).startswith("Traceback")] == []


def _pairs(store: SqlStore, *columns: Any) -> Counter[tuple[str, str]]:
    with store._database.read() as connection:
        return Counter((row[0], row[1]) for row in connection.execute(select(*columns)))


def _transitions_by_alarm(store: SqlStore) -> Counter[str]:
    history = schema.alarm_history.c
    these = select(history.alarm_id).where(history.type == "state transition")
    with store._database.read() as connection:
        return Counter(row.alarm_id for row in connection.execute(these))


def _difference(found: Collection[Any], expected: Collection[Any]) -> str:
    missing, more = set(expected) - set(found), set(found) - set(expected)
    return (
        f"{len(missing)} missing, such as {list(missing)[:3]}; "
        f"{len(more)} too many, such as {list(more)[:3]}"
    )
