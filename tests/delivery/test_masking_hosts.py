"""Of a URL whose scheme is not known nothing is shown; every scheme of ours is known."""

from __future__ import annotations

import pytest

from pipeline import registry
from pipeline.dispatch import receiver
from pipeline.masking import has_plain_host, mask_url


@pytest.mark.parametrize("group", ["tocsin.actions", "tocsin.publishers"])
def test_every_scheme_of_ours_has_a_host_that_may_be_shown(group: str) -> None:
    assert [name for name in registry.names(group) if not has_plain_host(name)] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to tgram://bot:token/chat?x=1, twice", "to tgram://*** twice"),
        ("discord://id/token", "discord://***"),
        ("'NTFY://token'", "'NTFY://***'"),
        ("postgresql+psycopg://u:p@db/x", "postgresql+psycopg://u:***@db/x"),
        ("https://host/path", "https://host/path"),
    ],
)
def test_a_url_of_an_unknown_scheme_is_masked_whole(text: str, shown: str) -> None:
    assert mask_url(text) == shown


def test_receivers_of_an_unknown_scheme_are_told_apart_without_being_shown() -> None:
    first, second = receiver("discord://secretone/x"), receiver("discord://secrettwo/x")

    assert first != second
    assert first == receiver("discord://secretone/y")
    assert "secret" not in first + second
