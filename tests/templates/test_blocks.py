"""Headings, tables, details and code, in text, HTML and Markdown (notifications 16)."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.errors import InvalidValue
from pipeline.templates.blocks import BLOCKS, Form

from any_message import JSON as ANY_JSON

TEXT, HTML, MARKDOWN = (BLOCKS[form] for form in Form)
COLUMNS = [
    {"label": "Volume", "id": "name"},
    {"label": "Size", "id": "size", "renderer": "human_bytes"},
]
VOLUMES = [{"name": "root", "size": 2**31}, {"name": "日本", "size": 2**40}]

EVIL = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "[click](http://evil.example)",
            "![x](http://evil.example/x.png)",
            "<http://evil.example>",
            "\n# heading\n",
            "a\n===",
            "```\nfence",
            "`code`",
            "1. one\n2. two",
            "- a\n- b",
            "> quote",
            "| a | b |",
            "&lt;b&gt;",
            "\x02<b>\x03",
            "**bold** __bold__ _it_ ~~gone~~",
            "\\[x](y)",
        ]
    ),
)


class Tags(HTMLParser):
    """The tags of a piece of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


# --- text --------------------------------------------------------------------------------------


def test_a_table_of_text_is_aligned_wide_characters_too() -> None:
    assert TEXT.table(COLUMNS, VOLUMES).split("\n") == [
        "Volume   Size",
        "------  -----",
        "root    2 GiB",
        "日本    1 TiB",
    ]


def test_details_of_text_stand_beside_each_other() -> None:
    assert TEXT.details({"Host": "a", "Affected": "b\nc", "Empty": "", "None": None}) == (
        "Host      a\nAffected  b\n          c"
    )


