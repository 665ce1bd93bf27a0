"""HTML for mail: every style inline, as many mail programs know nothing else. Pure.

What is drawn reads well by day and by night, narrow and wide: the classes `t-…` are those for
which `shipped/frame.html.j2` has rules for the night. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from markupsafe import Markup

from pipeline.templates.blocks.base import Blocks, Table
from pipeline.templates.values import plain

BEGIN, END = "\x02", "\x03"
"""Stand around a block while a template writes; `whole` puts paragraphs between them."""

FONT: Final = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_WRAP: Final = "overflow-wrap:anywhere;word-break:break-word"
_LINE: Final = "border-bottom:1px solid #e5e7eb"
_STYLES: Mapping[str, str] = {
    "p": "margin:0 0 16px;" + _WRAP,
    "h1": "margin:24px 0 8px;font-size:16px;line-height:24px;font-weight:600;color:#111827",
    "h2": "margin:20px 0 8px;font-size:14px;line-height:20px;font-weight:600;color:#111827",
    "table": "width:100%;border-collapse:collapse;margin:0 0 16px;font-size:14px;line-height:20px",
    "th": "padding:8px 12px 8px 0;text-align:left;vertical-align:bottom;font-weight:600;"
    "color:#6b7280;border-bottom:2px solid #e5e7eb",
    "td": f"padding:8px 12px 8px 0;vertical-align:top;{_LINE};{_WRAP}",
    "label": f"padding:8px 16px 8px 0;vertical-align:top;{_LINE};color:#6b7280;font-weight:400;"
    f"text-align:left;width:30%;{_WRAP}",
    "pre": "margin:0 0 16px;padding:12px;border-radius:6px;background:#f3f4f6;color:#1f2937;"
    f"font:13px/20px {_MONO};white-space:pre-wrap;{_WRAP}",
    "code": f"padding:1px 4px;border-radius:4px;background:#f3f4f6;font:0.9em {_MONO};{_WRAP}",
    "badge": "display:inline-block;padding:1px 8px;border-radius:10px;font-size:13px;"
    "line-height:20px;font-weight:600;color:#ffffff;white-space:nowrap",
}

_GREY: Final = "#4b5563"
COLOURS: Mapping[str, str] = {
    "info": "#1d4ed8",
    "notice": "#0e7490",
    "low": "#0e7490",
    "warning": "#b45309",
    "moderate": "#b45309",
    "error": "#b91c1c",
    "critical": "#9f1239",
    "ok": "#15803d",
    "success": "#15803d",
    "finished": "#15803d",
    "alarm": "#b91c1c",
    "failed": "#b91c1c",
}
"""What severities, states and outcomes look like: white reads well on each."""

_PARAGRAPHS = re.compile(r"\n\s*\n")


class HtmlBlocks(Blocks):
    """Blocks of HTML. Every value is escaped."""

    def escape(self, text: str) -> str:
        return escape(text.replace(BEGIN, "").replace(END, ""))

    def whole(self, written: str) -> str:
        """Running words become paragraphs, and blocks stand between them."""
        parts = re.split(f"{BEGIN}([^{END}]*){END}", written)
        return "\n".join(
            part if index % 2 else _paragraphs(part)
            for index, part in enumerate(parts)
            if part.strip()
        )

    def page(self, written: str) -> str:
        """Nothing but the signs around blocks goes away."""
        return written.replace(BEGIN, "").replace(END, "")

    def heading(self, text: Any, level: int = 1) -> str:
        tag, style = f"h{level + 1}", _STYLES["h1" if level == 1 else "h2"]
        return _block(f'<{tag} class="t-text" style="{style}">{self._words(text)}</{tag}>')

    def draw(self, table: Table) -> str:
        head = "".join(
            _cell("th", "t-soft t-line", "th", escape(label), right)
            for label, right in zip(table.labels, table.numeric, strict=True)
        )
        rows = [f"<tr>{head}</tr>"]
        for row in table.rows:
            cells = zip(row, table.numeric, strict=True)
            line = "".join(
                _cell("td", "t-text t-line", "td", _lines(cell), right) for cell, right in cells
            )
            rows.append(f"<tr>{line}</tr>")
        if table.left_out:
            text = f"… {table.left_out} more"
            rows.append(f'<tr><td class="t-soft" colspan="{len(table.labels)}">{text}</td></tr>')
        return _block(
            f'<table role="presentation" style="{_STYLES["table"]}">{"".join(rows)}</table>'
        )

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        rows = [
            "<tr>"
            + _cell("th", "t-soft t-line", "label", escape(label))
            + _cell("td", "t-text t-line", "td", _lines(value))
            + "</tr>"
            for label, value in pairs
        ]
        return _block(
            f'<table role="presentation" style="{_STYLES["table"]}">{"".join(rows)}</table>'
        )

    def preformatted(self, text: str, language: str = "") -> str:
        inside = self.escape(text.strip("\n"))
        return _block(f'<pre class="t-code" style="{_STYLES["pre"]}">{inside}</pre>')

    def code(self, text: Any) -> str:
        return Markup(f'<code class="t-code" style="{_STYLES["code"]}">{self._words(text)}</code>')

    def anchor(self, url: str, words: str) -> str:
        shown, address = self._words(words or url), escape(url)
        return Markup(f'<a href="{address}" class="t-link" style="color:#1d4ed8">{shown}</a>')

    def badge(self, text: Any, tone: Any = None) -> str:
        words = self._words(text)
        colour = COLOURS.get(plain(text if tone is None else tone).lower(), _GREY)
        style = f"{_STYLES['badge']};background:{colour}"
        return Markup(f'<span style="{style}">{words}</span>' if words else "")

    def change(self, previous: Any, current: Any) -> str:
        return Markup(f"{self.badge(previous)} &rarr; {self.badge(current)}")

    def _words(self, text: Any) -> str:
        return self.escape(" ".join(plain(text).split()))


def colour(tone: str) -> str:
    """The colour of a severity, a state or an outcome."""
    return COLOURS.get(tone.lower(), _GREY)


def _block(html: str) -> str:
    return Markup(f"{BEGIN}{html}{END}")


def _cell(tag: str, names: str, style: str, inside: str, right: bool = False) -> str:
    align = ";text-align:right" if right else ""
    return f'<{tag} class="{names}" style="{_STYLES[style]}{align}">{inside}</{tag}>'


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


def _paragraphs(text: str) -> str:
    found = (part.strip() for part in _PARAGRAPHS.split(text))
    return "\n".join(
        f'<p class="t-text" style="{_STYLES["p"]}">{part.replace(chr(10), "<br>" + chr(10))}</p>'
        for part in found
        if part
    )
