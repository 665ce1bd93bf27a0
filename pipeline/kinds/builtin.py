"""The kinds of notifications that Tocsin comes with.

Those that tell of what is expected, or of every step on the way to what matters, are off by
default (notifications 20): a file of kinds turns them on. The others that are no errors are
always told: who sends a maintenance notice wants it read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.kinds.kind import Field, Kind, Policy
from pipeline.notification import ALARM_REPEAT, ALARM_TRANSITION


def _needed(type: str, description: str) -> Field:
    return Field(type, True, description)


def _optional(type: str, description: str) -> Field:
    return Field(type, False, description)


_ALARM: Mapping[str, Field] = {
    "alarm_id": _needed("text", "The id of the alarm."),
    "alarm_name": _needed("text", "Its name."),
    "previous": _needed("text", "The state that it was in."),
    "current": _needed("text", "The state that it is in now."),
    "reason": _needed("text", "Why, in words."),
    "event_type": _optional("text", "The type of the event that caused it."),
    "message_id": _optional("text", "The id of that event."),
    "generated": _optional("text", "When that event happened."),
    "traits": _optional("object", "The traits of that event."),
}

_ALARM_EXAMPLE: Mapping[str, Any] = {
    "alarm_id": "8ab1c1f5-8a0f-4a6c-9a8b-3f6f2f0f6f11",
    "alarm_name": "user deleted",
    "previous": "insufficient data",
    "current": "alarm",
    "reason": "Event <id=4fd53957-38d6-4ed4-9d7d-05924e45b7a2,event_type=identity.user.deleted> "
    'hits the query <query=[{"field": "traits.project_id", "op": "eq", "type": "", '
    '"value": "c1a2f3d4e5b64718"}]>.',
    "event_type": "identity.user.deleted",
    "message_id": "4fd53957-38d6-4ed4-9d7d-05924e45b7a2",
    "generated": "2026-03-01T21:59:58.204000",
    "traits": {
        "service": "identity.keystone-1",
        "project_id": "c1a2f3d4e5b64718",
        "initiator_id": "0d6f1a8be1f24c7c",
        "target_id": "b8a3d1c7e9f04f52",
        "outcome": "success",
    },
}

BUILTIN: tuple[Kind, ...] = (
    Kind(
        ALARM_TRANSITION,
        "An alarm has changed its state.",
        "low",
        Policy.ALWAYS,
        _ALARM,
        example=_ALARM_EXAMPLE,
        builtin=True,
    ),
    Kind(
        ALARM_REPEAT,
        "An alarm that repeats its actions has fired again.",
        "low",
        Policy.ALWAYS,
        _ALARM,
        example={**_ALARM_EXAMPLE, "previous": "alarm"},
        builtin=True,
    ),
    Kind(
        "digest",
        "Notifications that came too fast for their target, told together.",
        "notice",
        Policy.ALWAYS,
        {
            "count": _needed("integer", "How many are told."),
            "target": _optional("text", "The target that they were for."),
            "since": _optional("time", "When the first of them was made."),
            "until": _optional("time", "When the last of them was made."),
            "notifications": _optional(
                "list", "Some of them, each with title, severity, kind and created_at."
            ),
            "severities": _optional("object", "How many there are of each severity."),
        },
        example={
            "count": 128,
            "target": "mail-admins",
            "since": "2026-03-01T21:58:00+00:00",
            "until": "2026-03-01T22:00:00+00:00",
            "severities": {"critical": 2, "moderate": 120, "low": 6},
            "notifications": [
                {
                    "title": "disk full on storage-7: alarm",
                    "severity": "critical",
                    "kind": ALARM_TRANSITION,
                    "created_at": "2026-03-01T21:58:00+00:00",
                },
                {
                    "title": "user deleted: alarm",
                    "severity": "low",
                    "kind": ALARM_TRANSITION,
                    "created_at": "2026-03-01T21:59:58+00:00",
                },
            ],
        },
        builtin=True,
    ),
    Kind(
        "test",
        "A test of a target: somebody asked for it.",
        "info",
        Policy.ALWAYS,
        {
            "target": _optional("text", "The target that is tried."),
            "text": _optional("text", "What else is to be said."),
        },
        extra_fields=True,
        example={"target": "mail-admins"},
        builtin=True,
    ),
    Kind(
        "message",
        "Whatever a script has to say.",
        "info",
        Policy.ALWAYS,
        {
            "text": _needed("text", "What is told; it may have several lines."),
            "title": _optional("text", "Its title; without one, the first line of the text."),
        },
        extra_fields=True,
        example={
            "title": "Nightly import done",
            "text": "4,212 rows in 3 minutes.",
            "host": "db-2",
        },
        builtin=True,
    ),
    Kind(
        "target-disabled",
        "A target is told nothing any more: it failed for too long, or wants nothing from us.",
        "error",
        Policy.AUTO,
        {
            "target": _needed("text", "The target, or the receiver of an alarm's action."),
            "reason": _needed("text", "Why it was disabled."),
            "failing_since": _optional("time", "Since when it took nothing."),
            "last_error": _optional("text", "What its last failure was."),
            "waiting": _optional("integer", "How many deliveries wait for it."),
        },
        extra_fields=True,
        example={
            "target": "https://receiver.example:8443",
            "reason": "It only failed for 5 days.",
            "failing_since": "2026-02-24T22:00:00+00:00",
            "last_error": "503 Service Unavailable",
            "waiting": 12,
        },
        builtin=True,
    ),
    Kind(
        "target-recovered",
        "A target that was spared takes notifications again.",
        "notice",
        Policy.NEVER,
        {
            "target": _needed("text", "The target, or the receiver of an alarm's action."),
            "failing_since": _optional("time", "Since when it had failed."),
        },
        extra_fields=True,
        example={"target": "mail-admins", "failing_since": "2026-03-01T21:31:00+00:00"},
        builtin=True,
    ),
    Kind(
        "dead-letter",
        "A delivery was given up; `tocsin dead-letter list` has it.",
        "warning",
        Policy.NEVER,
        {
            "target": _needed("text", "The target, or the receiver of an alarm's action."),
            "delivery_id": _needed("text", "The id of the delivery."),
            "reason": _needed("text", "Why it was given up."),
            "title": _optional("text", "The title of what could not be told."),
            "attempts": _optional("integer", "How often it was tried."),
        },
        extra_fields=True,
        example={
            "target": "https://receiver.example:8443",
            "delivery_id": "0b9a6e0e-7d1c-4c43-93a6-1c4a1c9f2d11",
            "reason": "404 Not Found",
            "title": "user deleted: alarm",
            "attempts": 1,
        },
        builtin=True,
    ),
    Kind(
        "certificate-expiry",
        "A certificate is about to expire, or has expired.",
        "warning",
        Policy.ALWAYS,
        {
            "subject": _needed("text", "Whose certificate it is: a host name, or its subject."),
            "expires_at": _needed("time", "When it expires."),
            "days_left": _optional("integer", "In how many days that is; less than 0: it has."),
            "issuer": _optional("text", "Who issued it."),
            "serial": _optional("text", "Its serial number."),
            "location": _optional("text", "Where it is in use: a file, or host and port."),
            "renewal": _optional("text", "How it is renewed, or why that failed."),
        },
        extra_fields=True,
        example={
            "subject": "mail.example",
            "expires_at": "2026-03-14T09:30:00+00:00",
            "days_left": 12,
            "issuer": "Example Issuing CA 2",
            "location": "mail.example:465",
        },
        builtin=True,
    ),
    Kind(
        "maintenance",
        "Work on a service: planned, begun, finished or put off.",
        "info",
        Policy.ALWAYS,
        {
            "summary": _needed("text", "What is done, in one line."),
            "status": _optional("text", "planned, started, finished or cancelled."),
            "starts_at": _optional("time", "When it begins."),
            "ends_at": _optional("time", "When it ends."),
            "affected": _optional("list", "What cannot be used meanwhile, or only in part."),
            "details": _optional("text", "More to say; it may have several lines."),
            "contact": _optional("text", "Whom to ask."),
        },
        extra_fields=True,
        example={
            "summary": "Storage cluster moves to new switches",
            "status": "planned",
            "starts_at": "2026-03-07T20:00:00+00:00",
            "ends_at": "2026-03-07T23:30:00+00:00",
            "affected": ["volumes of zone B", "snapshots"],
            "details": "Instances go on running. Volumes of zone B may pause for 30 seconds.",
            "contact": "storage@example.org",
        },
        builtin=True,
    ),
    Kind(
        "backup",
        "A backup has ended. Those that went well are info: only failures are told.",
        "info",
        Policy.AUTO,
        {
            "job": _needed("text", "What was to be backed up, or the name of the job."),
            "status": _needed("text", "success, or what went wrong in a word."),
            "host": _optional("text", "Where it ran."),
            "started_at": _optional("time", "When it began."),
            "duration": _optional("duration", "How long it took."),
            "size": _optional("bytes", "How much was written."),
            "log": _optional("text", "What it said."),
        },
        extra_fields=True,
        example={
            "job": "databases, nightly",
            "status": "failed",
            "host": "backup-1",
            "started_at": "2026-03-01T01:00:00+00:00",
            "duration": 754,
            "size": 18_253_611_008,
            "log": "pg_dump: error: connection to server at db-2 failed: Connection refused",
        },
        builtin=True,
    ),
    Kind(
        "package-updates",
        "Updates of packages can be installed.",
        "info",
        Policy.NEVER,
        {
            "host": _needed("text", "Where."),
            "updates": _needed("list", "Each with name, old and new version, or just its name."),
        },
        extra_fields=True,
        example={
            "host": "compute-12",
            "updates": [
                {"name": "openssl", "old": "3.0.15-1", "new": "3.0.16-1"},
                {"name": "linux-image-amd64", "old": "6.1.124-1", "new": "6.1.128-1"},
            ],
        },
        builtin=True,
    ),
)