def test_what_text_looks_like() -> None:
    assert TEXT.heading("Traits") == "Traits\n======"
    assert TEXT.heading("Traits", 2) == "Traits\n------"
    assert TEXT.object({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    assert TEXT.change("ok", "alarm") == "ok → alarm"
    assert TEXT.verbatim(" a\n  b\n") == " a\n  b"


# --- Markdown ------------------------------------------------------------------------------------


def test_a_table_of_markdown_is_one() -> None:
    assert MARKDOWN.table(COLUMNS, [{"name": "a|b", "size": 1}]).split("\n") == [
        "| Volume | Size |",
        "| --- | ---: |",
        "| a\\|b | 1 B |",
    ]


def test_what_markdown_looks_like() -> None:
    assert MARKDOWN.heading("Traits", 2) == "### Traits"
    assert MARKDOWN.details({"Host": "a_b *"}) == "- **Host:** a_b \\*"
    assert MARKDOWN.object({"a": 1}) == '```json\n{\n  "a": 1\n}\n```'
    assert MARKDOWN.verbatim("a ``` b") == "````\na ``` b\n````"
    assert MARKDOWN.code("a`b") == "``a`b``"
    assert MARKDOWN.change("ok", "alarm") == "**ok** → **alarm**"


@given(EVIL)
def test_a_value_in_markdown_is_nothing_but_its_text(value: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(f"Said: {MARKDOWN.escape(value)}")

    assert set(Tags(html).tags) <= {"p", "br"}


@given(EVIL)
def test_a_value_can_not_leave_its_code(value: str) -> None:
    render = MarkdownIt("commonmark").render

    assert set(Tags(render(f"Said: {MARKDOWN.code(value)}")).tags) <= {"p", "code"}
    assert Tags(render(MARKDOWN.verbatim(value))).tags == ["pre", "code"]


@given(st.lists(st.tuples(EVIL, EVIL), min_size=1, max_size=3))
def test_details_and_tables_of_markdown_hold_any_text(pairs: list[tuple[str, str]]) -> None:
    render = MarkdownIt("commonmark").enable("table").render
    rows = [{"a": a, "b": b} for a, b in pairs]

    drawn = Tags(render(MARKDOWN.table(["a", "b"], rows)))
    listed = Tags(render(MARKDOWN.details(pairs)))

    assert set(drawn.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert drawn.tags.count("tr") == len(rows) + 1
    assert set(listed.tags) <= {"ul", "li", "strong"}


# --- HTML ----------------------------------------------------------------------------------------


@given(EVIL, EVIL)
def test_html_holds_no_tag_out_of_a_value(label: str, value: str) -> None:
    written = HTML.page(
        HTML.heading(value)
        + HTML.details({label: value, "b": [value], "c": {"d": value}})
        + HTML.table([{"label": label, "id": label}], [{label: value}])
        + HTML.object({label: value})
        + HTML.verbatim(value)
        + HTML.code(value)
        + HTML.badge(value, label)
        + HTML.change(value, label)
    )

    assert set(Tags(written).tags) <= {
        *("h2", "table", "tr", "th", "td", "pre", "code", "span", "br"),
    }
    assert "\x02" not in written
    assert "\x03" not in written


def test_running_words_become_paragraphs_between_blocks() -> None:
    whole = HTML.whole(f"One\ntwo\n\nthree\n{HTML.heading('H')}\nfour")

    assert re.sub(r"<(\w+)[^>]*>", r"<\1>", whole) == (
        "<p>One<br>\ntwo</p>\n<p>three</p>\n<h2>H</h2>\n<p>four</p>"
    )


def test_a_severity_has_its_colour_and_an_unknown_word_is_grey() -> None:
    assert "#9f1239" in HTML.badge("critical")
    assert "#9f1239" in HTML.badge("now", "critical")
    assert "#4b5563" in HTML.badge("anything")
    assert HTML.badge("") == ""


def test_a_link_is_one_in_every_form() -> None:
    url = "https://wiki.example/a?b=(1)&c=2"

    assert TEXT.link(url, "Run book") == f"Run book: {url}"
    assert TEXT.link(url) == url
    assert MARKDOWN.link(url, "Run [book]") == (
        "[Run \\[book\\]](https://wiki.example/a?b=%281%29&c=2)"
    )
    assert 'href="https://wiki.example/a?b=(1)&amp;c=2"' in HTML.link(url, "Run book")
    assert ">Run book</a>" in HTML.link(url, "Run book")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JAVAscript:x", "data:text/html,x", "//x"]
)
def test_a_url_that_is_not_to_be_followed_is_no_link(url: str) -> None:
    assert "<a" not in HTML.link(url, "Look")
    assert MARKDOWN.link(url, "Look").startswith("`Look ")


@given(EVIL, EVIL)
def test_a_link_stays_one_whatever_its_words(url: str, label: str) -> None:
    html = MarkdownIt("commonmark").render(MARKDOWN.link(f"https://x.example/{url}", label))

    assert set(Tags(html).tags) <= {"p", "a"}
    assert Tags(html).tags.count("a") == 1
    assert Tags(HTML.link(f"https://x.example/{url}", label)).tags == ["a"]


# --- all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
@given(value=ANY_JSON)
def test_any_value_can_be_drawn(blocks: Any, value: Any) -> None:
    drawn = [
        blocks.details({"a": value}),
        blocks.table(["a", "b"], [value, {"a": value}, [value, value, value]]),
        blocks.object(value),
        blocks.verbatim(value),
        blocks.heading(value),
        blocks.code(value),
        blocks.badge(value, value),
    ]
    assert all(isinstance(each, str) for each in drawn)


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_a_table_that_asks_for_what_there_is_not_says_so(blocks: Any) -> None:
    with pytest.raises(InvalidValue, match=r"unknown renderer 'bytes'.* Use one of human_bytes"):
        blocks.table([{"id": "a", "renderer": "bytes"}], [])
    with pytest.raises(InvalidValue, match="the id must be there"):
        blocks.table([{"label": "A"}], [])
    with pytest.raises(InvalidValue, match="a table needs a list of rows, not 'text'"):
        blocks.table(["a"], "text")


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_what_is_endless_is_cut_and_says_so(blocks: Any) -> None:
    assert "… 500 more" in blocks.table(["a"], [{"a": 1}] * 1_500)
    assert "(9000 characters)" in blocks.details({"a": "x" * 9_000}).replace("\\", "")
    assert "500 more" in blocks.details([(f"a{n}", n) for n in range(1_500)])
