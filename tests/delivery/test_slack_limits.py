"""No message passes a limit of Slack's, whatever is told: it would be refused as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, SectionBlock

from pipeline.targets.slack.message import (
    FIELDS_OF_A_SECTION,
    LONGEST_HEADER,
    LONGEST_TEXT,
    as_markup,
    fit,
    message,
)

from builders import a_notification, an_occurrence
from delivery.slack_texts import texts_of

_MOST_BLOCKS, _LONGEST_FIELD, _LONGEST_MESSAGE = 50, 2_000, 13_000

_ANY_TEXT = st.text(max_size=60) | st.sampled_from(
    ["", " ", "&" * 5_000, "<>" * 3_000, "𝄞" * 3_000, "x" * 100_000, "a\n" * 20_000, "\ud800", "`"]
)
_TRAITS = st.dictionaries(_ANY_TEXT, _ANY_TEXT | st.integers() | st.floats(), max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    traits=_TRAITS,
    title=_ANY_TEXT,
    text=_ANY_TEXT,
    reason=_ANY_TEXT,
    body=st.none() | _ANY_TEXT,
    links=st.dictionaries(_ANY_TEXT, _ANY_TEXT.map("https://dash.example/{}".format), max_size=9),
    is_alarm=st.booleans(),
)
def test_no_message_passes_a_limit(
    traits: dict[str, Any],
    title: str,
    text: str,
    reason: str,
    body: str | None,
    links: dict[str, str],
    is_alarm: bool,
) -> None:
    """As Slack publishes them, and as its own library checks them."""
    event = {"traits": [[name, 1, value] for name, value in traits.items()], "event_type": title}
    told = (
        a_notification(reason=reason, alarm_name=title, reason_data={"event": event})
        if is_alarm
        else an_occurrence("test", "info", text=reason)
    )
    as_markup(told)
    posted = json.loads(json.dumps(message(told, title, text, links, body)))

    _check_with_slacks_library(posted)
    _check_by_count(posted)


def _check_with_slacks_library(posted: Mapping[str, Any]) -> None:
    kinds = {"header": HeaderBlock, "section": SectionBlock, "context": ContextBlock}
    for bar in posted["attachments"]:
        written = [*posted["blocks"], *bar["blocks"]]
        blocks = [Block.parse(block) for block in written]
        for block, made_of in zip(blocks, written, strict=True):
            assert type(block) is kinds[made_of["type"]]
            block.validate_json()
        BlockAttachment(blocks=blocks, color=bar["color"]).validate_json()


def _check_by_count(posted: Mapping[str, Any]) -> None:
    blocks = [*posted["blocks"], *posted["attachments"][0]["blocks"]]
    texts = texts_of(posted)
    fields = [field["text"] for block in blocks for field in block.get("fields", ())]
    assert len(blocks) <= _MOST_BLOCKS
    assert all(0 < _utf16(text) <= LONGEST_TEXT and text.strip() for text in texts)
    assert all(_utf16(field) <= _LONGEST_FIELD for field in fields)
    assert all(len(block.get("fields", ())) <= FIELDS_OF_A_SECTION for block in blocks)
    assert _utf16(posted["blocks"][0]["text"]["text"]) <= LONGEST_HEADER
    assert sum(map(_utf16, texts)) <= _LONGEST_MESSAGE
    assert not any(text.count("```") % 2 for text in texts if text.startswith("```"))


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@given(text=_ANY_TEXT, longest=st.integers(10, 200))
def test_a_text_that_is_cut_ends_between_characters(text: str, longest: int) -> None:
    shown = fit(text, longest)

    assert 0 < _utf16(shown) <= longest
    for entity in ("&amp;", "&lt;", "&gt;"):
        shown = shown.replace(entity, "")
    assert not set("&<>") & set(shown)
