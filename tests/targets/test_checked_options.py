"""A target's options are checked by its type, and its secrets told apart from the rest."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidValue
from pipeline.targets import checked_options

HOOK = {"url": "https://r.example/{{ secrets.key }}", "method": "put"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"key": "s", "other": None}, {"key": "s", "other": "***"}),
        ([{"name": "key", "value": "s"}, {"name": "other"}], {"key": "s", "other": "***"}),
        (["key=s", "other"], {"key": "s", "other": "***"}),
        ("key=s", {"key": "s"}),
    ],
)
def test_secrets_by_name_may_be_written_in_many_ways(given: Any, kept: Any) -> None:
    public, secrets = checked_options("webhook", {**HOOK, "secret": given})

    assert (public, secrets) == (HOOK, {"secret": kept})


def test_hyphens_are_as_good_as_underscores() -> None:
    given = {"server": "mail.example", "mailto": "a@b.example", "from-address": "x@y.example"}

    public, _ = checked_options("smtp", given)

    assert public["from_address"] == "x@y.example"


def test_secret_that_is_kept_counts_as_given() -> None:
    """The type's own checks see that there is one."""
    given = {"server": "mail.example", "mailto": "a@b.example", "username": "u"}

    _, secrets = checked_options("smtp", {**given, "password": "***"})
    assert secrets == {"password": "***"}
    with pytest.raises(InvalidValue, match="A username needs a password"):
        checked_options("smtp", given)


def test_what_was_checked_when_it_came_is_not_checked_again() -> None:
    given = {**HOOK, "url": "https://r.example/", "signing_secret": "***"}

    _, secrets = checked_options("webhook", given)

    assert secrets == {"signing_secret": "***"}
    with pytest.raises(InvalidValue, match="signing_secret"):
        checked_options("webhook", {**given, "signing_secret": "no secret"})


@pytest.mark.parametrize(
    ("type", "given", "named"),
    [
        ("gotify", {"server": "https://g.example", "token": ""}, "token"),
        ("gotify", {"server": "https://g.example", "token": " \n"}, "token"),
        ("webhook", {**HOOK, "secret": ["key="]}, "secret.key"),
        ("webhook", {**HOOK, "secret": {"key": "s", "other": ""}}, "secret.other"),
    ],
)
def test_secret_without_anything_in_it_is_refused(type: str, given: Any, named: str) -> None:
    """As of a file that is empty, or a variable of the shell's that is not set."""
    with pytest.raises(InvalidValue, match=f"{named}: The secret is empty"):
        checked_options(type, given)


def test_all_problems_are_told_and_no_secret_of_them() -> None:
    with pytest.raises(InvalidValue) as caught:
        checked_options("webhook", {"method": "steal", "secret": {"key": 5}, "ulr": "x"})

    for said in ("url", "method", "secret", "Unknown attribute: ulr. Did you mean 'url'?"):
        assert said in str(caught.value)
