"""Who is held to projects finds their events in the archive, and learns of no others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Ambiguous, InvalidValue, NotFound
from pipeline.event import Event
from pipeline.store.archive import EventFilter, TraitFilter, matches
from pipeline.store.sql import SqlStore, archive, archive_places

from builders import an_event

P1, P2 = frozenset({"p-1"}), frozenset({"p-2"})


@pytest.fixture
def kept(store: SqlStore) -> list[Event]:
    """Of two projects, by one trait or the other, by both, and of none."""
    traits: list[dict[str, Any]] = [
        {"project_id": "p-1"},
        {"tenant_id": "p-1"},
        {"project_id": "p-2", "tenant_id": "p-1"},
        {"project_id": "p-2"},
        {"project_id": "", "tenant_id": "p-1"},
        {},
    ]
    events = [
        an_event(message_id=f"m-{at}", event_type=f"t.{at % 3}", **each)
        for at, each in enumerate(traits)
    ]
    store.keep_events(events)
    return events


def test_an_event_belongs_to_the_first_project_that_it_names(
    store: SqlStore, kept: list[Event]
) -> None:
    of_p1 = store.events(EventFilter(projects=P1))
    assert sorted(event.message_id for event in of_p1) == ["m-0", "m-1", "m-4"]
    of_p2 = store.events(EventFilter(projects=P2))
    assert sorted(event.message_id for event in of_p2) == ["m-2", "m-3"]
    assert store.events(EventFilter(projects=frozenset())) == []


def test_types_are_counted_of_theirs_alone(store: SqlStore, kept: list[Event]) -> None:
    counted = {t.event_type: t.events for t in store.event_types(EventFilter(projects=P1))}
    assert counted == {"t.0": 1, "t.1": 2}
    assert store.event_types(EventFilter(projects=frozenset({"nobody"}))) == []


def test_one_is_theirs_or_not_there(store: SqlStore, kept: list[Event]) -> None:
    assert store.archived_event("m-0", P1)[0] == kept[0]
    for of_others in ("m-3", "m-5"):
        with pytest.raises(NotFound, match=f"Event {of_others} is not in the archive"):
            store.archived_event(of_others, P1)


def test_the_beginning_of_an_id_is_unique_among_theirs(store: SqlStore, kept: list[Event]) -> None:
    store.keep_events([an_event(message_id="n-1", project_id="p-1"), an_event(message_id="n-2")])
    assert store.archived_event("n", P1)[0].message_id == "n-1"
    with pytest.raises(Ambiguous):
        store.archived_event("m", P1)


def test_a_marker_of_others_is_as_none(store: SqlStore, kept: list[Event]) -> None:
    with pytest.raises(InvalidValue, match="marker: event m-3 is not in the archive"):
        store.events(EventFilter(projects=P1), marker="m-3")


PROJECTS = st.sampled_from(["p-1", "p-2", "7", "", 7, 0, 7.5])
EVENTS = st.lists(
    st.dictionaries(st.sampled_from(["project_id", "tenant_id", "one"]), PROJECTS), max_size=12
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    traits=EVENTS,
    projects=st.frozensets(st.sampled_from(["p-1", "p-2", "7", "nobody"])),
    more=st.sampled_from([(), (TraitFilter("one", "eq", "p-1"),)]),
    small=st.booleans(),
)
def test_the_indexes_agree_with_a_plain_reading(
    store: SqlStore,
    traits: list[dict[str, Any]],
    projects: frozenset[str],
    more: tuple[TraitFilter, ...],
    small: bool,
) -> None:
    with store._database.write() as connection:
        for table in (archive.schema.event, archive.schema.event_trait):
            connection.execute(table.delete())
    events = [an_event(event_type=f"t.{at % 2}", **each) for at, each in enumerate(traits)]
    store.keep_events(events)
    wanted = EventFilter(traits=more, projects=projects)
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(archive_places, "_FEW", 2)
            patch.setattr(archive, "_SMALLEST_PAGE", 2)
            patch.setattr(archive, "_LARGEST_PAGE", 2)
        found = store.events(wanted, limit=1_000)
        pages: list[Event] = []
        while page := store.events(wanted, 2, pages[-1].message_id if pages else None):
            pages += page
    expected = {event.message_id for event in events if matches(wanted, event)}
    assert {event.message_id for event in found} == expected
    assert len(found) == len(expected)
    assert pages == found
    belong = [event for event in events if event.project_id in projects]
    counted = {t.event_type: t.events for t in store.event_types(EventFilter(projects=projects))}
    assert counted == Counter(event.event_type for event in belong)
