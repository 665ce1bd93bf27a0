"""Calendars mean what Proxmox means by them, and a little more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch.calendar import window
from pipeline.errors import InvalidValue

MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001 - times on the wall


def at(day: str, time: str) -> datetime:
    hours, minutes = time.split(":")
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day)
    return MONDAY + timedelta(days=days, hours=int(hours), minutes=int(minutes))


@pytest.mark.parametrize(
    ("text", "day", "time", "holds"),
    [
        ("8-12", "sun", "8:00", True),
        ("8-12", "mon", "7:59", False),
        ("8-12", "mon", "12:00", True),
        ("8-12", "mon", "12:01", False),
        ("8:00-15:30", "wed", "15:30", True),
        ("8:00-15:30", "wed", "15:31", False),
        ("mon-fri 9-17", "fri", "16:59", True),
        ("mon-fri 9-17", "sat", "12:00", False),
        ("mon..fri 9-17", "tue", "12:00", True),
        ("Mon-Fri 9:00-17:00", "tue", "12:00", True),
        ("monday-friday 9-17", "tue", "12:00", True),
        ("sun,tue-wed,fri 9-17", "wed", "9:00", True),
        ("sun,tue-wed,fri 9-17", "thu", "9:00", False),
        ("sun, tue-wed, fri 9-17", "fri", "9:00", True),
        ("sat-mon 9-17", "sun", "9:00", True),
        ("sat-mon 9-17", "tue", "9:00", False),
        ("sat,sun", "sat", "23:59", True),
        ("sat,sun", "mon", "0:00", False),
        ("0-24", "mon", "23:59", True),
        ("fri 22-6", "fri", "22:00", True),
        ("fri 22-6", "sat", "6:00", True),
        ("fri 22-6", "fri", "5:00", False),
        ("fri 22-6", "sat", "22:30", False),
        ("sun 22-6", "mon", "3:00", True),
    ],
)
def test_calendar_holds_as_it_is_written(text: str, day: str, time: str, holds: bool) -> None:
    assert window(text).holds(at(day, time)) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no time of the week"),
        ("9", "is no time of the week"),
        ("8-", "is no time of the week"),
        ("mo-fr 9-17", "'mo' is no day. Use mon, tue"),
        ("8-25", "'25' is no time of day"),
        ("8:60-12", "'8:60' is no time of day"),
        ("24:30-3", "'24:30' is no time of day"),
        ("8-12 mon", "is no time of the week"),
        ("mon, 8-12", "'' is no day"),
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text: str, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        window(text)


@given(st.text(alphabet="monfri,-. 0129:", max_size=30))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    try:
        found = window(text)
    except InvalidValue:
        return
    assert isinstance(found.holds(MONDAY), bool)
