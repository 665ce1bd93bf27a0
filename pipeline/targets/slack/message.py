"""Message: a notification → what Slack shows: a title, and a bar in the severity's colour.

Slack refuses a whole message for one block that is too long, so everything is cut to its limits:
150 characters of header, 3,000 of a text, 2,000 of a field, ten fields of a section, 50 blocks,
and about 13,000 characters of all blocks together. `&`, `<` and `>` are the only characters that
Slack's markup escapes; with them escaped, no text makes a link or calls `@channel`.

Pure. Used by `pipeline.targets.slack.target` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

from pipeline.alarms.alarm import State
from pipeline.notification import AlarmTransition, Notification, Occurrence, Subject

Block: TypeAlias = dict[str, Any]

LONGEST_HEADER: Final = 150
LONGEST_TEXT: Final = 3_000
FIELDS_OF_A_SECTION: Final = 10

_MOST_FIELDS = 20
_LONGEST_NAME, _LONGEST_VALUE = 80, 250
_MOST_PARTS = 2
"""Sections for a long text. With 20 fields a message has under 12,000 characters."""
_LONGEST_REASON = 1_500
_LONGEST_LINK, _MOST_LINKS = 500, 3

_GREEN, _GREY = "#2f9e44", "#868e96"
_COLOURS: Final[Mapping[str, str]] = {
    "info": "#3b82f6",
    "notice": "#0ca678",
    "low": "#0ca678",
    "warning": "#f59f00",
    "moderate": "#f59f00",
    "error": "#e03131",
    "critical": "#9b1c31",
}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message(
    notification: Notification,
    title: str,
    text: str,
    links: Mapping[str, str],
    body: str | None = None,
) -> dict[str, Any]:
    """The message, for webhook and API alike.

    `title` and `text` are the notification in words; `links` are URLs by what they are called.
    `body` is Slack markup of people's own, in place of what is otherwise made of the notification.
    """
    alarm = notification.alarm
    if body is not None:
        blocks = [_section(part) for part in _parts(body, escaped=True)]
    elif alarm:
        blocks = list(_of_alarm(alarm))
    else:
        blocks = [_section(part) for part in _parts(text, fenced=True)]
    if led := _links(links):
        blocks.append(_section(led))
    blocks.append(_context(notification))
    shown = fit(_one_line(title) or notification.kind, LONGEST_HEADER)
    header = {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}
    return {
        "text": shown,
        "blocks": [header],
        "attachments": [{"color": colour(notification), "fallback": shown, "blocks": blocks}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def as_markup(notification: Notification) -> Notification:
    """The same, with whatever came from outside escaped, for templates of Slack's markup."""
    match notification.subject:
        case AlarmTransition() as alarm:
            subject: Subject = replace(
                alarm,
                alarm_name=escape(alarm.alarm_name),
                reason=escape(alarm.reason),
                reason_data=_escaped(dict(alarm.reason_data)),
            )
        case Occurrence(kind=kind, fields=fields):
            subject = Occurrence(kind, _escaped(dict(fields)))
    return replace(notification, subject=subject)


def colour(notification: Notification) -> str:
    """The bar's colour: of the severity, but green for an alarm that is over."""
    if notification.alarm and notification.alarm.current is State.OK:
        return _GREEN
    return _COLOURS.get(notification.severity, _GREY)


def escape(text: str) -> str:
    """The text as Slack's markup shows it, whatever it is."""
    return "".join(_ENTITIES.get(character, character) for character in _clean(text))


