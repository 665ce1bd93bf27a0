"""The event archive keeps an event once, and finds it by type, time and trait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.alarms.conditions import glob
from pipeline.errors import Ambiguous, InvalidValue, NotFound
from pipeline.event import Event
from pipeline.store.archive import EventFilter, TraitFilter, matches
from pipeline.store.sql import SqlStore, archive, archive_places

from builders import NOON, an_alarm, an_event
from store.storing import Clock, fire

CREATED, DELETED = "compute.instance.create.end", "compute.instance.delete.end"


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def found(store: SqlStore, *traits: TraitFilter, **wanted: Any) -> list[Event]:
    return list(store.events(EventFilter(traits=traits, **wanted)))


def test_an_event_comes_out_as_it_went_in(store: SqlStore, clock: Clock) -> None:
    event = an_event(
        raw={"payload": {"a": [1, None]}},
        host="compute-1",
        vcpus=2**70,
        load=1.5,
        created_at=NOON,
        odd="\0 \ud800 …",
    )
    store.keep_events([event])
    clock.pass_time(hours=1)

    assert found(store) == [event]
    assert store.archived_event(event.message_id) == (event, NOON)


def test_a_repeated_message_id_is_one_event(store: SqlStore) -> None:
    """Events-in 3, within a batch and between two."""
    first, again = (an_event(message_id="m-1", host=host) for host in ("a", "b"))
    other = an_event(message_id="m-2", generated=NOON - minutes(1))

    store.keep_events([first, again])
    store.keep_events([again, other, other])

    assert found(store) == [first, other]
    assert found(store, TraitFilter("host", "eq", "b")) == []


def test_nothing_to_keep_is_no_work(store: SqlStore) -> None:
    store.keep_events([])

    assert found(store) == []


def test_newest_come_first_and_a_page_follows_its_marker(store: SqlStore) -> None:
    events = [an_event(generated=NOON + minutes(n // 2)) for n in range(7)]
    store.keep_events(events)

    everything = found(store)
    pages: list[Event] = []
    marker = None
    while page := store.events(EventFilter(), limit=3, marker=marker):
        pages += page
        marker = page[-1].message_id

    assert {e.generated for e in everything[:1]} == {NOON + minutes(3)}
    assert [e.generated for e in everything] == sorted((e.generated for e in events), reverse=True)
    assert pages == everything


def test_events_are_found_by_type_and_time(store: SqlStore) -> None:
    events = [
        an_event(event_type=CREATED, generated=NOON),
        an_event(event_type=DELETED, generated=NOON + minutes(1)),
        an_event(event_type="image.delete", generated=NOON + minutes(2)),
    ]
    store.keep_events(events)
    first, second, third = events

    assert found(store, event_type=CREATED) == [first]
    assert found(store, event_type="*.delete*") == [third, second]
    assert found(store, event_type="[!c]*") == [third]
    assert found(store, event_type="volume.*") == []
    assert found(store, since=NOON + minutes(1)) == [third, second]
    assert found(store, until=NOON + minutes(1), event_type="compute.*") == [second, first]


@pytest.mark.parametrize(
    ("wanted", "hosts"),
    [
        (TraitFilter("vcpus", "ge", "4"), "bc"),
        (TraitFilter("vcpus", "lt", "10"), "ab"),
        (TraitFilter("vcpus", "ne", "4"), "ac"),
        (TraitFilter("vcpus", "eq", "4", "string"), ""),
        (TraitFilter("vcpus", "eq", "1", "boolean"), "a"),
        (TraitFilter("size", "eq", "4"), "a"),
        (TraitFilter("at", "gt", "2026-01-02T12:00:30Z"), "bc"),
        (TraitFilter("at", "le", "2026-01-02T13:01:00+01:00", "datetime"), "ab"),
        (TraitFilter("host", "ne", "a"), "bc"),
        (TraitFilter("absent", "ne", "a"), ""),
    ],
)
def test_traits_are_compared_as_what_they_are(
    store: SqlStore, wanted: TraitFilter, hosts: str
) -> None:
    """The meaning of an alarm's condition (alarms 10); numbers are no texts."""
    store.keep_events(
        [
            an_event(host="a", vcpus=1, size="4", at=NOON),
            an_event(host="b", vcpus=4, at=NOON + minutes(1)),
            an_event(host="c", vcpus=10.5, at=NOON + minutes(2)),
        ]
    )

    assert {event.values["host"] for event in found(store, wanted)} == set(hosts)


