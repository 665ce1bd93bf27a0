"""Whatever comes from the wire is stored: as it was, or in a form that says what it was."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.documents import from_json, storable_key, storable_text, to_json
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from store.storing import LEASE, fire

# Every character that there is, with those that databases stumble over more often.
NASTY = st.text(
    st.one_of(st.sampled_from("\0\ud800\udfff\ufffe\\\"'%;\x1b\U0001f600"), st.characters())
)
NUMBERS = st.one_of(st.integers(), st.integers(-(2**80), 2**80), st.floats())
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, NASTY),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(NASTY, inner)),
    max_leaves=20,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(-62_000_000_000, 253_000_000_000).map(
    lambda seconds: EPOCH + timedelta(seconds=seconds, microseconds=seconds % 3)
)
MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(ANYTHING)
def test_any_json_value_comes_back_as_it_was_but_for_nan(value: Any) -> None:
    written = to_json(value)

    assert written.isascii()
    assert "\0" not in written
    assert _same(from_json(written), _without_nan(value))
    json.loads(written, parse_constant=_refuse)


@given(ANYTHING)
def test_nan_can_be_kept(value: Any) -> None:
    assert repr(from_json(to_json(value, keep_nan=True))) == repr(value)


@given(NASTY)
def test_text_is_spelled_out_where_a_database_could_not_hold_it(text: str) -> None:
    stored = storable_text(text)

    assert "\0" not in stored
    stored.encode("utf-8")
    assert storable_text(stored) == stored
    if "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        assert stored == text


@given(st.sets(st.one_of(NASTY, st.text(min_size=250)), min_size=2, max_size=2))
def test_long_keys_stay_apart_and_short(pair: set[str]) -> None:
    keys = {storable_key(text) for text in pair}

    assert len(keys) == 2
    assert all(len(key) <= 255 and storable_key(key) == key for key in keys)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (10**4_299, None),
        ({1: "one"}, {"1": "one"}),
        ({"when": NOON, "raw": b"\xff"}, {"when": "2026-01-02T12:00:00+00:00", "raw": "\\xff"}),
        ({"set": frozenset()}, {"set": "frozenset()"}),
        ([math.inf, -math.inf, math.nan], [None, None, None]),
    ],
)
def test_what_json_has_no_word_for_is_written_as_something(value: Any, written: Any) -> None:
    assert from_json(to_json(value)) == written


def test_nesting_without_end_is_cut(store: SqlStore) -> None:
    deep: Any = "the bottom"
    for _ in range(5_000):
        deep = [deep]
    alarm = store.create(an_alarm())

    assert fire(store, alarm, an_event(raw={"payload": deep}))

    (delivery,) = store.claim(1, LEASE, NOON)
    text = json.dumps(dict(delivery.notification.reason_data))
    assert "\\u2026" in text
    assert "the bottom" not in text


@MANY
@given(
    message_id=NASTY,
    event_type=NASTY,
    generated=MOMENTS,
    traits=st.dictionaries(NASTY, st.one_of(NASTY, NUMBERS, MOMENTS), max_size=4),
    raw=st.dictionaries(NASTY, ANYTHING, max_size=3),
    reason=NASTY,
)
def test_any_event_can_fire_and_be_told(
    store: SqlStore,
    message_id: str,
    event_type: str,
    generated: datetime,
    traits: dict[str, Any],
    raw: dict[str, Any],
    reason: str,
) -> None:
    event = an_event(event_type=event_type, message_id=message_id, generated=generated, raw=raw)
    types = {name: an_event(trait=value).types["trait"] for name, value in traits.items()}
    event = event._replace(values=traits, types=types)
    alarm = store.create(an_alarm())

    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, event, reason=reason)])

    pair = (alarm.alarm_id, message_id)
    with store.begin() as transaction:
        assert transaction.fired([pair, (alarm.alarm_id, "another")]) == {pair}
    (record,) = store.deliveries(message_id=message_id, alarm_id=alarm.alarm_id)
    _, delivery, _ = store.delivery(record.delivery_id)
    told = delivery.notification
    assert told.alarm is not None
    assert told.alarm.reason == storable_text(reason)
    expected = _without_nan({"type": "event", "event": event.as_dict()})
    assert _same(dict(told.reason_data), expected)


@MANY
@given(text=NASTY, body=st.binary(), headers=st.dictionaries(NASTY, ANYTHING, max_size=3))
def test_any_message_can_be_rejected(
    store: SqlStore, text: str, body: bytes, headers: dict[str, Any]
) -> None:
    rejected_id = f"{len(store.rejected(limit=1_000)):05}"
    rejected = RejectedEvent(rejected_id, text, body, text, headers, text, NOON)

    with store.begin() as transaction:
        transaction.save_rejected([rejected])

    kept = store.rejected_event(rejected_id)
    stored = storable_text(text)
    assert (kept.reason, kept.content_type, kept.source) == (stored, stored, stored)
    assert kept.body == body


@MANY
@given(
    traits=st.dictionaries(NASTY, st.one_of(NASTY, NUMBERS, MOMENTS), max_size=4),
    raw=st.dictionaries(NASTY, ANYTHING, max_size=3),
    error=NASTY,
)
def test_any_event_can_wait_to_be_published(
    store: SqlStore, traits: dict[str, Any], raw: dict[str, Any], error: str
) -> None:
    event = an_event(raw=raw)
    types = {name: an_event(trait=value).types["trait"] for name, value in traits.items()}
    event = event._replace(values=traits, types=types)

    with store.begin() as transaction:
        transaction.save_publications([Publication(event.message_id, error, (event,), error)])

    (kept,) = store.claim_publications(1, LEASE, NOON)
    store.published(kept.publication_id)
    assert repr(kept.events) == repr((event,))
    assert kept.error == storable_text(error)


@MANY
@given(name=NASTY, actions=st.lists(NASTY, max_size=3), description=NASTY)
def test_any_alarm_can_be_created(
    store: SqlStore, name: str, actions: list[str], description: str
) -> None:
    alarm = an_alarm(name=name, description=description, alarm_actions=actions)

    store.create(alarm)

    kept = store.get(alarm.alarm_id)
    assert (kept.name, kept.description) == (storable_text(name), storable_text(description))
    assert kept.alarm_actions == tuple(actions)
    assert kept in store.search({"name": name})
    assert fire(store, kept)


@pytest.mark.parametrize("length", [3_000, 1_000_000])
def test_text_of_any_length_is_stored(store: SqlStore, length: int) -> None:
    """An index entry of PostgreSQL holds no more than 2,704 bytes."""
    long = "".join(chr(33 + (number * number) % 90) for number in range(length))
    event = an_event(message_id=long, text=long)
    alarm = store.create(an_alarm(name=long, alarm_actions=(f"https://{long}.example/",)))

    assert fire(store, alarm, event)
    assert not fire(store, alarm, event)

    assert store.find(long).alarm_id == alarm.alarm_id
    assert len(store.deliveries(message_id=long)) == 1


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value


def _same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)
