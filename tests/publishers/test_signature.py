"""`message_signature` is Ceilometer's, to the byte (events-in 29)."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signature import signature, signed

PLAIN = {
    "message_id": "m-1",
    "event_type": "identity.user.deleted",
    "generated": "2026-01-02T12:00:00",
    "traits": [["host", 1, "a"], ["vcpus", 2, 4], ["ratio", 3, 0.5], ["at", 4, "2026-01-02"]],
    "raw": {},
}
NESTED = {
    "message_id": "m-2",
    "event_type": "ümlaut ☃",
    "generated": "2026-01-02T12:00:00.000001",
    "traits": [["näme", 1, "wért ☃"]],
    "raw": {
        "payload": {"b": [{"z": 1, "a": ["x", None, True]}], "a": {"c": "d"}},
        "priority": "INFO",
    },
}
SIGNED = {
    "message_id": "m-3",
    "event_type": "",
    "generated": "2026-01-02T12:00:00",
    "traits": [],
    "raw": {},
    "message_signature": "old",
}


@pytest.mark.parametrize(
    ("message", "secret", "expected"),
    [
        (PLAIN, "s3cret", "9ef38eb5f844a259c865a1da4864936f705856ce6e7f7a010eceb2291a9a800b"),
        (NESTED, "s3cret", "9f10f88676eadf1499d67d05f7029bf668db8bec867c54218dcd74e68d95c96c"),
        (SIGNED, "s3cret", "4ed1d9bdc492a5e7e9ec51e47411f2a73642a1d2f5603ae382523939b863f559"),
        (PLAIN, "gehëim", "ed64971ee7e11af1bcaed56044f915550c44cef82a210f4584eead58bf0b1f3d"),
        (NESTED, "gehëim", "334d07b6cc8312ae92a9494c4caccbbdc0b250b2adcb1ac18f56ef1b29d89ad8"),
    ],
)
def test_it_is_what_ceilometer_27_makes_of_the_same(
    message: dict[str, Any], secret: str, expected: str
) -> None:
    """The expected ones were computed by Ceilometer 27.0.0's own `compute_signature`."""
    assert signature(message, secret) == expected


def test_an_empty_secret_signs_nothing() -> None:
    assert signed(PLAIN, "") == {**PLAIN, "message_signature": ""}


def test_half_of_a_surrogate_pair_is_signed_too() -> None:
    message = {"event_type": "\ud800", "traits": [["a", 1, "\udfff"]]}

    assert len(signature(message, "s3cret")) == 64
