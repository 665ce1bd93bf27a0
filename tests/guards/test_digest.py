"""A digest says how many, how severe, since when, and names the first (delivery 12)."""

from __future__ import annotations

from datetime import timedelta

from pipeline.guards.digest import Gathered, digest, title_of
from pipeline.kinds import BUILTIN, check

from builders import NOON, a_notification, an_occurrence


def test_a_digest_counts_by_severity_and_names_the_first_twenty() -> None:
    told = [a_notification(alarm_name=f"disk {number}") for number in range(30)]
    gathered = Gathered({"low": 40, "critical": 2}, NOON, NOON + timedelta(minutes=1), told)
    subject = digest("mail", gathered)

    assert gathered.severity == "critical"
    assert subject.fields["count"] == 42
    assert list(subject.fields["severities"]) == ["critical", "low"]
    assert subject.fields["until"] == "2026-01-02T12:01:00+00:00"
    assert [line["title"] for line in subject.fields["notifications"]] == [
        f"disk {number}: alarm" for number in range(20)
    ]


def test_a_digest_keeps_to_the_contract_of_its_kind() -> None:
    subject = digest("mail", Gathered({"low": 1}, NOON, NOON, [a_notification()]))
    (kind,) = [kind for kind in BUILTIN if kind.id == "digest"]

    assert check(subject.fields, kind) == []


def test_what_is_no_alarm_has_a_title_too() -> None:
    assert title_of(an_occurrence("backup", job="nightly")) == "backup: nightly"
    assert title_of(an_occurrence("test")) == "test"
    assert title_of(an_occurrence("message", text="one\ntwo")) == "message: one"
