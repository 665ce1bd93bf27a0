"""A target is given no more than its bounds allow, and storms are combined (delivery 8, 12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch.guards import (
    OFF,
    Guards,
    GuardsSchema,
    Limit,
    guards_of,
    limit_of,
    storm_limit,
)
from pipeline.errors import InvalidValue
from pipeline.guards import Pace
from pipeline.guards.pace import (
    Combine,
    Hold,
    Through,
    allowed,
    next_at,
    taken,
    through_storm,
    told_one_by_one,
)

from builders import NOON

LIMIT = Limit(20, timedelta(seconds=60))


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [("20/60s", 20, 60), ("10/minute", 10, 60), ("500 / 1h", 500, 3600), ("1/day", 1, 86400)],
)
def test_a_limit_is_so_many_in_a_time(text: str, count: int, seconds: int) -> None:
    assert limit_of(text) == Limit(count, timedelta(seconds=seconds))


@pytest.mark.parametrize("text", ["", "20", "0/60s", "20/0s", "a/60s", "20/60x", "5/9d", "-1/s"])
def test_what_is_no_limit_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidValue, match="20/60s"):
        limit_of(text)


def test_a_targets_guards_are_read_and_off_is_no_limit() -> None:
    assert guards_of({"concurrency": 2, "rate-limit": "10/m", "storm": "off"}) == Guards(
        2, Limit(10, timedelta(minutes=1)), OFF
    )
    assert guards_of({"storm": False}).storm == OFF
    assert guards_of({}) == Guards()
    assert storm_limit("off") is None


def test_a_number_alone_is_told_how_to_be_a_limit() -> None:
    assert "20/60s" in str(GuardsSchema().validate({"storm": 5}))


@pytest.mark.parametrize("written", [[10, "5m", "2h"], "10, 5m ,2H", ["10s", "300", "7200"]])
def test_delays_are_seconds_or_have_a_unit(written: Any) -> None:
    """delivery 5: configurable per target."""
    delays = guards_of({"retry-delays": written}).retry_delays

    assert delays == (timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=2))


@pytest.mark.parametrize("written", ["5x", "-1", "8d", [[]], {"a": 1}, ["1"] * 51, 5])
def test_what_is_no_delay_says_how_to_write_one(written: Any) -> None:
    assert "5m" in str(GuardsSchema().validate({"retry-delays": written}))


def test_no_delay_at_all_means_one_attempt() -> None:
    assert guards_of({"retry-delays": []}).retry_delays == ()


# --- rate ----------------------------------------------------------------------------------------


def test_a_burst_is_allowed_once_and_then_one_at_a_time() -> None:
    limit = Limit(10, timedelta(seconds=60))
    assert allowed(Pace(), limit, 99, NOON) == 10
    pace = taken(Pace(), limit, 10, NOON)

    assert allowed(pace, limit, 99, NOON) == 0
    assert next_at(pace, limit, NOON) == NOON + timedelta(seconds=6)
    assert allowed(pace, limit, 99, NOON + timedelta(seconds=6)) == 1
    assert allowed(pace, limit, 99, NOON + timedelta(seconds=60)) == 10


@given(
    count=st.integers(1, 50),
    span=st.integers(1, 600),
    asks=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 80)), max_size=60),
)
def test_however_often_it_is_asked_no_more_go_than_burst_and_rate_allow(
    count: int, span: int, asks: list[tuple[int, int]]
) -> None:
    limit, pace, now = Limit(count, timedelta(seconds=span)), Pace(), NOON
    begun: list[tuple[float, int]] = []
    for seconds, wanted in asks:
        now += timedelta(seconds=seconds)
        room = allowed(pace, limit, wanted, now)
        assert 0 <= room <= wanted
        pace = taken(pace, limit, room, now)
        begun.append(((now - NOON).total_seconds(), room))
        assert now <= next_at(pace, limit, now) <= now + limit.span
    for first, (since, _) in enumerate(begun):
        for until, _ in begun[first:]:
            within = sum(room for at, room in begun[first:] if at <= until)
            assert within <= count + (until - since) * count / span + 1e-6


@given(
    count=st.integers(1, 50),
    span=st.integers(1, 600),
    before=st.integers(1, 50),
)
def test_at_the_time_that_is_named_there_is_room_for_one(
    count: int, span: int, before: int
) -> None:
    limit = Limit(count, timedelta(seconds=span))
    pace = taken(Pace(), limit, min(before, count), NOON)
    at = next_at(pace, limit, NOON) + timedelta(microseconds=count)

    assert allowed(pace, limit, 1, at) == 1


# --- storm ---------------------------------------------------------------------------------------


def test_up_to_the_cap_each_is_told_by_itself() -> None:
    match through_storm(Pace(), LIMIT, 20, NOON):
        case Through(count, pace):
            assert (count, pace.storming) == (20, False)
        case other:
            pytest.fail(f"{other}")


def test_beyond_the_cap_the_rest_of_the_window_becomes_one_digest() -> None:
    step = through_storm(Pace(), LIMIT, 21, NOON)
    assert isinstance(step, Through)
    pace = told_one_by_one(step.pace, step.count)
    assert (step.count, pace.storming) == (20, True)

    held = through_storm(pace, LIMIT, 5, NOON + timedelta(seconds=59))
    ended = through_storm(pace, LIMIT, 5, NOON + timedelta(seconds=60))

    assert isinstance(held, Hold)
    assert held.until == NOON + timedelta(seconds=60)
    assert isinstance(ended, Combine)
    assert (ended.pace.told, ended.pace.storming) == (1, False)


def test_while_more_than_the_cap_comes_all_goes_into_digests() -> None:
    pace = Pace(None, NOON, 20, storming=True)
    now = NOON + timedelta(seconds=60)
    step = through_storm(pace, LIMIT, 21, now)

    assert isinstance(step, Combine)
    assert step.pace.storming
    assert isinstance(through_storm(step.pace, LIMIT, 1, now), Hold)


def test_a_storm_that_nobody_asked_about_for_long_is_over() -> None:
    pace = Pace(None, NOON, 20, storming=True)
    step = through_storm(pace, LIMIT, 3, NOON + timedelta(hours=1))

    assert isinstance(step, Through)
    assert (step.count, step.pace.storming) == (3, False)


def test_a_window_that_a_clock_which_was_ahead_began_is_begun_anew() -> None:
    pace = Pace(None, NOON + timedelta(days=1), 20, storming=True)

    assert isinstance(through_storm(pace, LIMIT, 3, NOON), Through)


@given(arrivals=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), max_size=60))
def test_no_window_tells_more_than_the_cap_and_one_digest(
    arrivals: list[tuple[int, int]],
) -> None:
    pace, now, waiting, seconds = Pace(), NOON, 0, 0
    told: list[tuple[int, int]] = []
    came = combined = 0
    for step, new in arrivals:
        now, seconds = now + timedelta(seconds=step), seconds + step
        came, waiting = came + new, waiting + new
        if not waiting:
            continue
        match through_storm(pace, LIMIT, min(waiting, LIMIT.count + 1), now):
            case Through(count, pace):
                pace = told_one_by_one(pace, count)
                told.append((seconds, count))
                waiting -= count
            case Combine(pace):
                told.append((seconds, 1))
                combined += waiting
                waiting = 0
            case Hold(until, pace):
                assert now < until <= now + LIMIT.span
    assert sum(count for _, count in told) <= came
    for since, _ in told:
        within = sum(count for at, count in told if since <= at < since + 60)
        assert within <= 2 * LIMIT.count + 1
