"""What a template writes beyond plain words: headings, tables, blocks of code (notifications 16).

Each form (text, HTML, Markdown) has its `Blocks`; a template calls them by the same names in each.
Values may be anything; they are escaped as the form needs it, and cut where they are very long.

    base.py       the names, and how rows and cells come out of what a template gives
    text.py       plain text, aligned in columns
    html.py       HTML for mail: styles inline, readable by day and by night
    markdown.py   Markdown as GitHub's
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pipeline.templates.blocks.base import Blocks
from pipeline.templates.blocks.html import HtmlBlocks
from pipeline.templates.blocks.markdown import MarkdownBlocks
from pipeline.templates.blocks.text import TextBlocks


class Form(StrEnum):
    """In which form something is rendered."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"


BLOCKS: Mapping[Form, Blocks] = {
    Form.TEXT: TextBlocks(),
    Form.HTML: HtmlBlocks(),
    Form.MARKDOWN: MarkdownBlocks(),
}

__all__ = ["BLOCKS", "Blocks", "Form"]
