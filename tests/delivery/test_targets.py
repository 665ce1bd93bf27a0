"""What each target tells its receiver (alarms 14, 15)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.alarms.alarm import State
from pipeline.dispatch import TargetEntry
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, StoredData
from pipeline.receiver import Receiver
from pipeline.store.documents import from_json, to_json
from pipeline.targets import Targets, aodh
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.test import TestTarget

from any_message import JSON as ANY_JSON
from any_message import KEYS
from builders import NOON, a_delivery, a_notification, an_event
from delivery.receivers import PATIENCE


@dataclass
class NamedTargets:
    """One target that has a name."""

    entry: TargetEntry

    def target(self, name: str) -> TargetEntry:
        return self.entry


@pytest.fixture
def log() -> CapturingLogger:
    """What the targets log to."""
    return CapturingLogger()


@pytest.fixture
def installed(log: CapturingLogger) -> Iterator[Targets]:
    """The installed targets."""
    installed = Targets(Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, log))
    yield installed
    installed.close()


# --- every target --------------------------------------------------------------------------------


def test_tocsins_own_types_of_targets_are_installed() -> None:
    assert {"aodh", "log", "test"} <= set(targets.types())


@pytest.mark.parametrize("scheme", ["http", "log", "test", "LOG"])
def test_every_target_delivers_and_says_so(
    installed: Targets, receiver: Receiver, scheme: str
) -> None:
    action = f"{receiver.url}/hook" if scheme == "http" else f"{scheme}://"
    target = installed.for_action(action)

    assert isinstance(target.deliver(a_delivery(action)), Delivered)
    assert installed.for_action(action) is target


@pytest.mark.parametrize("action", ["htp://host/", "no url", ""])
def test_an_unknown_scheme_is_said_with_those_that_are_known(
    installed: Targets, action: str
) -> None:
    with pytest.raises(InvalidValue, match=r"Use one of .*http, https, .*log, .*test"):
        installed.for_action(action)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("ftp://u:secret@h/", r"Unsupported action ftp://u:\*\*\*@h/\. unknown action .ftp."),
        ("http://[x", r"Unable to parse action http://\[x\. url: "),
        ("https:///path", r"Unable to parse action https:///path\. url: .* names a host"),
        ("target:", r"Unsupported action target:\. No name stands behind it: write target:NAME"),
        ("targt:ci", r"Use one of .*, group, .*, target, .*Did you mean 'target'\?"),
        # Whoever deletes the target would not be told that it is still used.
        ("target: mail", "Unable to parse action target: mail. Write target:mail, no blanks."),
        ("group:all ", "Unable to parse action group:all . Write group:all, no blanks."),
    ],
)
def test_an_action_that_nothing_can_carry_out_is_refused(action: str, why: str) -> None:
    """alarms 8."""
    with pytest.raises(InvalidValue, match=why):
        targets.check_action(action)


@pytest.mark.parametrize(
    "action", ["http://h/", "https://u:p@h:8443/x?y=z", "log://", "test://", "target:a", "group:b"]
)
def test_an_action_that_can_be_carried_out_is_taken(action: str) -> None:
    """alarms 8."""
    targets.check_action(action)


def test_an_action_leads_to_the_target_of_its_name(
    receiver: Receiver, log: CapturingLogger
) -> None:
    named = NamedTargets(TargetEntry("ours", "aodh", {"url": f"{receiver.url}/a"}))
    installed = Targets(Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, log), named)
    installed.for_action("target:ours").deliver(a_delivery("target:ours"))
    named.entry = TargetEntry("ours", "aodh", {"url": f"{receiver.url}/b"})
    installed.for_action("target:ours").deliver(a_delivery("target:ours"))
    installed.close()

    assert [callback.path for callback in receiver.callbacks] == ["/a", "/b"]


def test_a_name_that_no_target_has_is_said(installed: Targets) -> None:
    with pytest.raises(InvalidValue, match="Target nobody not found"):
        installed.for_action("target:nobody")


def test_what_still_waits_for_a_disabled_target_is_not_delivered(
    receiver: Receiver, log: CapturingLogger
) -> None:
    """notifications 12, pains: disabled targets are silent."""
    entry = TargetEntry("ours", "aodh", {"url": receiver.url}, disable=True)
    installed = Targets(
        Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, log), NamedTargets(entry)
    )

    with pytest.raises(InvalidValue, match="target ours is disabled"):
        installed.for_action("target:ours")
    installed.close()


# --- http and https ------------------------------------------------------------------------------


def _a_fixed_delivery(action: str) -> Delivery:
    event = an_event(message_id="m-1", user="zoë", count=2**70, ratio=0.5)
    told = a_notification(
        alarm_id="a-1",
        alarm_name='quoted "name"',
        severity="moderate",
        previous=State.INSUFFICIENT_DATA,
        current=State.ALARM,
        reason="Event <id=m-1,event_type=identity.user.deleted> hits the query <query=[]>.",
        reason_data={"type": "event", "event": event.as_dict()},
    )
    return a_delivery(action, delivery_id="d-1", notification=told)


def test_a_callback_is_aodhs_byte_for_byte(installed: Targets, receiver: Receiver) -> None:
    """alarms 12, 14."""
    action = f"{receiver.url}/hook?a=b%20c"
    installed.for_action(action).deliver(_a_fixed_delivery(action))

    (callback,) = receiver.callbacks
    assert (callback.method, callback.path) == ("POST", "/hook?a=b%20c")
    assert callback.headers["content-type"] == "application/json"
    assert callback.body == (
        b'{"alarm_name": "quoted \\"name\\"", "alarm_id": "a-1", "severity": "moderate",'
        b' "previous": "insufficient data", "current": "alarm",'
        b' "reason": "Event <id=m-1,event_type=identity.user.deleted> hits the query'
        b' <query=[]>.", "reason_data": {"type": "event", "event": {"message_id": "m-1",'
        b' "event_type": "identity.user.deleted", "generated": "2026-01-02T12:00:00",'
        b' "traits": [["user", 1, "zo\\u00eb"], ["count", 2, 1180591620717411303424],'
        b' ["ratio", 3, 0.5]], "raw": {}}}}'
    )


def test_every_attempt_of_a_delivery_is_the_same_request(
    installed: Targets, receiver: Receiver
) -> None:
    """delivery 3: each attempt carries the same `webhook-id`."""
    delivery = a_delivery(receiver.url)
    for _ in range(2):
        installed.for_action(receiver.url).deliver(delivery)

    first, second = receiver.callbacks
    assert first == second
    assert first.headers["webhook-id"] == delivery.delivery_id
    assert first.headers["x-openstack-request-id"] == f"req-{delivery.delivery_id}"


def test_a_number_that_json_does_not_know_is_null() -> None:
    told = a_notification(
        reason_data={"a": float("nan"), "b": [float("inf"), {"c": -float("inf")}], "d": 1.5}
    )
    body = json.loads(aodh.body(told), parse_constant=pytest.fail)

    assert body["reason_data"] == {"a": None, "b": [None, {"c": None}], "d": 1.5}


@given(reason_data=st.dictionaries(KEYS, ANY_JSON, max_size=4), name=st.text())
def test_any_notification_has_a_body_of_valid_ascii_json(
    reason_data: dict[str, Any], name: str
) -> None:
    body = aodh.body(a_notification(reason_data=reason_data, alarm_name=name))

    assert body.isascii()
    assert json.loads(body, parse_constant=pytest.fail)["alarm_name"] == name


@given(reason_data=st.dictionaries(KEYS, ANY_JSON, max_size=4))
def test_reason_data_stands_in_the_body_as_it_was_stored(reason_data: dict[str, Any]) -> None:
    """alarms 14: byte for byte what Aodh's `json.dumps` makes of it."""
    text = to_json({"type": "event", **reason_data}, dumped=True)
    read = a_notification(reason_data=from_json(text))
    assert read.alarm is not None
    stored = replace(read, subject=replace(read.alarm, reason_data=StoredData(text, from_json)))

    assert aodh.body(stored) == aodh.body(read)
    assert stored == read


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("https://h/", None),
        ("https://h/?aodh-alarm-ssl-verify=0", False),
        ("https://h/?aodh-alarm-ssl-verify=1", True),
        ("https://h/?x=1&aodh-alarm-ssl-verify=0#f", False),
        ("https://h/?aodh-alarm-ssl-verify=0&aodh-alarm-ssl-verify=1", True),
        ("https://h/?aodh-alarm-ssl-verify=", None),
        ("https://h/?aodh-alarm-ssl-verify=no", True),
        ("https://h/#?aodh-alarm-ssl-verify=0", None),
    ],
)
def test_an_action_says_whether_to_verify(action: str, wanted: bool | None) -> None:
    """alarms 15: whoever misspells it is on the safe side."""
    assert aodh.wants_verify(action) is wanted


# --- log and test --------------------------------------------------------------------------------


def test_log_writes_the_notification_without_secrets(
    installed: Targets, log: CapturingLogger
) -> None:
    delivery = a_delivery("log://user:hunter22@x/?token=abcd")
    installed.for_action("log://").deliver(delivery)

    (call,) = log.calls
    assert (call.method_name, call.args) == ("info", ("notification",))
    assert delivery.notification.alarm is not None
    assert call.kwargs["alarm_name"] == delivery.notification.alarm.alarm_name
    assert call.kwargs["reason"] == delivery.notification.alarm.reason
    assert call.kwargs["current"] == "alarm"
    assert call.kwargs["action"] == "log://user:***@x/?token=***"


def test_test_keeps_what_it_was_given(installed: Targets) -> None:
    target = installed.for_action("test://")
    delivery = a_delivery("test://")
    target.deliver(delivery)

    assert isinstance(target, TestTarget)
    assert list(target.received) == [delivery]