def fit(text: str, longest: int) -> str:
    """The text escaped, no longer than this and not empty; no character is cut in two."""
    shown = escape(text.strip())
    if _length(shown) <= longest:
        return shown or "–"
    kept, length = [], 1
    for character in map(escape, text.strip()[:longest]):
        length += _length(character)
        if length > longest:
            break
        kept.append(character)
    return "".join(kept) + "…"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _of_alarm(alarm: AlarmTransition) -> Iterator[Block]:
    fields = alarm.fields
    event = fit(f"{fields['event_type']}", LONGEST_HEADER) if fields["event_type"] else ""
    cause = f"`{_untick(event)}` has moved the alarm" if event else "The alarm has moved"
    yield _section(f"{cause} from _{alarm.previous.value}_ to *{alarm.current.value}*.")
    yield from _table(fields["traits"])
    if alarm.reason.strip():
        yield _section(f"```{_untick(fit(alarm.reason, _LONGEST_REASON))}```")


def _table(traits: Mapping[str, Any]) -> Iterator[Block]:
    """Traits, two in a row."""
    shown = [
        f"*{fit(_one_line(name), _LONGEST_NAME)}*\n{fit(str(value), _LONGEST_VALUE)}"
        for name, value in list(traits.items())[:_MOST_FIELDS]
    ]
    for start in range(0, len(shown), FIELDS_OF_A_SECTION):
        some = shown[start : start + FIELDS_OF_A_SECTION]
        yield {"type": "section", "fields": [_markup(field) for field in some]}
    if (more := len(traits) - _MOST_FIELDS) > 0:
        yield _section(f"… and {more} traits more")


def _links(links: Mapping[str, str]) -> str:
    """Links of those URLs that are some, in a line."""
    shown = []
    for name, url in list(links.items())[:_MOST_LINKS]:
        # What would end the link is spelled as URLs do.
        target = escape(quote(_clean(url), safe="!#$%&'()*+,/:;=?@[]~"))
        if _is_link(url) and len(target) <= _LONGEST_LINK:
            shown.append(f"<{target}|{fit(_one_line(name).replace('|', '/'), _LONGEST_NAME)}>")
    return " · ".join(shown)


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _context(notification: Notification) -> Block:
    """The small line at the end: how severe, what, when."""
    at = notification.created_at
    # Each reader sees it in the time zone that is theirs.
    when = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time_secs}}|{at.isoformat()}>"
    said = [
        f"severity *{fit(notification.severity, _LONGEST_NAME)}*",
        fit(notification.kind, _LONGEST_NAME),
        when,
    ]
    if alarm := notification.alarm:
        said.append(f"alarm {fit(alarm.alarm_id, _LONGEST_NAME)}")
    return {"type": "context", "elements": [_markup(" · ".join(said))]}


def _parts(text: str, *, fenced: bool = False, escaped: bool = False) -> Sequence[str]:
    """A long text in parts that Slack takes, parted between lines; the rest is left out."""
    room = LONGEST_TEXT - 100
    parts: list[str] = []
    left = _clean(text).strip("\n") or "–"
    while left and len(parts) < _MOST_PARTS:
        part, left = _cut(left, room, escaped=escaped)
        parts.append(part)
    if left:
        parts[-1] = f"{parts[-1]}\n…"
    return [f"```{_untick(part)}```" for part in parts] if fenced else parts


def _cut(text: str, room: int, *, escaped: bool) -> tuple[str, str]:
    """As much as there is room for once it is escaped, and what is left."""
    length, end = 0, 0
    for character in text:
        length += _length(character if escaped else _ENTITIES.get(character, character))
        if length > room:
            break
        end += 1
    if end < len(text) and (line := text.rfind("\n", room // 2, end)) > 0:
        end = line
    part, left = text[:end], text[end:].strip("\n")
    shown = part if escaped else escape(part)
    return shown.strip() or "–", left


def _section(text: str) -> Block:
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _untick(text: str) -> str:
    """The text with no backticks, which would end a block of code."""
    return text.replace("`", "ˋ")


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _clean(text: str) -> str:
    """The text without what JSON or a screen cannot take: control characters, half a character."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in whole)


def _length(text: str) -> int:
    """How long a text is to who counts in UTF-16, which is no shorter than any other count."""
    return len(text.encode("utf-16-le")) // 2
