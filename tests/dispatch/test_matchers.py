"""A matcher takes what its rules say, and says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.alarms.alarm import Severity
from pipeline.dispatch import MatcherEntry
from pipeline.dispatch.facts import Facts
from pipeline.dispatch.routing import Matcher
from pipeline.dispatch.rules import rules_of
from pipeline.errors import InvalidValue
from pipeline.notification import Notification, told

from builders import NOON, a_transition, an_alarm, an_event, an_occurrence

NIGHT = datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Ljubljana")


def an_alarm_told(**traits: Any) -> Notification:
    alarm = an_alarm(name="disk full", severity=Severity.CRITICAL)
    event = an_event(event_type="compute.instance.update", **traits)
    return told(a_transition(alarm, event))


def takes(
    entry: MatcherEntry, notification: Notification, now: datetime = NOON, zone: Any = UTC
) -> bool:
    return Matcher(entry, rules_of(entry)).takes(Facts(notification, now, zone))


def a_matcher(*match_field: str, **changes: Any) -> MatcherEntry:
    return MatcherEntry("m1", match_field=match_field, **changes)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("exact:alarm_name=disk full", True),
        ("exact:alarm_name=disk", False),
        ("exact:alarm_name=cpu hot,disk full", True),
        ("exact:kind=alarm-transition", True),
        ("exact:severity=critical", True),
        ("exact:event_type=compute.instance.update", True),
        ("exact:previous=insufficient data", True),
        ("exact:current=alarm", True),
        ("exact:host=c1", True),
        ("exact:traits.host=c1", True),
        ("exact:vcpus=4", True),
        ("exact:vcpus=5", False),
        ("exact:load=0.5", True),
        ("exact:project_id=p1", True),
        ("exact:rack=", False),
        ("regex:rack=.*", False),
        ("regex:host=^c[0-9]$", True),
        ("regex:alarm_name=full", True),
        ("regex:alarm_name=^full", False),
        (r"regex:event_type=^compute\..*update$", True),
        ("regex:alarm_name=a=b|disk", True),
    ],
)
def test_rule_on_a_field_of_an_alarm(rule: str, expected: bool) -> None:
    told = an_alarm_told(host="c1", vcpus=4, load=0.5, tenant_id="p1")

    assert takes(a_matcher(rule), told) is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("exact:job=nightly", True),
        ("exact:disk.free=12", True),
        ("exact:disk.name=sda", True),
        ("exact:disk=sda", False),
        ("exact:a.b=c", True),
        ("exact:hosts=c2", True),
        ("exact:hosts=c3", False),
        ("exact:ok=true", True),
        ("exact:nothing=", False),
        ("exact:traits.job=nightly", False),
    ],
)
def test_rule_on_a_field_of_anything_else(rule: str, expected: bool) -> None:
    fields = {
        "job": "nightly",
        "disk": {"free": 12, "name": "sda"},
        "a.b": "c",
        "hosts": ["c1", "c2"],
        "ok": True,
        "nothing": None,
    }

    assert takes(a_matcher(rule), an_occurrence("backup", **fields)) is expected


@pytest.mark.parametrize(
    ("words", "severity", "expected"),
    [
        (("error", "critical"), "critical", True),
        (("error",), "critical", False),
        (("low",), "notice", True),
        (("warning",), "moderate", True),
        (("info", "notice", "warning", "error", "critical"), "unknown", False),
        (("unknown",), "unknown", True),
    ],
)
def test_one_of_the_severities_is_enough(words: Any, severity: str, expected: bool) -> None:
    told = an_occurrence("backup", severity)

    assert takes(a_matcher(match_severity=words), told) is expected


def test_one_of_the_times_is_enough_and_is_in_the_zone_that_was_asked_for() -> None:
    entry = a_matcher(match_calendar=("mon-fri 9-17", "sat 0-1"))

    assert takes(entry, an_occurrence(), NOON)
    assert not takes(entry, an_occurrence(), NIGHT)
    assert takes(entry, an_occurrence(), NIGHT, ZONE)  # Saturday, half past midnight


@pytest.mark.parametrize(
    ("mode", "invert", "expected"),
    [("all", False, False), ("any", False, True), ("all", True, True), ("any", True, False)],
)
def test_mode_and_inversion(mode: str, invert: bool, expected: bool) -> None:
    entry = a_matcher("exact:host=c1", match_severity=("info",), mode=mode, invert_match=invert)

    assert takes(entry, an_occurrence(severity="error", host="c1")) is expected


@pytest.mark.parametrize("mode", ["all", "any"])
@pytest.mark.parametrize("invert", [False, True])
def test_matcher_without_rules_always_matches_even_inverted(mode: str, invert: bool) -> None:
    assert takes(a_matcher(mode=mode, invert_match=invert), an_occurrence())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("host=c1", "'host=c1' is no rule on a field. Write exact:"),
        ("exact:host", "is no rule on a field"),
        ("exact:=c1", "is no rule on a field"),
        ("glob:host=c*", "is no rule on a field"),
        ("regex:host=(", r"the pattern cannot be used: missing \)"),
        (r"regex:host=(a)\1", "the pattern cannot be used: invalid escape sequence"),
        (f"regex:host={'a' * 1_001}", "at most 1000 characters"),
        ("regex:host=a\ud800", "the pattern cannot be used"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        rules_of(a_matcher(rule))


def test_pattern_takes_time_in_proportion_to_the_text_only() -> None:
    """What would take a backtracking engine longer than the world exists."""
    told = an_occurrence(host="a" * 100_000)

    assert not takes(a_matcher("regex:host=^(a+)+$x"), told)


def test_value_that_is_no_proper_text_is_matched_all_the_same() -> None:
    assert takes(a_matcher("regex:host=^c"), an_occurrence(host="c\ud800"))
