"""/v1/alarms/…/explain and /v1/alarms/test: alarms tried out on events; nothing is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.access import Permission
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.references import needed_reference
from pipeline.api.v1.schemas import loaded
from pipeline.api.v1.trial_schemas import (
    MOST_EVENTS,
    ExplainAlarmIn,
    ExplanationOut,
    TrialIn,
    TrialOut,
)
from pipeline.desk import Document
from pipeline.errors import InvalidValue


def blueprint() -> Blueprint:
    """The operations that try alarms out."""
    trials = Blueprint("trials", __name__, description="Alarms tried out on events.")

    @trials.operation(
        "POST",
        "/v1/alarms/<alarm>/explain",
        Permission.AUDIT,
        body="ExplainAlarmIn",
        gives=ExplanationOut,
    )
    def explain_alarm(alarm: str, body: Mapping[str, Any]) -> Document:
        """Explain why an alarm does or does not fire on an event"""
        sent = loaded(ExplainAlarmIn, body)
        return desk().trials.explain(alarm, needed_reference(sent), sent.get("at"))

    @trials.operation("POST", "/v1/alarms/test", Permission.AUDIT, body="TrialIn", gives=TrialOut)
    def test_alarms(body: Mapping[str, Any]) -> Document:
        """Say on which events alarms would have fired; the alarms are not made"""
        sent = loaded(TrialIn, body)
        events = sent.get("events")
        return desk().trials.test(
            sent["alarms"],
            None if events is None else map(_line, events),
            since=sent.get("since"),
            until=sent.get("until"),
            newest=sent["newest"],
            most=MOST_EVENTS,
        )

    return trials


def _line(event: Any) -> bytes:
    """An event as it would stand in a file."""
    try:
        return _text(event).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidValue("events: one of the texts is none in UTF-8.", "events") from error


def _text(event: Any) -> str:
    try:
        return event if isinstance(event, str) else json.dumps(event)
    except RecursionError as error:
        raise InvalidValue("an event is nested too deeply to be looked at.", "event") from error
