"""A poison message anywhere in a batch is rejected, once, and all others go through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import an_alarm
from faults.poison import POISONS, UNRECORDABLE, refuse_unrecordable
from faults.working import a_body, a_worker, take

BATCH = 8


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        store.create(an_alarm(all_projects=True, repeat_actions=True))
        refuse_unrecordable(store)
        yield store


def unrecordable(number: int) -> bytes:
    return a_body(f"{UNRECORDABLE}{number}")


ALL = {**POISONS, "refused by the database": unrecordable}


def test_poison_in_every_position_of_a_batch_is_rejected_and_all_others_fire(
    store: SqlStore,
) -> None:
    """delivery 1, 2; every batch comes twice."""
    worker = a_worker(store)
    ids, poisons = set[str](), set[bytes]()
    for kind, make in ALL.items():
        for position in range(BATCH):
            good = [f"{kind} {position} {n}" for n in range(BATCH - 1)]
            bodies = [a_body(message_id) for message_id in good]
            bodies.insert(position, make(position))
            take(worker, bodies)
            take(worker, bodies)
            ids.update(good)
            poisons.add(make(position))

    fired = [record.message_id for record in store.deliveries(limit=2 * len(ids))]
    assert sorted(fired) == sorted(ids)
    assert store.counts().firings == len(ids)
    rejected = [event.body for event in store.rejected(limit=2 * len(poisons))]
    assert sorted(rejected) == sorted(poisons)


def test_batch_of_nothing_but_poison_is_rejected(store: SqlStore) -> None:
    bodies = [make(0) for make in ALL.values()]
    take(a_worker(store), bodies)
    assert sorted(event.body for event in store.rejected()) == sorted(bodies)
    assert store.counts().firings == 0
