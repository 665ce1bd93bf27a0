"""The definitions that Tocsin comes with serve the services, and CADF in general."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.event import Event
from pipeline.normalise import Normaliser, normalised_lines

from messages import CAPTURED, captured, event_of, shipped, v2


@pytest.fixture(scope="module")
def normaliser() -> Normaliser:
    return shipped()


def events(name: str, normaliser: Normaliser) -> list[Event]:
    return [
        event_of(each.body, normaliser, each.content_type, each.headers) for each in captured(name)
    ]


@pytest.mark.parametrize("name", CAPTURED)
def test_every_captured_message_becomes_an_event(name: str, normaliser: Normaliser) -> None:
    assert events(name, normaliser)
    assert normaliser.unconvertible == {}


@pytest.mark.parametrize("name", ["keystone-cadf", "keystone-basic"])
def test_a_keystone_event_says_what_was_changed(name: str, normaliser: Normaliser) -> None:
    for event in events(name, normaliser):
        made_up = event.event_type.startswith(("identity.authenticate", "identity.role_assign"))
        assert ("resource_id" in event.values) is not made_up


def test_a_keystone_audit_event_says_who_did_what_and_how_it_ended(normaliser: Normaliser) -> None:
    deleted = [
        event
        for event in events("keystone-cadf", normaliser)
        if event.event_type == "identity.user.deleted" and "initiator_id" in event.values
    ]
    assert deleted
    for event in deleted:
        assert event.values["outcome"] == "success"
        assert event.values["action"] == "deleted.user"
        assert {"initiator_name", "initiator_host_address", "user_id"} <= event.values.keys()
        assert event.values["user_id"] == event.values["initiator_id"]


def test_a_refused_password_change_has_its_reason(normaliser: Normaliser) -> None:
    """Keystone calls it a success; only the reason tells."""
    refused = [
        event
        for event in events("keystone-cadf", normaliser)
        if event.event_type == "identity.user.updated" and event.values.get("reason_code") == 400
    ]
    assert refused
    for event in refused:
        assert event.values["outcome"] == "success"
        assert "password" in str(event.values["reason"]).lower()
        assert event.values["target_id"] == event.values["resource_id"]


def test_a_login_by_an_unknown_name_has_the_name(normaliser: Normaliser) -> None:
    logins = [e for e in events("keystone-cadf", normaliser) if e.values.get("reason_code") == 401]
    assert Counter("initiator_name" in event.values for event in logins)[True] > 0


def test_a_failed_upload_has_its_reason(normaliser: Normaliser) -> None:
    uploads = [e for e in events("glance", normaliser) if e.event_type == "image.upload"]
    reasons = {e.values["priority"]: e.values.get("reason") for e in uploads}
    assert reasons["info"] is None
    assert str(reasons["error"]).startswith(("Image disk_format", "The provided image"))


def test_nova_is_understood_in_both_formats(normaliser: Normaliser) -> None:
    classic = event_of(
        v2(
            event_type="compute.instance.create.error",
            publisher_id="compute.compute-1",
            payload={"instance_id": "i", "display_name": "n", "state": "error", "vcpus": 2,
                     "message": "No valid host", "code": 500, "deleted_at": ""},
        ),
        normaliser,
    ).values  # fmt: skip
    data = {
        "uuid": "i", "display_name": "n", "state": "error", "tenant_id": "t",
        "flavor": {"nova_object.data": {"vcpus": 2}},
        "fault": {"nova_object.data": {"exception_message": "No valid host"}},
    }  # fmt: skip
    versioned = event_of(
        v2(
            event_type="instance.create.error",
            publisher_id="nova-compute:compute-1",
            payload={"nova_object.name": "InstanceCreatePayload", "nova_object.data": data},
        ),
        normaliser,
    ).values
    shared = ("resource_id", "display_name", "state", "vcpus", "reason", "host")
    assert [classic[name] for name in shared] == [
        "i",
        "n",
        "error",
        2,
        "No valid host",
        "compute-1",
    ]
    assert [versioned[name] for name in shared] == [classic[name] for name in shared]
    assert (classic["reason_code"], versioned["project_id"]) == (500, "t")


@pytest.mark.parametrize(
    ("event_type", "payload", "resource", "name"),
    [
        ("port.create.end", {"port": {"id": "1", "name": "p"}}, "1", "p"),
        ("port.create.end", {"ports": [{"id": "1", "name": "p"}, {"id": "2"}]}, "1", "p"),
        ("port.update.start", {"id": "1", "port": {"name": "p"}}, "1", "p"),
        ("port.delete.start", {"port_id": "1"}, "1", None),
        ("network.create.start", {"network": {"name": "n"}}, None, "n"),
        ("router.interface.create", {"router_interface": {"id": "1"}}, "1", None),
        ("vpnservice.update.end", {"vpnservice": {"id": "1", "name": "v"}}, "1", "v"),
    ],
)
def test_neutron_is_understood_in_every_shape(
    event_type: str,
    payload: object,
    resource: str | None,
    name: str | None,
    normaliser: Normaliser,
) -> None:
    values = event_of(v2(event_type=event_type, payload=payload), normaliser).values
    assert (values.get("resource_id"), values.get("name")) == (resource, name)
    assert values.get("count") == (2 if "ports" in str(payload) else None)


def test_cinder_is_understood(normaliser: Normaliser) -> None:
    payload = {
        "volume_id": "v", "tenant_id": "t", "user_id": "u", "size": 10, "status": "available",
        "glance_metadata": [{"key": "name", "value": "x"}, {"key": "image_id", "value": "img"}],
        "volume_attachment": [{"server_id": "i"}],
    }  # fmt: skip
    values = event_of(v2(event_type="volume.create.end", payload=payload), normaliser).values
    wanted = {"resource_id": "v", "project_id": "t", "size": 10, "image_id": "img",
              "instance_id": "i"}  # fmt: skip
    assert {name: values[name] for name in wanted} == wanted


def test_any_cadf_event_is_understood(normaliser: Normaliser) -> None:
    cadf = {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity",
        "id": "c", "eventTime": "2026-11-21T21:03:28+0000", "action": "read", "outcome": "failure",
        "initiator": {"id": "me", "name": "demo", "project_id": "p"}, "target": {"id": "it"},
        "observer": {"id": "o"}, "reason": {"reasonType": "HTTP", "reasonCode": "403"},
    }  # fmt: skip
    bare = event_of(json.dumps(cadf).encode(), normaliser)
    wrapped = event_of(v2(event_type="some.service", payload=cadf), normaliser)
    assert bare.event_type == "cadf.read"
    for name in ("action", "outcome", "initiator_id", "initiator_name", "target_id", "project_id",
                 "resource_id", "reason", "reason_code", "eventTime"):  # fmt: skip
        assert bare.values[name] == wrapped.values[name]
    assert bare.values["reason_code"] == 403


def test_lines_are_normalised_for_people_to_try_definitions(normaliser: Normaliser) -> None:
    lines = [v2(), b"", b'{"body": 7}', v2(message_id=None), b'{"body": "{}"}']
    results = list(normalised_lines(lines, normaliser))
    assert [number for number, _ in results] == [1, 3, 4, 5]
    assert [type(result).__name__ for _, result in results] == ["Event"] + ["Rejected"] * 3


def test_the_default_file_is_the_one_at_the_top() -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "pipeline/defaults/event_definitions.yaml").read_text() == (
        root / "event_definitions.yaml"
    ).read_text()
