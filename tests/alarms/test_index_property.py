"""The index gives what a plain reading of the rules gives, whatever is added and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import hypothesis.strategies as st
import iso8601
import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.alarms.alarm import Condition, EventRule
from pipeline.alarms.index import AlarmIndex
from pipeline.event import Event

from builders import NOON, an_event

# --- a plain reading of the rules, written without looking at the code -----------------------


def fires(project: str | None, rule: EventRule, event: Event) -> bool:
    own = event.values.get("project_id") or event.values.get("tenant_id") or ""
    if project is not None and project != own:
        return False
    if not fnmatchcase(event.event_type, rule.event_type):
        return False
    return all(is_met(condition, event) for condition in rule.query)


def is_met(condition: Condition, event: Event) -> bool:
    found = look_up(condition.field, event)
    wanted: Any = condition.value
    if condition.type in ("", "string"):
        if isinstance(found, datetime) and condition.field == "generated":
            found = found.replace(tzinfo=None).isoformat()
        usable = isinstance(found, str)
    elif condition.type in ("integer", "float"):
        wanted = int(wanted) if condition.type == "integer" else float(wanted)
        usable = isinstance(found, (int, float)) and not isinstance(found, bool)
    elif condition.type == "boolean":
        wanted = wanted in ("true", "1")
        if isinstance(found, str):
            yes, no = ("true", "1"), ("false", "0")
            usable, found = found.lower() in yes + no, found.lower() in yes
        else:
            # Also -0.0 is 0.
            usable, found = isinstance(found, (int, float)) and found in (0, 1), found == 1
    else:
        wanted = iso8601.parse_date(wanted)
        usable = isinstance(found, datetime)
    if not usable:
        return False
    return {
        "eq": lambda: found == wanted,
        "ne": lambda: found != wanted,
        "lt": lambda: found < wanted,
        "le": lambda: found <= wanted,
        "gt": lambda: found > wanted,
        "ge": lambda: found >= wanted,
    }[condition.op]()


def look_up(field: str, event: Event) -> Any:
    if field.startswith("traits."):
        return event.values.get(field[7:])
    if field.startswith("raw."):
        return event.raw.get(field[4:])
    return getattr(event, field) if field in ("event_type", "message_id", "generated") else None


# --- alarms and events that meet often -------------------------------------------------------

OPS = st.sampled_from(["lt", "le", "eq", "eq", "eq", "ne", "gt", "ge"])
FIELDS = st.sampled_from(
    ["traits.a", "traits.b", "traits.c.d", "traits.it's", "traits.return {v}", "raw.a"]
)
TEXTS = st.sampled_from(["", "a", "b", "x y", "'\"\\\n{0}", "true", "5", "é"])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -0.0, float("inf"), 2**63, 10**30]),
)
MOMENTS = st.integers(-2, 2).map(lambda hours: NOON + timedelta(hours=hours))
BOOLEANS = st.sampled_from(["true", "false", "1", "0"])
TYPES = ["a.b", "a.c", "b", "", "[", "a.*"]
GLOBS = st.sampled_from([*TYPES, "*", "a.*", "a.?", "*b", "[ab]*", "[!a]", "a.[bc]", "[z-a]", "?"])
PROJECTS = st.sampled_from([None, "", "p", "q"])


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    if draw(st.integers(0, 5)) == 0:
        field, value, type = draw(
            st.sampled_from(
                [
                    ("event_type", "a.b", ""),
                    ("message_id", "m1", "string"),
                    ("generated", NOON.replace(tzinfo=None).isoformat(), ""),
                    ("generated", NOON.isoformat(), "datetime"),
                    ("nothing", "a", ""),
                ]
            )
        )
        return Condition(field, draw(OPS), value, type)
    type = draw(st.sampled_from(["", "string", "integer", "float", "boolean", "datetime"]))
    value = {
        "integer": st.integers(-3, 3).map(str),
        "float": NUMBERS.map(str),
        "boolean": BOOLEANS,
        "datetime": MOMENTS.map(datetime.isoformat),
    }.get(type, TEXTS)
    return Condition(draw(FIELDS), draw(OPS), draw(value), type)


RULES = st.builds(EventRule, GLOBS, st.lists(conditions(), max_size=4).map(tuple))
TRAIT_VALUES = st.one_of(TEXTS, NUMBERS, MOMENTS, st.just(float("nan")))
RAW_VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none(), st.just([1]), st.just({}))


@st.composite
def events(draw: st.DrawFn) -> Event:
    names = st.sampled_from(["a", "b", "c.d", "it's", "return {v}"])
    traits = draw(st.dictionaries(names, TRAIT_VALUES, max_size=5))
    project = draw(PROJECTS)
    if project is not None:
        traits[draw(st.sampled_from(["project_id", "tenant_id"]))] = project
    return an_event(
        event_type=draw(st.sampled_from(TYPES)),
        message_id=draw(st.sampled_from(["m1", "m2"])),
        generated=draw(MOMENTS),
        raw=draw(st.dictionaries(st.just("a"), RAW_VALUES)),
        **traits,
    )


CHANGES = st.lists(
    st.tuples(st.integers(0, 30).map("alarm-{}".format), PROJECTS, st.none() | RULES),
    max_size=60,
)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(CHANGES, st.lists(events(), min_size=1, max_size=8), st.sampled_from([0, 1, 4096]))
def test_the_index_agrees_with_a_plain_reading_under_churn(
    changes: list[tuple[str, str | None, EventRule | None]],
    stream: list[Event],
    generated_shapes: int,
) -> None:
    """alarms 9, 10: with generated code, and with the closures that run beyond its limit."""
    index = AlarmIndex(generated_shapes)
    alarms: dict[str, tuple[str | None, EventRule]] = {}
    for number, (alarm_id, project, rule) in enumerate(changes):
        if rule is None:
            index.remove(alarm_id)
            alarms.pop(alarm_id, None)
        else:
            index.put(alarm_id, project, rule)
            alarms[alarm_id] = (project, rule)
        event = stream[number % len(stream)]
        assert_same(index, alarms, event)
    for event in stream:
        assert_same(index, alarms, event)
    for alarm_id in list(alarms):
        index.remove(alarm_id)
    assert len(index) == 0
    assert index.costly() == []
    assert all(index.matches(event) == [] for event in stream)


@st.composite
def similar_rules(draw: st.DrawFn) -> list[EventRule]:
    """Many alarms of one shape, so that nodes split, by several conditions one after another."""
    shape = draw(
        st.lists(
            st.sampled_from(
                [
                    ("traits.a", "eq", "integer"),
                    ("traits.a", "eq", ""),
                    ("traits.b", "eq", "integer"),
                    ("traits.b", "gt", "integer"),
                    ("traits.b", "le", "float"),
                    ("traits.c.d", "lt", "datetime"),
                    ("traits.c.d", "ne", "boolean"),
                    ("raw.a", "eq", "boolean"),
                    ("raw.a", "ge", ""),
                ]
            ),
            min_size=1,
            max_size=4,
        )
    )
    values = {
        "": TEXTS,
        "integer": st.integers(-20, 20).map(str),
        "float": NUMBERS.map(str),
        "boolean": BOOLEANS,
        "datetime": MOMENTS.map(datetime.isoformat),
    }
    one = st.tuples(*(values[type] for _, _, type in shape))
    return [
        EventRule("a.b", tuple(Condition(*c, v, t) for (*c, t), v in zip(shape, row, strict=True)))
        for row in draw(st.lists(one, min_size=40, max_size=80))
    ]


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(similar_rules(), st.lists(events(), min_size=1, max_size=10), st.data())
def test_the_index_agrees_with_a_plain_reading_when_many_alarms_are_alike(
    rules: list[EventRule], stream: list[Event], data: st.DataObject
) -> None:
    """alarms 10"""
    index = AlarmIndex()
    alarms: dict[str, tuple[str | None, EventRule]] = {}
    for number, rule in enumerate(rules):
        index.put(f"alarm-{number}", None, rule)
        alarms[f"alarm-{number}"] = (None, rule)
    here = [event._replace(event_type="a.b") for event in stream]
    for event in here:
        assert_same(index, alarms, event)
    for alarm_id in data.draw(st.lists(st.sampled_from(sorted(alarms)), unique=True)):
        index.remove(alarm_id)
        del alarms[alarm_id]
    for event in here:
        assert_same(index, alarms, event)


def assert_same(
    index: AlarmIndex, alarms: dict[str, tuple[str | None, EventRule]], event: Event
) -> None:
    expected = sorted(k for k, (project, rule) in alarms.items() if fires(project, rule, event))
    assert sorted(index.matches(event)) == expected
    assert len(index) == len(alarms)


def test_the_plain_reading_reads() -> None:
    """The oracle itself, on a case that is clear."""
    rule = EventRule("a.*", (Condition("traits.n", "gt", "5", "integer"),))
    assert fires("p", rule, an_event(event_type="a.b", n=6, project_id="p"))
    assert not fires("p", rule, an_event(event_type="a.b", n=5, project_id="p"))
    assert not fires("p", rule, an_event(event_type="a.b", n=6, project_id="q"))
    with pytest.raises(ValueError):
        iso8601.parse_date("noon")
    assert datetime.now(UTC).tzinfo is UTC
