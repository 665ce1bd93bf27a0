"""Secrets of older senders are gone before anything is stored, logged or sent on."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.envelope import masked, open_envelope, scrub_head
from pipeline.event import Rejected
from pipeline.normalise import Normaliser

from messages import a_notification, definitions, enveloped, event_of, opened, v1, v2

SECRET = "gAAAAAB-s3cret"

ENOUGH = 1_000_000

CATALOGUE = [{"endpoints": [{"url": "http://x", "s": SECRET}], "name": 'a "b" ]} \\'}]


def scrub(body: bytes) -> bytes:
    """The whole body, scrubbed."""
    clean, more = scrub_head(body, ENOUGH)
    assert not more
    return clean


@pytest.mark.parametrize(
    "key",
    ["auth_token", "token", "password", "service_catalog", "aws_creds", "auth_token_info"],
)
@pytest.mark.parametrize("send", [v1, v2])
def test_a_leaked_context_loses_its_secrets(key: str, send: Any) -> None:
    body = send(**{f"_context_{key}": SECRET, "_context_user_id": "u1", "_context_is_admin": True})
    assert opened(body).document["ctxt"] == {"user_id": "u1", "is_admin": True}


def test_a_trait_cannot_be_made_of_a_secret_of_the_context() -> None:
    normaliser = Normaliser(
        definitions("- {event_type: '*', traits: {t: [ctxt.auth_token, '$..auth_token']}}")
    )
    assert "t" not in event_of(v2(_context_auth_token=SECRET), normaliser).values


def test_what_is_kept_raw_has_its_secrets_masked() -> None:
    payload = {
        "adminPass": SECRET,
        "request": {"HTTP_X_SUBJECT_TOKEN": SECRET, "HTTP_AUTHORIZATION": SECRET, "A": "kept"},
        "list": [{"client_secret": SECRET}, {"service_catalog": CATALOGUE}],
        "partial_password_hash": "kept",
        "token": None,
        "password": "",
    }
    normaliser = Normaliser(definitions("[]"), store_raw=["INFO"])
    raw = event_of(v2(payload=payload), normaliser).raw
    assert SECRET not in json.dumps(raw)
    assert raw["payload"] == {
        "adminPass": "***",
        "request": {"HTTP_X_SUBJECT_TOKEN": "***", "HTTP_AUTHORIZATION": "***", "A": "kept"},
        "list": [{"client_secret": "***"}, {"service_catalog": "***"}],
        "partial_password_hash": "kept",
        "token": None,
        "password": "",
    }


def test_numbers_that_are_not_json_are_kept_as_texts() -> None:
    assert masked({"a": [float("nan"), float("-inf"), 1.5]}) == {"a": ["nan", "-inf", 1.5]}


# --- bytes that were rejected --------------------------------------------------------------------

LEAKING = {
    "_context_auth_token": SECRET,
    "_context_password": f'{SECRET} with "quotes", \\ and \\',
    "_context_service_catalog": CATALOGUE,
    "_context_aws_creds": {"secret": SECRET, "a": [SECRET]},
    "token": 12345,
    "kept": "token: kept",
}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_rejected_body_is_scrubbed(indent: int | None) -> None:
    body = json.dumps(a_notification(message_id=None, **LEAKING), indent=indent).encode()
    assert isinstance(open_envelope(body), Rejected)
    clean = scrub(body)
    assert SECRET.encode() not in clean
    assert json.loads(clean) == a_notification(
        message_id=None,
        **{key: value if key == "kept" else "***" for key, value in LEAKING.items()},
    )


def test_json_inside_a_json_string_is_scrubbed() -> None:
    message = json.dumps(a_notification(message_id=None, **LEAKING))
    clean = scrub(enveloped(message))
    assert SECRET.encode() not in clean
    inner = json.loads(json.loads(clean)["oslo.message"])
    assert inner["_context_service_catalog"] == "***"
    assert inner["kept"] == "token: kept"
    assert inner["timestamp"] == a_notification()["timestamp"]
    twice = scrub(json.dumps({"body": enveloped(message).decode(), "after": 1}).encode())
    assert SECRET.encode() not in twice
    assert json.loads(twice)["after"] == 1
    assert json.loads(json.loads(json.loads(twice)["body"])["oslo.message"])["token"] == "***"


@given(st.integers(0, 2000))
def test_a_body_that_ends_anywhere_is_scrubbed(length: int) -> None:
    for body in (v1(**LEAKING), v2(**LEAKING)):
        clean = scrub(body[:length])
        assert SECRET.encode() not in clean


def test_a_compressed_body_is_scrubbed_unpacked() -> None:
    body = zlib.compress(v2(message_id=None, **LEAKING))
    assert json.loads(scrub(body))["oslo.version"] == "2.0"
    assert SECRET.encode() not in scrub(body)
    assert SECRET.encode() not in scrub(body[:-4])
    broken = scrub(body[:-30] + b"?" * 30)
    assert broken.startswith(b'{"oslo.version"')
    assert SECRET.encode() not in broken


@given(st.integers(0, 2000))
def test_a_body_that_is_cut_anywhere_is_scrubbed(size: int) -> None:
    body = v2(**LEAKING)
    for sent in (body, zlib.compress(body)):
        head, more = scrub_head(sent, size)
        assert SECRET.encode() not in head
        assert more == (len(body) > size)


def test_a_body_that_unpacks_to_much_is_cut_before_it_is_searched() -> None:
    """Else this one, of some kilobytes, would be searched for minutes."""
    head, more = scrub_head(zlib.compress(b'{"token": ' + b"[" * 50_000_000), 1000)
    assert (head, more) == (b'{"token": "***"', True)


def test_a_body_without_secrets_stays_as_it_is() -> None:
    for body in (v1(), v2(), b"", b"\xff\0 nonsense", b'{"token', b'"password": '):
        assert scrub(body).startswith(body)


KEYS = st.sampled_from(["token", "a", "_context_password", "service_catalog", 'q"', "b\\"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[],: \u00e9'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, st.integers(0, 3))
def test_scrubbing_agrees_with_masking(document: Any, levels: int) -> None:
    """The bytes are scrubbed as if they had been decoded, masked and encoded again."""
    text = json.dumps({"top": document})
    for _ in range(levels):
        text = json.dumps({"message": text})
    value = json.loads(scrub(text.encode()))
    for _ in range(levels):
        value = json.loads(value["message"])
    assert _fully_masked(value["top"]) == _fully_masked(document)


def _fully_masked(value: Any) -> Any:
    """As `scrub` does, which cannot tell an empty value, or JSON in a text, from another."""
    if isinstance(value, dict):
        secret = ("token", "_context_password", "service_catalog")
        return {key: "***" if key in secret else _fully_masked(v) for key, v in value.items()}
    return [_fully_masked(inner) for inner in value] if isinstance(value, list) else value


@given(st.binary())
def test_any_bytes_can_be_scrubbed(body: bytes) -> None:
    assert isinstance(scrub(body), bytes)


@pytest.mark.parametrize(
    "body", [b"\x1f\x8b\x08 not gzip", b"xml or what", b"BZh!", b"\xfd7zXZ\0?"]
)
def test_body_that_only_begins_like_a_compressed_one_is_kept(body: bytes) -> None:
    """A rejected event must be there to be looked at, whatever it is."""
    assert scrub_head(body, ENOUGH) == (body, False)
