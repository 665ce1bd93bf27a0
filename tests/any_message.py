"""Strategies for whatever may come off a bus: any JSON, any notification, real ones mutated."""

from __future__ import annotations

from hypothesis import strategies as st

from messages import CAPTURED, a_notification, captured

KEYS = st.sampled_from(["a", "b", "", "token", "\0", "\ud800"]) | st.text(max_size=5)
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["\0", "\ud800", "2026-11-21T12:00:00Z", "0001-01-01T00:00:00+10:00", "nan", "1e999", "9" * 50]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, 10**30, 10**2000, -(2**64)])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
NAMES = st.sampled_from([*a_notification(), "_context_token", "_context_x", "specversion", "type"])
MESSAGES = st.dictionaries(NAMES, JSON, max_size=8).map(lambda changes: a_notification(**changes))

REAL = [message.body for name in CAPTURED for message in captured(name)[::40]]
SNIPPETS = st.sampled_from(
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"NaN",
        b'\\"',
        b"\\u0000",
        b"\\\\ud800",
        b"9" * 25,
        b"1e999",
        b'":',
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A captured body in which some bytes were replaced."""
    body = bytearray(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 6))
        body[start : start + length] = draw(st.binary(max_size=6) | SNIPPETS)
    return bytes(body)


MUTATED = mutated()
