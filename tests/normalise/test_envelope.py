"""Every format of message is opened, and what cannot be understood is rejected with its reason."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.envelope import decoding
from pipeline.envelope.opening import MESSAGE_ID_LIMIT

from messages import a_notification, captured, enveloped, opened, reason, v1, v2


def test_both_envelopes_of_oslo_give_the_same() -> None:
    """events-in 1"""
    assert opened(v1()) == opened(v2())


def test_a_notification_is_seen_as_field_paths_expect_it() -> None:
    """events-in 2"""
    envelope = opened(v2(_context_request_id="req-1", _context_roles=["admin"]))
    assert envelope.document == {
        "priority": "info",
        "event_type": "identity.user.deleted",
        "publisher_id": "identity.keystone-1",
        "payload": {"resource_info": "u1"},
        "ctxt": {"request_id": "req-1", "roles": ["admin"]},
        "metadata": {
            "message_id": "5ab1a2b0-9a52-4e0c-8d4b-0f6a2f6f9f5e",
            "timestamp": "2026-11-21 21:07:45.253076",
        },
    }
    assert envelope.generated == datetime(2026, 11, 21, 21, 7, 45, 253076, UTC)
    assert (envelope.priority, envelope.publisher_id) == ("info", "identity.keystone-1")


def test_a_newer_minor_version_is_read() -> None:
    message = json.dumps(a_notification())
    body = json.dumps({"oslo.version": "2.7", "oslo.message": message}).encode()
    assert opened(body) == opened(v2())


@pytest.mark.parametrize("version", ["1.0", "3.0", "23.0", "", None, 1, [2]])
def test_an_unknown_major_version_is_rejected(version: Any) -> None:
    """events-in 1: quarantined, never dropped"""
    body = json.dumps({"oslo.version": version, "oslo.message": "{}"}).encode()
    assert f"oslo.version {version!r}" in reason(body)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"message_id": None}, "no `message_id`"),
        ({"message_id": ""}, "no `message_id`"),
        ({"message_id": ["a"]}, "`message_id` is an array"),
        ({"message_id": "x" * (MESSAGE_ID_LIMIT + 1)}, "513 characters; at most 512"),
        ({"event_type": {}}, "`event_type` is an object"),
        ({"publisher_id": []}, "`publisher_id` is an array"),
        ({"timestamp": None}, "no `timestamp`"),
        ({"timestamp": "2014-05-1510: 24: 56.3"}, "'2014-05-1510: 24: 56.3'"),
        ({"timestamp": 1234567890}, "`timestamp` is not an ISO 8601 time: 1234567890"),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "`timestamp` is not an ISO 8601 time"),
    ],
)
def test_what_an_event_cannot_do_without_is_asked_for(changes: dict[str, Any], said: str) -> None:
    assert said in reason(v1(**changes))
    assert reason(v1(**changes)) == reason(v2(**changes))


def test_what_an_event_can_do_without_may_be_missing() -> None:
    envelope = opened(v2(event_type=None, publisher_id=None, priority=None, payload=None))
    assert (envelope.event_type, envelope.publisher_id, envelope.priority) == ("", "", "")
    assert envelope.document["event_type"] == ""
    assert envelope.document["publisher_id"] is None


def test_numbers_in_place_of_texts_become_texts() -> None:
    envelope = opened(v1(message_id=7, event_type=1.5, publisher_id=True, priority=3))
    assert envelope[:4] == ("7", "1.5", "True", "")


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"nonsense", b"{", b'"text"', b"[]", b"[1]", b"7", b"null", b"\xff\xfe{", b"\0"],
)
def test_what_is_no_message_is_rejected(body: bytes) -> None:
    assert "body" in reason(body)


def test_a_message_of_no_known_format_is_told_what_is_known() -> None:
    said = reason(b'{"a": 1}')
    assert all(word in said for word in ("message_id", "specversion", "typeURI"))


@pytest.mark.parametrize("message", [None, 7, {"message_id": "1"}, "7", "nonsense", "[]", ""])
def test_an_envelope_around_anything_else_is_rejected(message: Any) -> None:
    assert reason(json.dumps({"oslo.version": "2.0", "oslo.message": message}).encode())


# --- JSON that strict readers refuse -----------------------------------------------------------


def test_bare_nan_and_infinity_are_read() -> None:
    payload = opened(v2(payload={"nan": float("nan"), "inf": float("inf")})).document["payload"]
    assert payload["inf"] == float("inf")
    assert payload["nan"] != payload["nan"]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, -(10**30)])
@pytest.mark.parametrize("send", [v1, v2])
def test_big_integers_keep_every_digit(number: int, send: Any) -> None:
    assert opened(send(payload=[number])).document["payload"] == [number]


@pytest.mark.parametrize("send", [v1, v2])
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_characters_that_no_database_takes_are_replaced(send: Any, text: str) -> None:
    envelope = opened(send(message_id=text, event_type=text, payload={text: [text]}))
    assert envelope.message_id == envelope.event_type == "a\ufffdb"
    assert envelope.document["payload"] == {"a\ufffdb": ["a\ufffdb"]}


def test_an_escape_that_is_itself_escaped_is_seen() -> None:
    body = v2(message_id="a?b").replace(b"a?b", b"a\\u005c\\u0075" + b"0000b")
    assert opened(body).message_id == "a\ufffdb"


def test_other_characters_stay_as_they_are() -> None:
    text = "d\xe9mo \u2028 \U0001f600 \\u0000"
    assert opened(v2(payload=text)).document["payload"] == text


@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
def test_deep_nesting_is_no_trouble(depth: int) -> None:
    nest = "[" * depth + "]" * depth
    for body in (
        v1(payload="?").replace(b'"?"', nest.encode()),
        enveloped(json.dumps(a_notification(payload="?")).replace('"?"', nest)),
    ):
        if depth == 500:
            assert opened(body)
        else:
            assert "nested too deeply" in reason(body)


def test_an_integer_without_end_is_rejected() -> None:
    assert "not JSON" in reason(v1(payload="?").replace(b'"?"', b"9" * 10_000))


# --- type tags of 1.0 --------------------------------------------------------------------------


def test_type_tags_become_what_the_newer_driver_sends() -> None:
    tagged = {
        "at": {"__type__": "datetime", "__value__": "2026-11-21T10:00:00.123456"},
        "utc": {"__type__": "datetime", "__value__": "2026-11-21T10:00:00+00:00"},
        "zone": {"__type__": "datetime", "__value__": "2026-11-21T10:00:00+02:00"},
        "date": {"__type__": "date", "__value__": "2026-11-21"},
        "id": [{"__type__": "uuid", "__value__": {"hex": "0" * 31 + "5"}}],
        "v": {"__type__": "decimal", "__value__": "1.10"},
        "b": {"__type__": "base64", "__value__": "cmF3IP8="},
        "odd": {"__type__": "uuid", "__value__": {"hex": "?"}},
        "not": {"__type__": "uuid", "__value__": "x", "more": 1},
    }
    assert opened(v1(payload=tagged)).document["payload"] == {
        "at": "2026-11-21T10:00:00.123456",
        "utc": "2026-11-21T10:00:00",
        "zone": "2026-11-21T10:00:00+02:00",
        "date": "2026-11-21",
        "id": ["00000000-0000-0000-0000-000000000005"],
        "v": "1.10",
        "b": "cmF3IP8=",
        "odd": {"hex": "?"},
        "not": {"__type__": "uuid", "__value__": "x", "more": 1},
    }


# --- compression -------------------------------------------------------------------------------


def test_the_zlib_stream_that_claims_to_be_gzip_is_read() -> None:
    for message in captured("oslo-compressed"):
        assert (message.headers or {})["compression"] == "application/x-gzip"
        assert opened(message.body, message.content_type, message.headers).message_id


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_compressed_bodies_are_told_by_their_bytes(compress: Any) -> None:
    assert opened(compress(v2())) == opened(v2())
    assert "does not unpack" in reason(compress(v2())[:6] + b"\xff" * 400)
    assert "ends too early" in reason(compress(v2())[:-12])


def test_a_body_that_unpacks_without_end_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "UNPACKED_LIMIT_BYTES", 100_000)
    bomb = zlib.compress(b" " * 100_001)
    assert "unpacks to over 100000 bytes" in reason(bomb)
    assert "not JSON" in reason(zlib.compress(b" " * 100_000))


def test_zstd_is_rejected_with_what_to_use() -> None:
    assert "zstd" in reason(b"\x28\xb5\x2f\xfd....")


# --- CADF --------------------------------------------------------------------------------------


def a_cadf_event(**changes: Any) -> dict[str, Any]:
    return {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity",
        "id": "70b64906-4dcc-5f5f-a0e5-2f30c6bd6599",
        "eventTime": "2026-11-21T21:03:28.339882+0000",
        "action": "created.domain",
        "outcome": "success",
        "observer": {"id": "d9599ab2", "typeURI": "service/security"},
    } | changes


def test_a_bare_cadf_event_is_named_by_its_action() -> None:
    """events-in 10"""
    envelope = opened(json.dumps(a_cadf_event()).encode())
    assert envelope[:4] == (
        "70b64906-4dcc-5f5f-a0e5-2f30c6bd6599",
        "cadf.created.domain",
        "d9599ab2",
        "",
    )
    assert envelope.generated == datetime(2026, 11, 21, 21, 3, 28, 339882, UTC)
    assert envelope.document["payload"] == a_cadf_event()


@pytest.mark.parametrize("missing", ["id", "action", "eventTime"])
def test_a_cadf_event_without_an_identity_is_rejected(missing: str) -> None:
    assert f"`{missing}`" in reason(json.dumps(a_cadf_event(**{missing: None})).encode())


# --- CloudEvents -------------------------------------------------------------------------------

ID = "0c4f7d0e-6a39-4f5e-9b6c-1d3a8f4f3f10"


def a_cloudevent(**changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": ID,
        "source": "/sensors/7",
        "type": "com.example.alert",
        "time": "2026-11-21T21:03:28Z",
        "data": {"a": 1},
    } | changes
    return {key: value for key, value in event.items() if value is not None}


@pytest.mark.parametrize("content_type", [None, "application/cloudevents+json; charset=utf-8"])
def test_a_structured_cloudevent_is_read(content_type: str | None) -> None:
    """events-in 10"""
    envelope = opened(json.dumps(a_cloudevent(subject="s")).encode(), content_type)
    assert envelope[:4] == (ID, "com.example.alert", "/sensors/7", "")
    assert envelope.generated == datetime(2026, 11, 21, 21, 3, 28, tzinfo=UTC)
    assert envelope.document["payload"] == {"a": 1}
    assert envelope.document["cloudevent"]["subject"] == "s"


@pytest.mark.parametrize("prefix", ["ce-", "cloudEvents:", "cloudEvents_", "ce_"])
def test_a_binary_cloudevent_has_its_attributes_in_headers(prefix: str) -> None:
    headers = {f"{prefix}{key}": value for key, value in a_cloudevent(data=None).items()}
    headers |= {"x": "y", "n": 1}
    envelope = opened(b'{"message_id": 1}', "application/json", headers)
    assert envelope[:4] == (ID, "com.example.alert", "/sensors/7", "")
    assert envelope.document["payload"] == {"message_id": 1}


def test_amqp_gives_a_binary_cloudevents_time_as_a_datetime() -> None:
    headers = {f"cloudEvents:{key}": value for key, value in a_cloudevent(data=None).items()}
    headers["cloudEvents:time"] = datetime(2026, 11, 21, 21, 3, 28)  # noqa: DTZ001
    headers["cloudEvents:odd"] = {"a": [b"x"]}
    envelope = opened(b"", None, headers)
    assert envelope.generated == datetime(2026, 11, 21, 21, 3, 28, tzinfo=UTC)
    assert json.dumps(envelope.document)


def test_headers_of_http_are_percent_encoded() -> None:
    headers = {f"ce-{key}": value for key, value in a_cloudevent(data=None).items()}
    headers["ce-subject"] = "caf%C3%A9%00"
    document = opened(b"{}", "application/json", headers).document
    assert document["cloudevent"]["subject"] == "caf\xe9\ufffd"


@pytest.mark.parametrize(
    ("content_type", "data", "payload"),
    [
        (None, b'{"a": 1}', {"a": 1}),
        ("application/vnd.x+json;charset=utf-8", b"[1]", [1]),
        ("text/plain", b"hot\0", "hot\ufffd"),
        ("application/octet-stream", b"\xff\xfe", "//4="),
        ("application/json", b"", None),
    ],
)
def test_data_of_any_kind_becomes_the_payload(
    content_type: str | None, data: bytes, payload: Any
) -> None:
    headers = {f"ce-{key}": value for key, value in a_cloudevent(data=None).items()}
    assert opened(data, content_type, headers).document["payload"] == payload
    encoded = a_cloudevent(
        data=None, data_base64=base64.b64encode(data).decode(), datacontenttype=content_type
    )
    assert opened(json.dumps(encoded).encode()).document["payload"] == payload


def test_the_same_id_from_two_sources_is_two_events() -> None:
    """CloudEvents 1.0: source and id are unique as a pair only."""
    ids = {
        opened(json.dumps(a_cloudevent(id="1", source=source)).encode()).message_id
        for source in ("/a", "/b")
    }
    assert ids == {"/a#1", "/b#1"}


def test_a_cloudevent_without_a_time_happened_when_it_was_received() -> None:
    body = json.dumps(a_cloudevent(time=None)).encode()
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert opened(body, received_at=noon).generated == noon
    assert "`time`" in reason(body)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"specversion": "0.3"}, "specversion '0.3'"),
        ({"id": None}, "no `id`"),
        ({"source": 7}, "no `source`"),
        ({"type": ""}, "no `type`"),
        ({"time": "yesterday"}, "yesterday"),
        ({"time": 7}, "7"),
        ({"data_base64": "?"}, "data_base64"),
    ],
)
def test_a_broken_cloudevent_is_told_what_is_wrong(changes: dict[str, Any], said: str) -> None:
    assert said in reason(json.dumps(a_cloudevent(**changes)).encode())


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21 12:00:00",
        "2026-11-21T12:00:00.000000",
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00.000000+0000",
        "2026-11-21 12:00:00+00:00",
        "2026-11-21T14:00:00+02",
        "20261121T120000Z",
    ],
)
def test_every_time_format_of_the_wire_is_read(text: str) -> None:
    assert opened(v1(timestamp=text)).generated == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21Z", "2026-11"])
def test_a_day_begins_at_midnight(text: str) -> None:
    if text.endswith("Z"):
        assert "timestamp" in reason(v1(timestamp=text))
    else:
        assert opened(v1(timestamp=text)).generated.time().isoformat() == "00:00:00"
