"""Aodh: `http://` and `https://` actions get Aodh's POST, byte for byte (alarms 14, 15).

Whoever receives Aodh's callbacks today need not change anything. Beside Aodh's headers each
attempt carries the delivery's `webhook-id`, so that a receiver can drop a repeat (delivery 3),
and where there is a signing secret, a signature (delivery 7).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _text
from typing import Any
from urllib.parse import parse_qs

from pipeline.notification import Delivery, Notification, StoredData
from pipeline.targets import options
from pipeline.targets.base import HttpTarget, Tools
from pipeline.targets.http import Request
from pipeline.targets.options import SignedSchema
from pipeline.targets.signing import keys_of, signature_headers
from pipeline.tracing import trace_headers


class AodhSchema(SignedSchema):
    """The options of an Aodh receiver."""

    url = options.url(required=True)


class AodhTarget(HttpTarget):
    """Posts notifications to its URL as Aodh does."""

    schema = AodhSchema

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        own = options.get("signing_secret")
        self._keys = keys_of([own] if own else tools.settings.signing_secrets)

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The action is the URL."""
        return {"url": action}

    def request(self, delivery: Delivery) -> Request:
        """Aodh's callback."""
        url, written, sent = self._options["url"], body(delivery.notification), headers(delivery)
        if self._keys:
            now = self._tools.clock()
            sent |= signature_headers(self._keys, delivery.delivery_id, now, written)
        return Request(url, written, sent, verify=wants_verify(url))


def body(notification: Notification) -> bytes:
    """Aodh's JSON: its keys in its order, its separators, pure ASCII.

    Unlike Aodh's it is always valid JSON: a trait that is not a finite number is `null`. What is
    not told of an alarm has its kind, severity, time and fields.
    """
    alarm = notification.alarm
    if alarm is None:
        return _other_body(notification)
    reason_data = alarm.reason_data
    written = reason_data.text if isinstance(reason_data, StoredData) else _dumped(reason_data)
    # Spelled out, as it takes a quarter of the time of `json.dumps`.
    return (
        f'{{"alarm_name": {_text(alarm.alarm_name)}, "alarm_id": {_text(alarm.alarm_id)},'
        f' "severity": {_text(notification.severity)}, "previous": {_text(alarm.previous)},'
        f' "current": {_text(alarm.current)}, "reason": {_text(alarm.reason)},'
        f' "reason_data": {written}}}'
    ).encode("ascii")


def headers(delivery: Delivery) -> dict[str, str]:
    """Aodh's headers, the delivery's id, and its trace if it has one. Aodh makes a new request id
    for each call; here it stays with the delivery, so that it finds every attempt in the
    receiver's log."""
    return {
        "content-type": "application/json",
        "x-openstack-request-id": f"req-{delivery.delivery_id}",
        "webhook-id": delivery.delivery_id,
        **trace_headers(delivery.trace),
    }


@lru_cache(maxsize=4_096)
def wants_verify(action: str) -> bool | None:
    """What `?aodh-alarm-ssl-verify=` asks for; None when it does not ask.

    Only a 0 turns verification off: whoever misspells it is safe.
    """
    query = action.partition("#")[0].partition("?")[2]
    asked = parse_qs(query).get("aodh-alarm-ssl-verify")
    return asked[-1].strip() != "0" if asked else None


def _other_body(notification: Notification) -> bytes:
    fields = {
        "kind": notification.kind,
        "severity": notification.severity,
        "timestamp": notification.created_at.isoformat(),
        "fields": dict(notification.fields),
    }
    return _dumped(fields).encode("ascii")


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
