"""docs/templates.md names what templates can call, what they see, and what a kind's entry has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.kinds import BUILTIN, TYPES, Policy
from pipeline.kinds.grammar import ENTRY_KEYS
from pipeline.severity import WORDS
from pipeline.templates.blocks import Form
from pipeline.templates.bounds import BoundedEnvironment
from pipeline.templates.candidates import FRAME
from pipeline.templates.library import FormEnvironment

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    sorted(
        FormEnvironment(Form.HTML).globals.keys() - BoundedEnvironment(autoescape=False).globals
    ),
)
def test_what_templates_can_call_is_documented(name: str) -> None:
    assert f"`{name}(" in PAGE or f"x \\| {name}`" in PAGE


@pytest.mark.parametrize("key", ENTRY_KEYS)
def test_what_a_kind_s_entry_may_say_is_documented(key: str) -> None:
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("word", [*TYPES, *WORDS, *(policy.value for policy in Policy), FRAME])
def test_words_of_kinds_and_templates_are_documented(word: str) -> None:
    assert word in PAGE


def test_kinds_that_are_off_are_named() -> None:
    for kind in BUILTIN:
        if kind.policy is Policy.NEVER:
            assert f"`{kind.id}`" in PAGE
