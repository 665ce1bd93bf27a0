"""A secret that is known is hidden however it is spelled."""

from __future__ import annotations

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hiding import hidden, spellings

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40)


@given(secret=SECRETS, before=st.text(max_size=3), after=st.text(max_size=5))
def test_no_spelling_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    known = spellings([secret])
    for spell in (str, quote, quote_plus, json.dumps, escape, repr):
        said = f"<{spell(secret)}>"
        assert spell(secret).strip("\"'") not in hidden(said, known) or secret in "<***>"


@given(secret=SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_a_secret_in_base64_is_hidden_wherever_it_begins(
    secret: str, before: bytes, after: bytes
) -> None:
    text = base64.b64encode(before + secret.encode() + after).decode()

    left = hidden(text, spellings([secret]))
    assert "***" in left


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_what_is_too_short_to_be_a_secret_hides_nothing(secret: str) -> None:
    assert hidden("abc abc", spellings([secret])) == "abc abc"


def test_the_longest_spelling_is_hidden_first() -> None:
    assert hidden("tokentoken2", spellings(["token", "tokentoken2"])) == "***"
