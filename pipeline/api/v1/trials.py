"""/v1/alarms/…/explain and /v1/alarms/test: alarms tried out on events; nothing is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from pipeline.access import Permission
from pipeline.alarms.schema import flat
from pipeline.api.v1.blueprint import Blueprint, desk
from pipeline.api.v1.trial_schemas import (
    MOST_EVENTS,
    ExplainIn,
    ExplanationOut,
    TrialIn,
    TrialOut,
)
from pipeline.desk import Document
from pipeline.errors import InvalidValue
from pipeline.past import Content, Reference

_WAYS = ("event_id", "event", "file")


def blueprint() -> Blueprint:
    """The operations that try alarms out."""
    trials = Blueprint("trials", __name__, description="Alarms tried out on events.")

    @trials.operation(
        "POST",
        "/v1/alarms/<alarm>/explain",
        Permission.AUDIT,
        body="ExplainIn",
        gives=ExplanationOut,
    )
    def explain_alarm(alarm: str, body: Mapping[str, Any]) -> Document:
        """Explain why an alarm does or does not fire on an event"""
        sent = _loaded(ExplainIn(), body)
        return desk().trials.explain(alarm, _reference(sent), sent.get("at"))

    @trials.operation("POST", "/v1/alarms/test", Permission.AUDIT, body="TrialIn", gives=TrialOut)
    def test_alarms(body: Mapping[str, Any]) -> Document:
        """Say on which events alarms would have fired; the alarms are not made"""
        sent = _loaded(TrialIn(), body)
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


def _loaded(schema: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent. Raises `InvalidValue` with all that is wrong with it."""
    try:
        loaded: dict[str, Any] = schema.load(dict(body))
    except ValidationError as error:
        problems = list(flat(error.messages_dict))
        text = "; ".join(f"{name}: {each}" if name else each for name, each in problems)
        raise InvalidValue(text, problems[0][0] or None, error.messages_dict) from error
    return loaded


def _reference(sent: Mapping[str, Any]) -> Reference:
    given = [name for name in _WAYS if name in sent]
    if len(given) != 1:
        message = f"say which event, by just one of {', '.join(_WAYS)}."
        raise InvalidValue(message, given[-1] if given else "event_id")
    match given[0]:
        case "event":
            return Content("event", _text(sent["event"]))
        case "file":
            return Content(sent["file"]["name"], sent["file"]["text"])
    return str(sent["event_id"])


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
