"""A notification reaches whom it should, once, and it can be told why it does not reach others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.alarms.alarm import Severity
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.builtins import BUILTINS
from pipeline.dispatch.explain import explain
from pipeline.dispatch.plan import Plan, plan
from pipeline.dispatch.routing import Routing
from pipeline.kinds import BUILTIN, Kind, Kinds, Policy
from pipeline.notification import Notification

from builders import NOON, a_notification, an_occurrence

URL = "https://receiver.example/hook"
MAIL, PHONE = TargetEntry("mail", "smtp"), TargetEntry("phone", "gotify")
URGENT = FilterEntry("urgent", "error")
ADMINS = GroupEntry("admins", ("mail", "phone"))
ALL_TO_MAIL = MatcherEntry("all-to-mail", ("mail",))


def an_alarm_told(severity: Severity = Severity.CRITICAL, **changes: Any) -> Notification:
    return a_notification(severity=severity.value, **changes)


def planned(
    notification: Notification,
    *entries: Any,
    actions: tuple[str, ...] = (),
    kinds: Kinds | None = None,
) -> Plan:
    named = {entry.name: entry for entry in (*BUILTINS.values(), *entries)}
    return plan(notification, actions, Routing(named.values(), kinds or Kinds(BUILTIN)), NOON)


def actions(*args: Any, **options: Any) -> tuple[str, ...]:
    return planned(*args, **options).actions


def test_alarms_own_actions_are_always_carried_out() -> None:
    told = an_alarm_told(Severity.LOW)

    assert actions(told, MAIL, actions=(URL, "target:mail")) == (URL, "target:mail")


def test_group_is_all_its_targets() -> None:
    told = an_alarm_told()

    assert actions(told, MAIL, PHONE, ADMINS, actions=("group:admins",)) == (
        "target:mail",
        "target:phone",
    )


def test_target_gets_a_notification_once_however_many_ways_lead_there() -> None:
    told = an_alarm_told()
    also = MatcherEntry("also", ("admins", "mail"))

    found = actions(
        told, MAIL, PHONE, ADMINS, ALL_TO_MAIL, also, actions=("Target:mail", "group:admins")
    )

    assert found == ("target:mail", "target:phone")


@pytest.mark.parametrize("way", ["own", "group", "matcher"])
def test_disabled_target_is_silent(way: str) -> None:
    off = replace(MAIL, disable=True)
    own = {"own": ("target:mail",), "group": ("group:admins",), "matcher": ()}[way]
    group = GroupEntry("admins", ("mail",))

    assert actions(an_alarm_told(), off, group, ALL_TO_MAIL, actions=own) == ()


def test_disabled_group_matcher_and_filter_do_nothing() -> None:
    group = replace(ADMINS, disable=True)
    matcher = replace(ALL_TO_MAIL, disable=True)
    held = replace(PHONE, filter="urgent")
    filter = replace(URGENT, disable=True)
    told = an_occurrence("maintenance", "info")

    assert actions(told, MAIL, group, matcher, actions=("group:admins",)) == ()
    assert actions(told, held, filter, actions=("target:phone",)) == ("target:phone",)


def test_filters_of_target_and_group_hold() -> None:
    held = replace(PHONE, filter="urgent")
    group = replace(ADMINS, filter="urgent")
    low, high = an_alarm_told(Severity.MODERATE), an_alarm_told(Severity.CRITICAL)

    entries = (MAIL, held, URGENT, ADMINS)
    assert actions(low, *entries, actions=("group:admins",)) == ("target:mail",)
    assert actions(high, *entries, actions=("group:admins",)) == ("target:mail", "target:phone")
    assert actions(low, MAIL, PHONE, URGENT, group, actions=("group:admins",)) == ()


def test_what_has_no_known_severity_passes_no_filter() -> None:
    held = replace(PHONE, filter="urgent")

    assert (
        actions(an_occurrence(severity="unknown"), held, URGENT, actions=("target:phone",)) == ()
    )


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.MODERATE, ()), (Severity.CRITICAL, ("target:mail-to-root",))],
)
def test_built_in_matcher_takes_only_grave_alarms(severity: Severity, expected: Any) -> None:
    """Who comes from Aodh has alarms without actions; they are no news to root."""
    assert actions(an_alarm_told(severity)) == expected


@pytest.mark.parametrize("severity", list(Severity))
def test_matchers_see_every_alarm(severity: Severity) -> None:
    assert actions(an_alarm_told(severity), MAIL, ALL_TO_MAIL) == ("target:mail",)


@pytest.mark.parametrize(
    ("policy", "severity", "expected"),
    [
        (Policy.ALWAYS, "info", True),
        (Policy.ALWAYS, "unknown", True),
        (Policy.AUTO, "warning", False),
        (Policy.AUTO, "error", True),
        (Policy.AUTO, "unknown", False),
        (Policy.NEVER, "critical", False),
    ],
)
def test_policy_of_the_kind_holds(policy: Policy, severity: str, expected: bool) -> None:
    kinds = Kinds([Kind("backup", policy=policy, target="phone")])
    told = an_occurrence("backup", severity)

    found = actions(told, MAIL, PHONE, ALL_TO_MAIL, kinds=kinds)

    assert found == (("target:phone", "target:mail") if expected else ())


def test_built_in_matcher_takes_what_nothing_else_takes() -> None:
    told = an_occurrence("maintenance", "info")
    others = MatcherEntry("others", ("mail",), match_field=("exact:kind=backup",))

    assert actions(told) == ("target:mail-to-root",)
    assert actions(told, MAIL, others) == ("target:mail-to-root",)


def test_built_in_matcher_leaves_alone_what_anything_else_takes() -> None:
    told = an_occurrence("maintenance", "info")
    to_nobody = MatcherEntry("to-nobody")
    off = replace(MAIL, disable=True)
    kinds = Kinds([Kind("maintenance", target="phone")])

    assert actions(told, MAIL, ALL_TO_MAIL) == ("target:mail",)
    assert actions(told, to_nobody) == ()
    assert actions(told, off, ALL_TO_MAIL) == ()
    assert actions(told, PHONE, kinds=kinds) == ("target:phone",)
    assert actions(an_alarm_told(), actions=(URL,)) == (URL,)


def test_built_in_matcher_minds_the_policy_and_what_was_made_of_it() -> None:
    changed = MatcherEntry("default-matcher", ("mail",), match_severity=("error",))
    off = MatcherEntry("default-matcher", ("mail-to-root",), disable=True)

    assert actions(an_alarm_told(Severity.LOW)) == ()
    assert actions(an_alarm_told(Severity.CRITICAL)) == ("target:mail-to-root",)
    assert actions(an_occurrence("backup", "error"), MAIL, changed) == ("target:mail",)
    assert actions(an_occurrence("message", "info"), MAIL, changed) == ()
    assert actions(an_alarm_told(), off) == ()


def test_target_that_does_not_exist_is_delivered_to_and_told_of() -> None:
    found = planned(an_alarm_told(), actions=("target:gone", URL))

    assert found.actions == ("target:gone", URL)
    assert found.problems == ("the alarm leads to target:gone, which does not exist",)


def test_group_that_does_not_exist_is_told_of() -> None:
    found = planned(an_alarm_told(), actions=("group:gone", URL))

    assert found.actions == (URL,)
    assert found.problems == ("the alarm leads to 'gone', which is neither a target nor a group",)


def test_matcher_that_cannot_be_used_is_named_and_the_others_go_on() -> None:
    broken = MatcherEntry("broken", ("phone",), match_field=("regex:host=(",))
    routing = Routing([MAIL, PHONE, broken, ALL_TO_MAIL])

    assert plan(an_alarm_told(), (), routing, NOON).actions == ("target:mail",)
    assert "the pattern cannot be used" in routing.broken["broken"]


def test_explanation_says_of_every_matcher_and_target_why() -> None:
    entries = (
        MAIL,
        replace(PHONE, filter="wake"),
        TargetEntry("idle", "log"),
        TargetEntry("off", "log", disable=True),
        FilterEntry("wake", "critical"),
        MatcherEntry("nights", ("phone",), match_calendar=("22-6",)),
        MatcherEntry("named", ("phone", "off"), match_field=("exact:job=nightly",)),
        MatcherEntry("inverted", ("mail",), match_severity=("info",), invert_match=True),
    )
    routing = Routing((*BUILTINS.values(), *entries))

    found = explain(an_occurrence("backup", "error", job="nightly"), (), routing, NOON)

    assert (found.policy.taken, found.policy.reason) == (
        True,
        "the policy is auto, the severity error",
    )
    assert {each.name: (each.taken, each.reason) for each in found.matchers} == {
        "inverted": (True, "severity info does not hold: the severity is error (inverted)"),
        "named": (True, "exact:job=nightly holds: job is 'nightly'"),
        "nights": (False, "calendar 22-6 does not hold: it is fri 12:00"),
        "default-matcher": (False, "it is asked only where no other matcher matches"),
    }
    assert {each.name: (each.taken, each.reason) for each in found.targets} == {
        "target:mail": (True, "matcher inverted"),
        "target:phone": (
            False,
            "target phone has filter wake: at least critical (matcher named)",
        ),
        "target:off": (False, "target off is disabled (matcher named)"),
        "target:idle": (False, "nothing leads to it"),
        "target:mail-to-root": (False, "nothing leads to it"),
    }
