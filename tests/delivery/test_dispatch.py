"""Whom an action is for, fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch import receiver, scheme


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("https://host/hook?token=s3cr3t#f", "https://host"),
        ("HTTPS://user:s3cr3t@Host:8443/s3cr3t", "https://host:8443"),
        ("http://[::1]:80/", "http://[::1]:80"),
        (" https://host/ ", "https://host"),
        ("log://", "log://"),
        ("log:", "log://"),
        ("http://host:s3cr3t/", "http://"),
        ("http://[s3cr3t", "http://"),
        ("not a url", "://"),
        ("https://ho\x1bst/", "https://host"),
    ],
)
def test_a_receiver_is_scheme_host_and_port_alone(action: str, expected: str) -> None:
    assert receiver(action) == expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [("HTTPS://host/", "https"), ("log:", "log"), ("trust+http://h/", "trust+http"), ("x", "")],
)
def test_a_scheme_is_in_lower_case(action: str, expected: str) -> None:
    assert scheme(action) == expected


@given(st.text())
def test_any_text_has_a_receiver_that_can_be_printed(action: str) -> None:
    assert len(receiver(action)) <= len(action) + len("://[]:") + 300
    assert receiver(f"https://{action}").startswith("https://")
