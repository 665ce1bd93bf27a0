"""Pages that follow each other are the whole list, whatever the size of a page (alarms 20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.access import Caller, Role
from pipeline.errors import InvalidValue
from pipeline.store.archive import EventFilter
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.sql import SqlStore

from builders import NOON, a_caller, an_alarm, an_event
from store.storing import fire

MINUTES = [0, 3, 1, 1, 1, 2, 0, 3, 1]
"""When each thing was: several at the same moment, in no order."""
List = Callable[..., Sequence[Any]]


def paged(list_: List, key: str, size: int) -> list[Any]:
    """All pages, put together."""
    found: list[Any] = []
    marker = None
    while page := list_(limit=size, marker=marker):
        assert len(page) <= size
        found += page
        marker = getattr(page[-1], key)
    return found


def a_rejected_event(number: int) -> RejectedEvent:
    at = NOON + timedelta(minutes=MINUTES[number])
    return RejectedEvent(f"r-{number}", "no JSON", b"{", None, {}, "http", at)


def a_publication(number: int) -> Publication:
    url = ["https://a.example/", "https://b.example/"][number % 2]
    at = NOON + timedelta(minutes=MINUTES[number])
    return Publication(f"p-{number}", url, (an_event(),), "away", due_at=at, created_at=at)


def fill(store: SqlStore) -> None:
    """Of everything one for each of `MINUTES`; of deliveries two, to two projects' alarms."""
    alarms = [
        store.create(an_alarm(project_id=f"p-{n}", alarm_actions=["https://a/", "https://b/"]))
        for n in (1, 2)
    ]
    for number, minutes in enumerate(MINUTES):
        at = NOON + timedelta(minutes=minutes)
        fire(store, alarms[number % 2], at=at)
        store.keep_events([an_event(generated=at)])
    with store.begin() as transaction:
        transaction.save_rejected([a_rejected_event(n) for n, _ in enumerate(MINUTES)])
        transaction.save_publications([a_publication(n) for n, _ in enumerate(MINUTES)])


def lists(store: SqlStore) -> list[tuple[List, str, int]]:
    """Each list, the field by which it is marked, and how long it is."""
    held = a_caller(projects=frozenset({"p-1"}))
    return [
        (store.deliveries, "delivery_id", 18),
        (partial(store.deliveries, state="pending", action="https://a/"), "delivery_id", 9),
        (partial(store.deliveries, by=held), "delivery_id", 10),
        (store.rejected, "rejected_id", 9),
        (partial(store.rejected, bodies=False), "rejected_id", 9),
        (store.publications, "publication_id", 9),
        (partial(store.publications, ["https://a.example/"]), "publication_id", 5),
        (partial(store.events, EventFilter()), "message_id", 9),
    ]


def test_pages_of_every_size_are_the_whole_list(store: SqlStore) -> None:
    fill(store)
    for list_, key, length in lists(store):
        whole = list(list_(limit=1_000))
        assert len(whole) == length
        for size in range(1, length + 2):
            assert paged(list_, key, size) == whole, (list_, size)


def test_no_limit_gives_all(store: SqlStore) -> None:
    fill(store)
    assert len(store.deliveries(limit=None)) == 18
    assert len(store.rejected(limit=None)) == len(store.publications(limit=None)) == 9


@pytest.mark.parametrize("name", ["deliveries", "rejected", "publications"])
def test_a_marker_that_nothing_has_is_refused(store: SqlStore, name: str) -> None:
    with pytest.raises(InvalidValue, match=r"marker: [A-Z].* nobody not found") as caught:
        getattr(store, name)(marker="nobody")
    assert caught.value.field == "marker"


def test_a_marker_of_another_project_is_as_one_that_nothing_has(store: SqlStore) -> None:
    fill(store)
    of_p1, of_p2 = (a_caller(projects=frozenset({p})) for p in ("p-1", "p-2"))
    marker = store.deliveries(by=of_p2)[0].delivery_id
    assert store.deliveries(by=of_p2, marker=marker)
    with pytest.raises(InvalidValue, match=f"Delivery {marker} not found"):
        store.deliveries(by=of_p1, marker=marker)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moments=st.lists(st.integers(0, 3), max_size=12),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
)
def test_pages_of_mixed_sizes_are_the_whole_list_in_its_order(
    store: SqlStore, moments: list[int], sizes: list[int]
) -> None:
    for one in store.rejected(limit=None):
        store.forget_rejected(one.rejected_id)
    kept = [
        RejectedEvent(f"r-{n}", "", b"", None, {}, "http", NOON + timedelta(minutes=at))
        for n, at in enumerate(moments)
    ]
    with store.begin() as transaction:
        transaction.save_rejected(kept)

    found: list[RejectedEvent] = []
    for step in range(len(moments) + 1):
        marker = found[-1].rejected_id if found else None
        found += store.rejected(sizes[step % len(sizes)], marker)

    by_time = sorted(kept, key=lambda one: one.rejected_id)
    by_time.sort(key=lambda one: one.received_at, reverse=True)
    assert found == by_time


class TestProjects:
    """notifications 14: who is held to projects meets their alarms' deliveries alone."""

    @pytest.fixture
    def held(self, store: SqlStore) -> Caller:
        fill(store)
        return a_caller(role=Role.ADMIN, projects=frozenset({"p-1"}))

    def test_those_of_a_deleted_alarm_stay_theirs(self, store: SqlStore, held: Caller) -> None:
        (alarm,) = store.search({"project_id": "p-1"})
        before = store.deliveries(by=held)
        store.delete(alarm.alarm_id)
        assert store.deliveries(by=held) == before
        assert store.delivery(before[0].delivery_id, by=held)[0] == before[0]

    def test_an_alarm_that_comes_back_elsewhere_takes_them_along(
        self, store: SqlStore, held: Caller
    ) -> None:
        (alarm,) = store.search({"project_id": "p-1"})
        store.delete(alarm.alarm_id)
        store.create(an_alarm(alarm_id=alarm.alarm_id, project_id="p-2"))
        assert store.deliveries(by=held) == []

    def test_who_is_held_to_no_project_at_all_meets_none(self, store: SqlStore) -> None:
        fill(store)
        assert store.deliveries(by=a_caller(projects=frozenset())) == []