def test_conditions_are_met_together(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one of them leaves few candidates, or all of them many; in haste or not."""
    store.keep_events([an_event(host=h, n=n) for h in "abc" for n in range(5)])
    wanted = (TraitFilter("host", "ne", "c"), TraitFilter("n", "ge", "3"))

    for few, page in ((1_000, 100), (1, 100), (1, 2)):
        monkeypatch.setattr(archive_places, "_FEW", few)
        monkeypatch.setattr(archive, "_SMALLEST_PAGE", page)
        monkeypatch.setattr(archive, "_LARGEST_PAGE", page)
        both = list(store.events(EventFilter("identity.*", traits=wanted), limit=5))
        assert {(e.values["host"], e.values["n"]) for e in both} == {
            ("a", 3), ("a", 4), ("b", 3), ("b", 4)
        }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (TraitFilter("n", "eq", "x", "integer"), "Unable to convert the value x to"),
        (TraitFilter("n", "like", "x"), "unknown operator 'like'. Use one of eq, ne"),
        (TraitFilter("n", "eq", "x", "text"), "The data type text is not supported"),
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error(
    store: SqlStore, wanted: TraitFilter, message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        found(store, wanted)


def test_a_limit_and_a_marker_must_make_sense(store: SqlStore) -> None:
    with pytest.raises(InvalidValue, match="limit must be at least 1, not 0"):
        store.events(EventFilter(), limit=0)
    with pytest.raises(InvalidValue, match="marker: event gone is not in the archive"):
        store.events(EventFilter(), marker="gone")


def test_an_event_is_found_by_the_beginning_of_its_id(store: SqlStore) -> None:
    store.keep_events([an_event(message_id=name) for name in ("abc", "abcd", "abx")])

    assert store.archived_event("abc")[0].message_id == "abc"
    assert store.archived_event("abx")[0].message_id == "abx"
    with pytest.raises(Ambiguous, match="more than one event's id starts with 'ab'"):
        store.archived_event("ab")
    with pytest.raises(NotFound, match="Event b is not in the archive"):
        store.archived_event("b")


def test_types_are_counted(store: SqlStore) -> None:
    store.keep_events([an_event(event_type=CREATED, generated=NOON + minutes(n)) for n in (0, 2)])
    store.keep_events([an_event(event_type=DELETED)])

    assert store.event_types(EventFilter()) == [
        (CREATED, 2, NOON, NOON + minutes(2)),
        (DELETED, 1, NOON, NOON),
    ]
    assert store.event_types(EventFilter("*create*", since=NOON + minutes(1))) == [
        (CREATED, 1, NOON + minutes(2), NOON + minutes(2))
    ]


# --- the indexes agree with a plain reading --------------------------------------------------

TEXTS = st.one_of(
    st.sampled_from(["", "a", "b", "5", "-1.5", "2026-01-02T12:00:00", "true", "x" * 300]),
    st.text(st.sampled_from("ab\0\ud800\udfff\ue000\ud7ff\U0001f600\\…"), max_size=4),
    st.text(st.sampled_from("ab"), max_size=3).map(lambda end: "x" * 199 + end),
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, -(2**70), 10**400, -(10**400)]),
    st.floats(width=16),
    st.floats(),
)
MOMENTS = st.integers(-3, 3).map(lambda n: NOON + timedelta(microseconds=n))
VALUES = st.one_of(TEXTS, NUMBERS, MOMENTS)
NAMES = st.sampled_from(["one", "two"])
TYPES = st.sampled_from(["a.b", "a.c", "b", "", "*", "b" * 300, "b" * 301, "b\0"])
EVENTS = st.lists(
    st.builds(
        lambda event_type, generated, values: an_event(
            event_type=event_type, generated=generated, **values
        ),
        TYPES,
        MOMENTS,
        st.dictionaries(NAMES, VALUES),
    ),
    max_size=12,
)


def written(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


OPERATORS = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
CONSTANTS = VALUES.filter(lambda v: not isinstance(v, int) or abs(v) < 10**400)
TRAITS = st.one_of(
    st.builds(TraitFilter, NAMES, OPERATORS, CONSTANTS.map(written)),
    st.builds(TraitFilter, NAMES, OPERATORS, TEXTS, st.just("string")),
    st.builds(TraitFilter, NAMES, OPERATORS, NUMBERS.filter(lambda n: n == n and abs(n) < 1e300)
              .map(lambda n: str(int(n))), st.just("integer")),
    st.builds(TraitFilter, NAMES, OPERATORS, st.sampled_from(["true", "0"]), st.just("boolean")),
)  # fmt: skip
FILTERS = st.builds(
    EventFilter,
    st.sampled_from(["*", "a.*", "a.b", "[!a]*", "b*", "?", "b" * 300]),
    st.none() | MOMENTS,
    st.none() | MOMENTS,
    st.lists(TRAITS, max_size=2).map(tuple),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=st.lists(EVENTS, max_size=2), filters=st.lists(FILTERS, max_size=6), size=st.data())
def test_a_search_finds_what_a_plain_reading_finds(
    store: SqlStore, batches: Sequence[list[Event]], filters: Sequence[EventFilter], size: Any
) -> None:
    empty(store)
    for batch in batches:
        store.keep_events(batch)
    kept = [event for batch in batches for event in batch]

    with pytest.MonkeyPatch.context() as patch:
        if size.draw(st.booleans(), label="as if it were a large archive"):
            patch.setattr(archive_places, "_FEW", 1)
            patch.setattr(archive, "_SMALLEST_PAGE", 2)
            patch.setattr(archive, "_LARGEST_PAGE", 3)
        agree(store, kept, filters, size)


GLOBS = st.lists(st.sampled_from(["*", "a.*", "a.b", "[!a]*", "?", "b" * 300]), max_size=3)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kept=EVENTS, globs=GLOBS, wanted=FILTERS, page=st.sampled_from([1, 2, 2_000]))
def test_all_come_in_order_a_page_at_a_time(
    store: SqlStore, kept: list[Event], globs: list[str], wanted: EventFilter, page: int
) -> None:
    empty(store)
    store.keep_events(kept)
    expected = [
        event
        for event in kept
        if matches(wanted, event) and any(glob(each)(event.event_type) for each in globs)
    ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "_LARGEST_PAGE", page)
        found = list(store.events_in_order(wanted, globs))

    assert sorted(e.message_id for e in found) == sorted(e.message_id for e in expected)
    assert [e.generated for e in found] == sorted(e.generated for e in found)


def test_when_an_event_fired_an_alarm_is_known(store: SqlStore, clock: Clock) -> None:
    alarm, event = store.create(an_alarm()), an_event()
    assert store.fired_at(alarm.alarm_id, event.message_id) is None
    assert fire(store, alarm, event, at=clock.now)
    assert store.fired_at(alarm.alarm_id, event.message_id) == clock.now
    assert store.fired_at(alarm.alarm_id, "another") is None


def agree(store: SqlStore, kept: list[Event], filters: Sequence[EventFilter], size: Any) -> None:
    for wanted in filters:
        expected = [event.message_id for event in kept if matches(wanted, event)]
        found = [event.message_id for event in store.events(wanted)]
        assert sorted(found) == sorted(expected)
        assert paged(store, wanted, size.draw(st.integers(1, 3))) == found


def empty(store: SqlStore) -> None:
    with store._database.write() as connection:
        for table in (archive.schema.event, archive.schema.event_trait):
            connection.execute(table.delete())


def paged(store: SqlStore, wanted: EventFilter, size: int) -> list[str]:
    found: list[str] = []
    while True:
        marker = found[-1] if found else None
        page = store.events(wanted, limit=size, marker=marker)
        found += [event.message_id for event in page]
        if len(page) < size:
            return found
