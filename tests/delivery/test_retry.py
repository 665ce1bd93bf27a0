"""What follows an attempt (delivery 4, 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.notification import Delivered, Failed, InProgress, Refused
from pipeline.retry import (
    DEFAULT_DELAYS,
    LATEST_LOOK,
    LONGEST_ASKED,
    LONGEST_IN_PROGRESS,
    SOONEST_LOOK,
    DeadLetter,
    Done,
    LookAgainAt,
    RetryAt,
    next_step,
)

from builders import NOON

JITTERS = st.floats(0, 1, exclude_max=True)
DELAYS = st.lists(st.timedeltas(timedelta(), timedelta(days=30)), min_size=1, max_size=12)


def _delay(step: object) -> timedelta:
    assert isinstance(step, RetryAt)
    return step.at - NOON


def test_the_default_delays_are_those_of_the_specification() -> None:
    """delivery 5: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, then a dead letter."""
    steps = [next_step(Failed("no answer"), made, NOON, 0.0) for made in range(1, 11)]

    assert [_delay(step) for step in steps[:-1]] == [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
    ]
    assert steps[-1] == DeadLetter("tried 10 times, at last: no answer")


def test_what_was_delivered_is_done() -> None:
    assert next_step(Delivered(200), 1, NOON, 0.5) == Done()


def test_what_was_refused_is_a_dead_letter_at_once() -> None:
    """delivery 4."""
    assert next_step(Refused("answered 404"), 1, NOON, 0.5) == DeadLetter("refused: answered 404")


def test_without_delays_one_failure_is_the_end() -> None:
    assert next_step(Failed("reset"), 1, NOON, 0.5, ()) == DeadLetter("tried once, at last: reset")


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(seconds=1), timedelta(seconds=5)),
        (timedelta(seconds=90), timedelta(seconds=90)),
        (timedelta(days=400), LONGEST_ASKED),
    ],
)
def test_retry_after_lengthens_a_delay_but_not_beyond_a_day(
    asked: timedelta, waited: timedelta
) -> None:
    """delivery 4: `Retry-After` honoured."""
    assert _delay(next_step(Failed("busy", retry_after=asked), 1, NOON, 0.0)) == waited


@given(jitters=st.tuples(*[JITTERS] * len(DEFAULT_DELAYS)))
def test_default_delays_never_shrink_nor_pass_the_longest(jitters: tuple[float, ...]) -> None:
    waited = [_delay(next_step(Failed("x"), n, NOON, j)) for n, j in enumerate(jitters, start=1)]

    assert waited == sorted(waited)
    assert waited[-1] <= DEFAULT_DELAYS[-1]


@given(delays=DELAYS, jitter=JITTERS, asked=st.none() | st.timedeltas(timedelta()))
def test_a_delay_keeps_to_the_schedule_and_to_what_was_asked(
    delays: list[timedelta], jitter: float, asked: timedelta | None
) -> None:
    honoured = min(asked or timedelta(), LONGEST_ASKED)
    for made, planned in enumerate(delays, start=1):
        waited = _delay(next_step(Failed("x", retry_after=asked), made, NOON, jitter, delays))

        assert max(planned * 0.9, honoured) <= waited <= max(planned, honoured)


@given(delays=DELAYS, jitter=JITTERS)
def test_every_schedule_ends(delays: list[timedelta], jitter: float) -> None:
    after_all = len(delays) + 1

    assert isinstance(next_step(Failed("x"), after_all, NOON, jitter, delays), DeadLetter)


def _in_progress(note: str = "build 7 runs", **look_again: float) -> InProgress:
    return InProgress(note, {"build": 7}, timedelta(**look_again))


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (timedelta(), SOONEST_LOOK),
        (timedelta(seconds=20), timedelta(seconds=20)),
        (timedelta(days=400), LATEST_LOOK),
    ],
)
def test_what_is_in_progress_is_looked_at_again_within_bounds(
    asked: timedelta, waited: timedelta
) -> None:
    step = next_step(InProgress("queued", {}, asked), 1, NOON, 0.0)

    assert step == LookAgainAt(NOON + waited, since=NOON)


def test_a_look_is_no_failure_of_the_schedule() -> None:
    since = NOON - timedelta(days=1)

    step = next_step(_in_progress(seconds=5), 99, NOON, 0.0, (), since)

    assert step == LookAgainAt(NOON + timedelta(seconds=5), since)


def test_nothing_is_in_progress_for_ever() -> None:
    nearly = NOON - LONGEST_IN_PROGRESS + timedelta(seconds=1)

    assert isinstance(next_step(_in_progress(), 1, NOON, 0.0, (), nearly), LookAgainAt)
    assert next_step(_in_progress(), 1, NOON, 0.0, (), NOON - LONGEST_IN_PROGRESS) == DeadLetter(
        "in progress for 7 days: build 7 runs"
    )
