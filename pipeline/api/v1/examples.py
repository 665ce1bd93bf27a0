"""Examples for the OpenAPI description: bodies that can be sent as they stand, and answers.

A test sends every body, in this order, and holds every answer against its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

_EVENT: Final = {
    "message_id": "4fd53957-38d6-4ed4-9d7d-05924e45b7a2",
    "event_type": "identity.user.deleted",
    "generated": "2026-03-01T21:59:58.204000",
    "traits": [["outcome", 1, "success"], ["initiator_id", 1, "0d6f1a8be1f24c7c"]],
    "raw": {},
}
_ALARM: Final = {
    "name": "user deleted",
    "severity": "critical",
    "event_rule": {
        "event_type": "identity.user.deleted",
        "query": [{"field": "traits.outcome", "op": "eq", "value": "success"}],
    },
    "alarm_actions": ["target:phone"],
}

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_filter": {"name": "urgent", "min-severity": "error"},
    "change_filter": {"min-severity": "critical"},
    "create_target": {
        "name": "phone",
        "type": "gotify",
        "server": "https://gotify.example",
        "token": "AbCdEf0123456",
        "filter": "urgent",
        "comment": "Who is on call.",
    },
    "change_target": {"disable": False, "guards": {"rate-limit": "10/minute"}},
    "test_target": {"message": _EVENT},
    "enable_receiver": {"receiver": "https://gotify.example"},
    "create_group": {"name": "admins", "target": ["phone", "mail-to-root"]},
    "change_group": {"comment": "All who have the keys."},
    "create_matcher": {
        "name": "nights",
        "match-calendar": ["mon-fri 22-6", "sat,sun"],
        "match-severity": ["critical"],
        "target": ["admins"],
    },
    "change_matcher": {"match-field": ["exact:host=db-1,db-2"], "mode": "any"},
    "create_alarm": _ALARM,
    "create_alarms": {
        "alarms": [
            {"name": "node down", "event_rule": {"event_type": "compute.node.down"}},
            {"name": "disk full", "event_rule": {"event_type": "storage.disk.full"}},
        ]
    },
    "change_alarm": {"severity": "moderate"},
    "set_state": {"state": "ok"},
    "explain_routes": {"message": _EVENT},
    "send_notification": {
        "kind": "backup",
        "severity": "error",
        "fields": {"job": "nightly", "status": "failed", "size": "17GiB", "duration": "12m 34s"},
        "targets": ["admins"],
    },
    "preview_template": {
        "kind": "maintenance",
        "format": "markdown",
        "fields": {"summary": "New switches"},
    },
    "apply_files": {
        "files": [
            {
                "name": "filters.yaml",
                "text": "filters:\n  - {name: urgent, min-severity: error}\n",
            }
        ],
        "dry_run": True,
    },
}
"""A body by the operation's id."""

_TARGET: Final = {
    "name": "phone",
    "type": "gotify",
    "server": "https://gotify.example",
    "token": "***",
    "filter": "urgent",
    "comment": "Who is on call.",
    "disable": False,
    "origin": "user-created",
    "digest": "1f0c93a2b4d85e67",
}

ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_target": _TARGET,
    "show_target": _TARGET,
    "test_target": {
        "target": "phone",
        "outcome": "failed",
        "status": 503,
        "reason": "the receiver answered 503",
        "seconds": 0.184,
        "response_head": "Service Unavailable",
    },
    "enable_target": {"receiver": "target:phone", "enabled": True},
    "enable_receiver": {"receiver": "https://gotify.example", "enabled": False},
    "set_state": {"state": "ok"},
    "explain_routes": {
        "alarm": None,
        "notifications": [
            {
                "alarm": "user deleted",
                "policy": {
                    "name": "alarm-transition",
                    "takes": True,
                    "why": "the policy is always, the severity critical",
                },
                "matchers": [
                    {
                        "name": "nights",
                        "takes": False,
                        "why": "calendar mon-fri 22-6 or sat,sun does not hold: it is tue 14:05",
                    }
                ],
                "targets": [{"name": "target:phone", "takes": True, "why": "the alarm"}],
                "problems": [],
            }
        ],
    },
    "send_notification": {
        "notification_id": "9d8d5d7b-7f3e-4a0e-9f51-6f3f3d5a1f0e",
        "actions": ["target:phone"],
        "nobody": "",
    },
    "preview_template": {
        "title": "Maintenance: New switches",
        "body": "## New switches\n…",
        "failures": [],
    },
    "apply_files": {
        "changes": [
            {
                "kind": "filter",
                "name": "urgent",
                "change": "create",
                "diff": ["--- nothing", "+++ filter urgent", "@@ -0,0 +1,2 @@", "+name: urgent",
                         "+min-severity: error"],
            }
        ],
        "unchanged": 0,
    },
}  # fmt: skip
"""An answer by the operation's id."""

ERRORS: Final[Mapping[HTTPStatus, Mapping[str, Any]]] = {
    HTTPStatus.BAD_REQUEST: {
        "detail": "severty: Unknown attribute: severty. Did you mean 'severity'?",
        "errors": [
            {
                "field": "severty",
                "detail": "Unknown attribute: severty. Did you mean 'severity'?",
            }
        ],
    },
    HTTPStatus.UNAUTHORIZED: {"detail": "show who you are: Authorization: Bearer TOKEN."},
    HTTPStatus.FORBIDDEN: {"detail": "the role audit may not modify. It takes admin."},
    HTTPStatus.NOT_FOUND: {"detail": "Target phon not found. Did you mean 'phone'?"},
    HTTPStatus.CONFLICT: {"detail": "urgent is referenced by target phone."},
    HTTPStatus.PRECONDITION_FAILED: {"detail": "phone has been changed meanwhile. Read it again."},
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"detail": "The data value is larger than allowed."},
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: {
        "detail": "send JSON, with Content-Type: application/json."
    },
    HTTPStatus.TOO_MANY_REQUESTS: {"detail": "too many requests came from you. Wait a little."},
    HTTPStatus.SERVICE_UNAVAILABLE: {"detail": "the database cannot be reached."},
}
"""The rest of a problem document, by its status."""
