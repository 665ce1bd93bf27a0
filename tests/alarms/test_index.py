"""The index's own promises, beside agreeing with the rules (test_index_property.py)."""

from __future__ import annotations

import pytest

from pipeline.alarms.alarm import Condition
from pipeline.alarms.index import AlarmIndex
from pipeline.alarms.index.globs import Globs
from pipeline.errors import InvalidValue

from builders import a_condition, a_rule, an_event


def test_an_event_reaches_its_projects_alarms_and_those_of_all_projects() -> None:
    """alarms 9"""
    index = AlarmIndex()
    for alarm_id, project in (("own", "p"), ("other", "q"), ("none", ""), ("all", None)):
        index.put(alarm_id, project, a_rule("a"))
    assert sorted(index.matches(an_event(event_type="a", project_id="p"))) == ["all", "own"]
    assert sorted(index.matches(an_event(event_type="a", tenant_id="q"))) == ["all", "other"]
    assert sorted(index.matches(an_event(event_type="a"))) == ["all", "none"]


def test_a_rule_that_cannot_be_compiled_leaves_the_index_as_it_was() -> None:
    """alarms 10: a broken alarm never affects another."""
    index = AlarmIndex()
    index.put("one", None, a_rule("a.*", a_condition("traits.x", "1")))
    for broken in (
        a_rule("b", a_condition("traits.x", "hello", type="integer")),
        a_rule("b*", a_condition("traits.x", "1", "like")),
        a_rule("b", a_condition("traits.x", "1", type="colour")),
    ):
        with pytest.raises(InvalidValue):
            index.put("one", None, broken)
        with pytest.raises(InvalidValue):
            index.put("two", None, broken)
    assert index.matches(an_event(event_type="a.b", x="1")) == ["one"]
    assert len(index) == 1


def test_putting_an_alarm_again_replaces_it() -> None:
    index = AlarmIndex()
    index.put("one", "p", a_rule("a"))
    index.put("one", "p", a_rule("a"))
    index.put("one", None, a_rule("b*", a_condition("traits.x", "1")))
    assert index.matches(an_event(event_type="a", project_id="p")) == []
    assert index.matches(an_event(event_type="b", x="1")) == ["one"]
    assert len(index) == 1


def test_removing_what_is_not_there_changes_nothing() -> None:
    index = AlarmIndex()
    index.remove("one")
    assert "one" not in index


@pytest.mark.parametrize(
    "name",
    ["x')\n    raise SystemExit #", "{}", "{v}", "return", "\\", '"""', "\udc80", "é", "row[0]"],
)
def test_a_fields_name_is_only_ever_a_name(name: str) -> None:
    """Whoever may create an alarm chooses the names; code is generated from its shape."""
    index = AlarmIndex()
    condition = a_condition(f"traits.{name}", name)
    index.put("one", None, a_rule("a", condition, a_condition(f"raw.{name}", "1", "lt")))
    assert index.matches(an_event(event_type="a", **{name: name}, raw={name: "0"})) == ["one"]
    assert index.matches(an_event(event_type="a", **{name: "other"}, raw={name: "0"})) == []


def test_a_query_may_have_hundreds_of_conditions() -> None:
    index = AlarmIndex()
    query = [Condition(f"traits.t{number}", "eq", "1") for number in range(500)]
    for number in range(30):
        index.put(f"alarm-{number}", None, a_rule("a", *query))
    traits = {f"t{number}": "1" for number in range(500)}
    assert len(index.matches(an_event(event_type="a", **traits))) == 30
    assert index.matches(an_event(event_type="a", **{**traits, "t499": "2"})) == []


def test_an_alarm_is_found_once_though_two_traits_have_its_value() -> None:
    index = AlarmIndex()
    for number in range(5):
        same = str(number)
        both = a_rule("a", a_condition("traits.x", same), a_condition("traits.y", same))
        index.put(f"both-{number}", "p", both)
        index.put(f"x-{number}", "p", a_rule("a", a_condition("traits.x", same)))
        index.put(f"y-{number}", "p", a_rule("a", a_condition("traits.y", same)))
    event = an_event(event_type="a", project_id="p", x="3", y="3")
    assert sorted(index.matches(event)) == ["both-3", "x-3", "y-3"]


@pytest.mark.parametrize("projects", [1, 2, 5, 40])
def test_an_event_reaches_its_projects_alarms_about_a_value_that_all_ask_for(
    projects: int,
) -> None:
    index = AlarmIndex()
    for number in range(200):
        project, value = f"p-{number % projects}", str(number // projects % 5)
        index.put(f"alarm-{number}", project, a_rule("a*", a_condition("traits.x", value)))
        index.put(f"others-{number}", project, a_rule("b", a_condition("traits.x", value)))
    own = [f"alarm-{n}" for n in range(200) if n % projects == 0 and n // projects % 5 == 3]
    event = an_event(event_type="a", project_id="p-0", x="3")
    assert sorted(index.matches(event)) == sorted(own)
    for number in range(0, 200, 2):
        index.remove(f"alarm-{number}")
    assert sorted(index.matches(event)) == sorted(k for k in own if int(k[6:]) % 2)


def test_costly_names_the_buckets_that_scan_most() -> None:
    index = AlarmIndex()
    for number in range(100):
        differs = a_condition("traits.x", str(number), "ne")
        equals = a_condition("traits.x", str(number))
        index.put(f"scanned-{number}", "p", a_rule("a", differs))
        index.put(f"hashed-{number}", "q", a_rule("a", equals))
        if number < 30:
            index.put(f"glob-{number}", None, a_rule("*", differs))
    assert index.costly(2) == [("p", "a", 100), (None, "*", 30)]
    assert index.costly(3)[2] == ("q", "a", 1)


def test_a_glob_counts_for_event_types_that_are_known_already() -> None:
    globs = Globs()
    globs.add("a.*")
    assert globs.matching("a.b") == {"a.b", "a.*"}
    globs.add("*.b")
    globs.add("*.c")
    globs.add("a.*")
    assert globs.matching("a.b") == {"a.b", "a.*", "*.b"}
    globs.remove("a.*")
    assert globs.matching("a.b") == {"a.b", "a.*", "*.b"}
    globs.remove("a.*")
    assert globs.matching("a.b") == {"a.b", "*.b"}


def test_more_event_types_than_are_remembered_are_matched_all_the_same() -> None:
    globs = Globs()
    globs.add("type-1*")
    assert sum(len(globs.matching(f"type-{number}")) for number in range(12_000)) == 15_111
