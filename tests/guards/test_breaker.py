"""A receiver that fails is left alone, tried now and then, and given up (delivery 8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.guards import Breaker, BreakerRules, Heard, Tally
from pipeline.guards.breaker import SLOTS, after

from builders import NOON

RULES = BreakerRules()
WHO = "https://receiver.example"


def _heard(*errors: str | None, at: datetime = NOON) -> Heard:
    heard = Heard()
    for error in errors:
        heard.add(RULES.slot(at), at, error)
    return heard


def _after(breaker: Breaker, heard: Heard, at: datetime = NOON, **more: bool) -> Breaker:
    return after(breaker, heard, at, RULES, **more).breaker


def _open(at: datetime = NOON) -> Breaker:
    return _after(Breaker(), _heard(*["503"] * 10, at=at), at)


def test_it_opens_at_seven_of_ten_and_not_before() -> None:
    assert not _after(Breaker(), _heard(*["503"] * 9)).is_open
    assert not _after(Breaker(), _heard(*["503"] * 6, *[None] * 4)).is_open
    opened = _after(Breaker(), _heard(*["503"] * 7, *[None] * 3))

    assert opened.open_since == NOON
    assert opened.probe_at == NOON + timedelta(seconds=30)


def test_what_two_notifiers_heard_counts_together() -> None:
    one = _after(Breaker(), _heard(*["503"] * 5))

    assert not one.is_open
    assert _after(one, _heard(*["timeout"] * 5)).is_open


def test_failures_are_forgotten_after_five_minutes() -> None:
    before = _after(Breaker(), _heard(*["503"] * 9))
    later = NOON + timedelta(minutes=6)

    assert not _after(before, _heard(*["503"] * 9, at=later), later).is_open
    assert _after(before, _heard("503", at=NOON + timedelta(minutes=3)), later - RULES.window)


def test_only_the_probe_closes_it() -> None:
    breaker, late = replace(_open(), probe="d-1"), NOON + timedelta(seconds=40)

    assert _after(breaker, _heard(None, at=late), late).is_open
    closed = _after(breaker, _heard(None, at=late), late, probe=True)
    assert not closed.is_open
    assert closed.is_idle


def test_a_probe_that_fails_lets_it_wait_again() -> None:
    breaker, late = replace(_open(), probe="d-1"), NOON + timedelta(seconds=45)
    again = _after(breaker, _heard("503", at=late), late, probe=False)

    assert (again.open_since, again.probe) == (NOON, "")
    assert again.probe_at == late + timedelta(seconds=30)


def test_five_days_of_nothing_but_failures_give_it_up() -> None:
    breaker, late = _open(), NOON + timedelta(days=5)

    assert (
        after(breaker, _heard("503", at=late - RULES.pause), late - RULES.pause, RULES).disable
        == ""
    )
    assert (
        after(breaker, _heard("503", at=late), late, RULES).disable == "it only failed for 5 days"
    )


def test_one_answer_within_the_days_starts_them_anew() -> None:
    day = timedelta(days=3)
    breaker = _after(_open(), _heard(None, at=NOON + day), NOON + day)
    late = NOON + 2 * day

    assert after(breaker, _heard("503", at=late), late, RULES).disable == ""


def test_a_few_failures_far_apart_do_not_give_it_up() -> None:
    breaker, late = _after(Breaker(), _heard("503")), NOON + timedelta(days=8)

    assert after(breaker, _heard("503", at=late), late, RULES).disable == ""


def test_a_tally_tells_what_went_well_before_the_first_failure() -> None:
    tally = Tally(RULES)
    for _ in range(90):
        tally.add(WHO, NOON, None)
    assert tally.failed() == set()
    for _ in range(10):
        tally.add(WHO, NOON, "503")

    heard = tally.told_of(tally.failed())
    assert sum(attempts for attempts, _ in heard[WHO].counts.values()) == 100
    assert not _after(Breaker(), heard[WHO]).is_open
    tally.done(heard)
    assert tally.failed() == set()
    assert tally.told_of([WHO]) == {}


def test_a_tally_forgets_what_is_too_long_ago() -> None:
    tally = Tally(RULES)
    tally.add(WHO, NOON, None)
    tally.add("https://other.example", NOON + timedelta(minutes=10), None)

    assert tally.told_of([WHO]) == {}


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 120), st.lists(st.booleans(), max_size=12), st.booleans()),
        max_size=30,
    )
)
def test_a_breaker_agrees_with_counting_all_attempts_of_the_window(
    steps: list[tuple[int, list[bool], bool]],
) -> None:
    breaker, now = Breaker(), NOON
    made: list[tuple[int, bool]] = []
    for seconds, outcomes, probed in steps:
        now += timedelta(seconds=seconds)
        slot = RULES.slot(now)
        heard = _heard(*[None if well else "503" for well in outcomes], at=now)
        was_open = breaker.is_open
        probe = probed if was_open else None
        breaker = after(breaker, heard, now, RULES, probe).breaker
        made += [(slot, well) for well in outcomes]
        if was_open:
            assert breaker.is_open is not probed
            if probed:
                made = []
            continue
        lately = [well for at, well in made if at > slot - SLOTS]
        failures = lately.count(False)
        assert breaker.is_open == (len(lately) >= 10 and failures >= 0.7 * len(lately))
        if breaker.is_open:
            assert breaker.probe_at == now + RULES.pause
