"""How workers keep their alarms true to the store (alarms 13)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.alarms.alarm import State
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm
from store.storing import fire


def test_new_store_has_no_alarms_and_revision_zero(store: SqlStore) -> None:
    revision, alarms = store.all_enabled()

    assert (revision, list(alarms)) == (0, [])
    assert store.changes_since(0).revision == 0


def test_all_enabled_streams_the_enabled_alarms_as_of_its_revision(store: SqlStore) -> None:
    enabled = [an_alarm() for _ in range(2_500)]
    store.create_many(enabled)
    store.create(an_alarm(enabled=False))

    revision, alarms = store.all_enabled()
    first = next(alarms)
    late = store.create(an_alarm())

    ids = {first.alarm_id, *(alarm.alarm_id for alarm in alarms)}
    assert ids == {alarm.alarm_id for alarm in enabled}
    assert revision == 2
    assert store.changes_since(revision).changed == [late]


def test_stream_that_is_closed_early_gives_its_connection_back(store: SqlStore) -> None:
    store.create_many(an_alarm() for _ in range(1_500))

    for _ in range(50):  # more than there are connections
        _, alarms = store.all_enabled()
        assert next(alarms)
        alarms.close()  # type: ignore[attr-defined] # it is a generator

    assert store.counts().alarms == 1_500


def test_changes_since_tells_of_every_change_that_a_person_made(store: SqlStore) -> None:
    unchanged, changed, disabled, reset, deleted = (store.create(an_alarm()) for _ in range(5))
    revision, _ = store.all_enabled()

    changed = store.update(replace(changed, name="changed"))
    disabled = store.update(replace(disabled, enabled=False))
    reset = store.set_state(reset.alarm_id, State.OK, NOON)
    created = store.create(an_alarm())
    store.delete(deleted.alarm_id)

    changes = store.changes_since(revision)
    assert changes.revision == revision + 5
    by_revision = sorted(changes.changed, key=lambda alarm: alarm.revision)
    assert by_revision == [changed, disabled, reset, created]
    assert changes.deleted == [deleted.alarm_id]
    assert unchanged not in changes.changed
    later = store.changes_since(changes.revision)
    assert (later.changed, later.deleted) == ((), ())


def test_firing_is_no_change(store: SqlStore) -> None:
    alarm = store.create(an_alarm())

    fire(store, alarm)

    assert store.changes_since(alarm.revision).revision == alarm.revision
    assert store.get(alarm.alarm_id).revision == alarm.revision


def test_alarm_that_comes_back_is_no_longer_deleted(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    store.delete(alarm.alarm_id)

    again = store.create(alarm)

    changes = store.changes_since(0)
    assert (changes.changed, changes.deleted) == ([again], [])


def test_nobody_who_follows_misses_a_change(store: SqlStore) -> None:
    """Revisions are committed in their order: who has seen one has seen all before it."""
    done = threading.Event()
    seen: dict[str, int] = {}

    def follow() -> None:
        revision = 0
        while not done.is_set():
            revision = look(revision)
        look(revision)

    def look(revision: int) -> int:
        changes = store.changes_since(revision)
        seen.update({alarm.alarm_id: alarm.revision for alarm in changes.changed})
        return changes.revision

    def change(_: int) -> list[tuple[str, int]]:
        alarms = [store.create(an_alarm()) for _ in range(10)]
        alarms += [store.update(replace(alarm, name="changed")) for alarm in alarms]
        return [(alarm.alarm_id, alarm.revision) for alarm in alarms]

    with ThreadPoolExecutor(5) as pool:
        follower = pool.submit(follow)
        made = [pair for pairs in pool.map(change, range(4)) for pair in pairs]
        done.set()
        follower.result(timeout=60)

    assert sorted(revision for _, revision in made) == list(range(1, 81))
    assert seen == dict(sorted(made, key=lambda pair: pair[1]))
