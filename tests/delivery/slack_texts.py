"""What the tests of Slack's messages share: the texts in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def texts_of(posted: Mapping[str, Any]) -> list[str]:
    """Every text of Slack's markup, in order."""
    blocks = [*posted["blocks"], *posted["attachments"][0]["blocks"]]
    parts = [
        part
        for block in blocks
        for part in (*block.get("fields", ()), *block.get("elements", ()), block.get("text"))
    ]
    return [part["text"] for part in parts if part]
