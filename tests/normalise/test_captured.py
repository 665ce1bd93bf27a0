"""Captured lines are read back into what a listener received."""

from __future__ import annotations

import json

import pytest

from pipeline.captured import CapturedMessage, read_line
from pipeline.errors import InvalidValue


def a_line(**changes: object) -> bytes:
    line: dict[str, object] = {
        "exchange": "keystone",
        "routing_key": "notifications.info",
        "properties": {"content_type": "application/json", "headers": {"a": 1}},
        "body": '{"message_id": "é"}',
    } | changes
    return json.dumps({k: v for k, v in line.items() if v is not None}).encode()


def test_a_delivery_gives_body_content_type_headers_and_origin() -> None:
    assert read_line(a_line()) == CapturedMessage(
        '{"message_id": "é"}'.encode(), "application/json", {"a": 1}, "keystone notifications.info"
    )


def test_a_binary_body_comes_as_base64() -> None:
    assert read_line(a_line(body=None, body_base64="eJwB")).body == b"x\x9c\x01"


def test_all_but_the_body_may_be_missing() -> None:
    assert read_line(b'{"body": "{}"}\n') == CapturedMessage(b"{}", None, {}, "")


@pytest.mark.parametrize(
    "line",
    [
        b'{"message_id": "1", "payload": {"body": "x"}}',
        b'{"message_id": "1", "payload": NaN}',
        b'["body"]',
        b'not JSON, "body',
        b'"body' + b"[" * 100_000,
    ],
)
def test_any_other_line_is_a_bare_body(line: bytes) -> None:
    assert read_line(b"\xef\xbb\xbf" + line + b"\r\n") == CapturedMessage(line)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"body": 7}, "body"),
        ({"body": None, "body_base64": "?"}, "body_base64"),
        ({"body": None, "body_base64": [1]}, "body_base64"),
        ({"properties": [1]}, "properties"),
        ({"properties": {"headers": "x"}}, "properties.headers"),
    ],
)
def test_a_broken_capture_says_which_key_is_wrong(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        read_line(a_line(**changes))
    assert caught.value.field == field
    assert field in str(caught.value)
