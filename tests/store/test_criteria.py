"""What people ask for is decided alike on every database (alarms 21, 29)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.alarms.alarm import Alarm, Severity, State
from pipeline.alarms.complex_query import criterion as of_json
from pipeline.alarms.criteria import (
    ALARM_FIELDS,
    HISTORY_FIELDS,
    AllOf,
    AnyOf,
    Comparison,
    Criterion,
    Negation,
    among,
)
from pipeline.alarms.expressions import criterion
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm

ALARM: dict[str, Any] = {
    "name": "disk full",
    "state": State.ALARM,
    "severity": Severity.MODERATE,
    "project_id": "p-1",
    "timestamp": NOON,
}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("state=alarm", True),
        ("state==ok", False),
        ("state eq alarm", True),
        ("STATE Ne alarm", False),
        ("name='disk full'", True),
        ('name="disk"', False),
        ("name=~^disk", True),
        ("name=~full.", False),
        ("project=p-1", True),
        ("user=''", True),
        ("enabled=True", True),
        ("enabled!=yes", False),
        ("severity>low", True),
        ("severity => moderate", True),
        ("severity<moderate", False),
        ("severity in [low, moderate]", True),
        ("severity in []", False),
        ("state in [ok, 'insufficient data']", False),
        ("timestamp>=2026-01-02T12:00:00Z", True),
        ("timestamp>'2026-01-02 12:00:00'", False),
        ("state=ok or enabled=true", True),
        ("state=ok or state=alarm and enabled=false", False),
        ("(state=ok or state=alarm) and enabled=true", True),
        ("not state=ok", True),
        ("not not (state=alarm AND NOT severity=low)", True),
        ("not (state=ok or name=~disk)", False),
    ],
)
def test_expressions(store: SqlStore, expression: str, holds: bool) -> None:
    store.create(an_alarm(**ALARM))
    assert bool(store.search(criterion=criterion(expression))) is holds


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"=": {"name": "disk full"}}, True),
        ({"AND": [{"=": {"user": ""}}, {"!=": {"project": "p-2"}}]}, True),
        ({"Or": [{"=": {"name": "x"}}, {"Not": {"=~": {"name": "^d"}}}]}, False),
        ({"in": {"state": ["ok", "alarm"]}}, True),
        ({"=<": {"severity": "moderate"}}, True),
        ({"=>": {"severity": "critical"}}, False),
        ({"=": {"severity": "high"}}, False),
        ({"!=": {"severity": "high"}}, True),
        ({"=": {"enabled": True}}, True),
        ({"=": {"enabled": 0.0}}, False),
        ({">": {"timestamp": "2026-01-02T12:30:00+01:00"}}, True),
        ({"in": {"timestamp": ["2026-01-02T12:00:00"]}}, True),
        ({"=": {"name": 5}}, False),
        ({"=": {"name": "disk full\0"}}, False),
        ({"=": {"state": "alarm\0"}}, False),
        ({"=~": {"state_reason": "^Not"}}, True),
        ({"=": {"name": "' OR 1=1 --"}}, False),
        ({"=~": {"name": "' OR 1=1 --"}}, False),
    ],
)
def test_complex_queries(store: SqlStore, query: Any, holds: bool) -> None:
    store.create(an_alarm(**ALARM))
    found = of_json(json.dumps(query), ALARM_FIELDS)
    assert bool(store.search(criterion=found)) is holds


def test_a_number_finds_the_text_that_it_would_be_written_as(store: SqlStore) -> None:
    """Clients make a number of all that looks like one."""
    made = store.create(an_alarm(name="5"))
    assert store.search(criterion=of_json('{"=": {"name": 5.0}}', ALARM_FIELDS)) == [made]


def test_a_pattern_that_others_take_for_ever_for_takes_no_time(store: SqlStore) -> None:
    store.create(an_alarm(name="a" * 5_000))
    assert store.search(criterion=criterion("name=~'^(a+)+b'")) == []


def test_pages_are_full_where_a_pattern_chooses(store: SqlStore) -> None:
    for number in range(10):
        store.create(an_alarm(name=f"{'x' if number % 2 else 'y'}{number}"))
    wanted, order = criterion("name=~^x"), [("name", "asc")]
    first = store.search(sort=order, limit=2, criterion=wanted)
    rest = store.search(sort=order, limit=9, marker=first[-1].alarm_id, criterion=wanted)
    assert [alarm.name for alarm in (*first, *rest)] == ["x1", "x3", "x5", "x7", "x9"]


def test_history_is_searched_in_the_order_of_its_writing(store: SqlStore) -> None:
    alarm = store.create(an_alarm(project_id="p-1"))
    store.set_state(alarm.alarm_id, State.OK, NOON)
    store.set_state(alarm.alarm_id, State.ALARM, NOON)
    store.create(an_alarm(project_id="p-2"))
    wanted = among("on_behalf_of", ["p-1"])
    found = store.search_history(wanted)
    assert [line.type for line in found] == ["state transition", "state transition", "creation"]
    assert json.loads(found[0].detail)["state"] == "alarm"
    assert store.search_history(wanted, sort=[("timestamp", "asc")]) == found[::-1]
    assert store.search_history(wanted, marker=found[0].event_id, limit=1) == found[1:2]
    transitions = criterion("type='state transition' and detail=~ok", HISTORY_FIELDS)
    assert store.search_history(transitions) == found[1:2]


NAMES, PROJECTS = ("a", "ab", "b", ""), ("p-1", "p-2")
COMPARISONS: st.SearchStrategy[Criterion] = st.one_of(
    st.builds(
        Comparison,
        st.just("name"),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(NAMES),
    ),
    st.builds(
        Comparison, st.just("name"), st.just("=~"), st.sampled_from(["a", "^b", "b$", ".*"])
    ),
    st.builds(among, st.just("project_id"), st.lists(st.sampled_from(PROJECTS))),
    st.builds(
        Comparison,
        st.just("severity"),
        st.sampled_from(["<", ">="]),
        st.sampled_from(list(map(str, Severity))),
    ),
    st.builds(Comparison, st.just("enabled"), st.sampled_from(["=", "!="]), st.booleans()),
)
CRITERIA = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Negation, inner),
    ),
    max_leaves=6,
)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=~": lambda a, b: re.search(b, a) is not None,
    "in": lambda a, b: a in b,
}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=CRITERIA)
def test_any_criterion_chooses_what_a_plain_reading_does(
    store: SqlStore, asked: Criterion
) -> None:
    if not store.search(limit=1):
        store.create_many(
            an_alarm(
                name=name,
                project_id=project,
                enabled=enabled,
                severity=list(Severity)[len(name)],
                timestamp=NOON + timedelta(seconds=len(name)),
            )
            for name in NAMES
            for project in PROJECTS
            for enabled in (True, False)
        )
    found = {alarm.alarm_id for alarm in store.search(criterion=asked)}
    assert found == {alarm.alarm_id for alarm in store.search() if _meets(alarm, asked)}


def _meets(alarm: Alarm, asked: Criterion) -> bool:
    match asked:
        case AllOf(parts):
            return all(_meets(alarm, part) for part in parts)
        case AnyOf(parts):
            return any(_meets(alarm, part) for part in parts)
        case Negation(part):
            return not _meets(alarm, part)
        case Comparison("severity", sign, value):
            ranks = list(map(str, Severity))
            return SIGNS[sign](ranks.index(alarm.severity), ranks.index(value))
        case Comparison(field, sign, value):
            return SIGNS[sign](getattr(alarm, field), value)
