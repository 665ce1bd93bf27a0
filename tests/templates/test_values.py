"""Values in the words of people (notifications 16)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.templates.values import (
    RENDERERS,
    as_json,
    duration,
    human_bytes,
    json_escape,
    label,
    relative_percentage,
    timestamp,
    url_encode,
)

from any_message import JSON as ANY_JSON


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_536, "1.5 KiB"),
        (18_253_611_008, "17 GiB"),
        (2**70, "1024 EiB"),
        (-2_048, "-2 KiB"),
        ("1048576", "1 MiB"),
        ("many", "many"),
        (None, ""),
        (True, "true"),
        (float("inf"), "inf"),
    ],
)
def test_sizes_are_told_in_binary_units(value: Any, words: str) -> None:
    assert human_bytes(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (59, "59s"),
        (5_400, "1h 30m"),
        (90_061, "1d 1h 1m 1s"),
        (-60, "-1m"),
        ("soon", "soon"),
    ],
)
def test_time_spans_are_told_by_their_parts(value: Any, words: str) -> None:
    assert duration(value) == words


@pytest.mark.parametrize(
    "value",
    [
        1_772_402_400,
        "2026-03-01T22:00:00",
        "2026-03-01T22:00:00Z",
        "2026-03-02T00:00:00+02:00",
        datetime(2026, 3, 1, 22, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_moments_are_told_in_utc(value: Any) -> None:
    assert timestamp(value) == "2026-03-01 22:00:00 UTC"


def test_what_is_no_moment_stays_as_it_is() -> None:
    assert timestamp("tomorrow") == "tomorrow"
    assert timestamp(10**20) == "1" + "0" * 20
    assert timestamp(None) == ""


def test_shares_are_told_in_per_cent() -> None:
    assert relative_percentage(0.25) == "25.00%"
    assert relative_percentage("none") == "none"


def test_names_of_fields_become_labels() -> None:
    assert label("failing_since") == "Failing since"
    assert label("") == ""


def test_texts_fit_into_urls_and_json() -> None:
    assert url_encode("a b/c?ü") == "a%20b%2Fc%3F%C3%BC"
    assert json_escape('say "hi"\n') == 'say \\"hi\\"\\n'
    assert as_json({"a": float("nan"), "b": (1, "ü")}) == '{"a": null, "b": [1, "ü"]}'


@given(ANY_JSON)
def test_any_value_can_be_told(value: Any) -> None:
    for render in RENDERERS.values():
        assert isinstance(render(value), str)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encoded_comes_back(text: str) -> None:
    assert unquote(url_encode(text)) == text
    assert json.loads(f'"{json_escape(text)}"') == text
