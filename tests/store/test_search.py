"""Listing alarms: filters, order and pages (alarms 19, 20)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.alarms.alarm import Alarm, Severity, State
from pipeline.errors import InvalidValue
from pipeline.store.sql import SqlStore

from builders import NOON, a_rule, an_alarm

SORT_KEYS = (
    "alarm_id",
    "enabled",
    "name",
    "type",
    "severity",
    "timestamp",
    "user_id",
    "project_id",
    "state",
    "repeat_actions",
    "state_timestamp",
)


def test_newest_come_first_by_default(store: SqlStore) -> None:
    for minutes in (1, 3, 2):
        store.create(an_alarm(name=str(minutes), timestamp=NOON + timedelta(minutes=minutes)))

    assert _names(store.search()) == ["3", "2", "1"]


def test_severity_sorts_by_urgency(store: SqlStore) -> None:
    """Alarms 20: low < moderate < critical on every database."""
    for severity in (Severity.MODERATE, Severity.CRITICAL, Severity.LOW):
        store.create(an_alarm(name=severity.value, severity=severity))

    assert _names(store.search(sort=[("severity", "asc")])) == ["low", "moderate", "critical"]
    assert _names(store.search(sort=[("severity", "desc")])) == ["critical", "moderate", "low"]


def test_text_sorts_by_code_point_on_every_database(store: SqlStore) -> None:
    names = ["B", "a", "Z", "é", "_", "10", "9", "a b", "ab"]
    for name in names:
        store.create(an_alarm(name=name))

    assert _names(store.search(sort=[("name", "asc")])) == sorted(names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "wanted"),
        ("enabled", False),
        ("state", State.OK),
        ("severity", "critical"),
        ("project_id", "p-1"),
        ("user_id", "u-1"),
        ("repeat_actions", True),
        ("all_projects", True),
        ("description", "wanted"),
        ("timestamp", NOON + timedelta(microseconds=1)),
        ("state_timestamp", NOON + timedelta(microseconds=1)),
    ],
)
def test_filter_gives_the_alarms_that_equal_it(store: SqlStore, name: str, value: object) -> None:
    fields = {"severity": Severity.CRITICAL} if name == "severity" else {name: value}
    wanted = store.create(an_alarm(**fields))
    store.create(an_alarm())

    assert store.search({name: value}) == [wanted]
    assert store.search({name: value, "alarm_id": "another"}) == []


def test_event_type_is_a_filter(store: SqlStore) -> None:
    wanted = store.create(an_alarm(rule=a_rule("compute.*")))
    store.create(an_alarm())

    assert store.search({"event_type": "compute.*", "type": "event"}) == [wanted]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": {"colour": "red"}}, "unknown filter 'colour'. Use one of alarm_id, name,"),
        ({"filters": {"enabled": "yes"}}, "enabled must be true or false, not 'yes'"),
        ({"filters": {"timestamp": datetime(2026, 1, 1)}}, "timestamp must be a time with"),  # noqa: DTZ001
        ({"sort": [("colour", "asc")]}, "unknown sort key 'colour'. Use one of alarm_id,"),
        ({"sort": [("name", "up")]}, "unknown sort direction 'up'. Use asc or desc"),
        ({"marker": "X"}, "marker: Alarm X not found"),
        ({"limit": 0}, "limit must be at least 1, not 0"),
        ({"limit": -1}, "limit must be at least 1, not -1"),
    ],
)
def test_search_that_makes_no_sense_is_refused(
    store: SqlStore, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidValue) as raised:
        store.search(**arguments)  # type: ignore[arg-type]

    assert str(raised.value).startswith(message)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sort=st.lists(
        st.tuples(st.sampled_from(SORT_KEYS), st.sampled_from(["asc", "desc"])), max_size=3
    ),
    page=st.integers(1, 13),
)
def test_pages_together_are_the_whole_list_in_order(
    store: SqlStore, sort: list[tuple[str, str]], page: int
) -> None:
    """Alarms 20: whatever the ties, no alarm is shown twice or passed over."""
    if not store.search(limit=1):
        store.create_many(_alarms_with_ties())

    paged, marker = [], None
    while some := store.search(sort=sort, limit=page, marker=marker):
        paged += some
        marker = some[-1].alarm_id

    assert paged == store.search(sort=sort)
    assert paged == _sorted(store.search(), sort)


def _alarms_with_ties() -> list[Alarm]:
    return [
        an_alarm(
            name=f"name {number % 3}",
            severity=list(Severity)[number % 3],
            state=list(State)[number // 3 % 3],
            enabled=number % 2 == 0,
            repeat_actions=number % 5 == 0,
            timestamp=NOON + timedelta(seconds=number % 4),
            project_id=f"p-{number % 2}",
        )
        for number in range(25)
    ]


def _sorted(alarms: list[Alarm], sort: list[tuple[str, str]]) -> list[Alarm]:
    """The alarms in this order by Python's own sorting, which keeps the order of ties."""
    alarms = sorted(alarms, key=lambda alarm: alarm.alarm_id)
    ranks = list(Severity)
    for key, direction in reversed(sort):
        alarms.sort(
            key=lambda alarm: (
                ranks.index(alarm.severity) if key == "severity" else getattr(alarm, key)
            ),
            reverse=direction == "desc",
        )
    return alarms


def _names(alarms: list[Alarm]) -> list[str]:
    return [alarm.name for alarm in alarms]
