"""Secrets never show: what `pipeline.masking` masks, and what it leaves readable."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.masking import mask_url, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://guest:guest@localhost:5672/%2F", "amqp://guest:***@localhost:5672/%2F"),
        ("amqp://:s3cret@host/", "amqp://:***@host/"),
        ("postgresql+psycopg://tocsin:p%40ss@db/t", "postgresql+psycopg://tocsin:***@db/t"),
        ("postgresql://tocsin:p@ss@db/t", "postgresql://tocsin:***@db/t"),
        ("postgresql://tocsin:p/ss@db/t", "postgresql://tocsin:***@db/t"),
        ("amqp://u:12345@host/", "amqp://u:***@host/"),
        ("rabbit://u:p@h1:5672,v:q@h2:5672/x", "rabbit://u:***@h2:5672/x"),
        ("https://ghp_abc@example.org/hook", "https://***@example.org/hook"),
        ("https://h/?token=abc&x=1", "https://h/?token=***&x=1"),
        ("https://h/?x=1&API_KEY=abc#frag", "https://h/?x=1&API_KEY=***#frag"),
        ("https://h/p?client_secret=a;b&password=c", "https://h/p?client_secret=***&password=***"),
        ("https://h/#access_token=abc", "https://h/#access_token=***"),
        ("/hook?token=abc", "/hook?token=***"),
        ("https://h/?next=https://i/?token=abc", "https://h/?next=https://i/?token=***"),
        ("exec:///bin/x?argument=--token=abc", "exec:///bin/x?argument=--token=***"),
        ("gotify://push.example.org/AbCdEfGh.123456", "gotify://push.example.org/***"),
        ("gotifys://h:8443/a/gotify/Abc.1/", "gotifys://h:8443/a/gotify/***"),
        ("trust+https://0b7a3c:delete@heat/v1/x", "trust+https://***@heat/v1/x"),
        ("trust+zaqar://0b7a3c@?queue_name=q", "trust+zaqar://***@?queue_name=q"),
        (
            "cannot reach 'amqp://u:p@h/': refused, then amqps://v:q@i/.",
            "cannot reach 'amqp://u:***@h/': refused, then amqps://v:***@i/.",
        ),
    ],
)
def test_secrets_of_urls_are_masked_anywhere_in_a_text(text: str, shown: str) -> None:
    assert mask_url(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log://",
        "postgresql://postgres@127.0.0.1:5432/tocsin",
        "sqlite:////home/u/.local/state/tocsin/tocsin.sqlite",
        "http://host:8080/users/me@example.org",
        "amqp://host/?exchange=keystone&routing_key=notifications.info",
        "https://h/?clientkey=/etc/tocsin/key.pem",
        "at 10:30 someone@example.org wrote a=b",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask_url(text) == text


@given(password=st.text(min_size=1).map(lambda text: f"s3cret{quote(text, safe='')}"))
def test_no_quoted_password_survives(password: str) -> None:
    assert "s3cret" not in mask_url(f"amqp://user:{password}@host/?token={password}")


def test_masked_reaches_into_lists_and_mappings_and_masks_by_name() -> None:
    value = {"brokers": ["amqp://u:p@h/"], "token": "abc", "password": "", "count": 3}

    assert masked(value) == {
        "brokers": ["amqp://u:***@h/"],
        "token": "***",
        "password": "",
        "count": 3,
    }
