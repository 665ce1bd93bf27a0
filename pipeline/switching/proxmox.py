"""Proxmox: notifications.cfg → targets, groups, filters and matchers. Pure.

Reads the public file, and the private one that has the tokens, passwords and secrets. Property
names are the same here, so most are carried over as they are; webhooks have theirs in base64, and
Handlebars in them. What cannot be carried over is listed with file, line and reason; the rest is
carried over without it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from pipeline.as_code import Item
from pipeline.dispatch import edits
from pipeline.dispatch.builtins import DEFAULT_MATCHER, MAIL_TO_ROOT
from pipeline.dispatch.entry_schema import OptionsCheck
from pipeline.errors import InvalidValue, Problem
from pipeline.switching.handlebars import to_jinja
from pipeline.switching.section_config import Section, sections

_MAIL: Final = ("author", "from-address")
_OF_EACH: Final[Mapping[str, Collection[str]]] = {
    "sendmail": _MAIL,
    "smtp": (*_MAIL, "server", "port", "mode", "username"),
    "gotify": ("server",),
    "webhook": ("method", "url"),
    "matcher": ("mode",),
    "group": (),
    "filter": ("min-severity",),
}
_LISTS: Final[Mapping[str, Collection[str]]] = {
    "sendmail": ("mailto", "mailto-user"),
    "smtp": ("mailto", "mailto-user"),
    "matcher": ("match-field", "match-severity", "match-calendar", "target"),
}
_FLAGS: Final = ("disable", "invert-match")
_TARGETS: Final = ("sendmail", "smtp", "gotify", "webhook")
_PRIVATE: Final[Mapping[str, str]] = {"smtp": "password", "gotify": "token"}
_TRUE: Final = ("1", "true", "yes", "on")


class Imported(NamedTuple):
    """The items, and what is not carried over."""

    items: list[Item]
    left: list[Problem]


@dataclass(slots=True)
class _Work:
    """An import that is being made."""

    check: OptionsCheck
    private: dict[tuple[str, str], Section]
    has_private: bool
    items: list[Item] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)


def imported(
    text: str, file: str, private: tuple[str, str] | None, check: OptionsCheck
) -> Imported:
    """What the text of a notifications.cfg says; `private` are text and name of the private one.

    `check` is what checks the options of targets.
    """
    left: list[Problem] = []
    secret = {(s.type, s.name): s for s in sections(*private, left)} if private else {}
    work = _Work(check, secret, private is not None, left=left)
    for section in sections(text, file, left):
        _take(work, section)
    items = _without_dangling(work)
    return Imported(items, sorted(left, key=lambda problem: (problem.file, problem.line or 0)))


def _take(work: _Work, section: Section) -> None:
    if section.type not in _OF_EACH:
        known = ", ".join(_OF_EACH)
        message = f"there is no such type here. Known are {known}."
        work.left.append(section.problem("", message))
        return
    data: dict[str, Any] = {"name": section.name}
    if section.type in _TARGETS:
        data["type"] = section.type
    taken = {"comment", "filter", "origin", *_FLAGS, *_OF_EACH[section.type]}
    taken.update(_LISTS.get(section.type, ()))
    data |= {n: section.one(n) for n in ("comment", *_OF_EACH[section.type]) if section.one(n)}
    data |= {n: section.all(n) for n in _LISTS.get(section.type, ()) if section.all(n)}
    data |= {n: True for n in _FLAGS if section.one(n).lower() in _TRUE}
    if section.type in (*_TARGETS, "group") and section.one("filter"):
        data["filter"] = section.one("filter")
    taken |= _special(work, section, data)
    for name, _, _ in section.properties:
        if name not in taken:
            work.left.append(section.problem(name, "is not carried over: nothing here means it."))
            taken.add(name)
    _add(work, section, data)


def _special(work: _Work, section: Section, data: dict[str, Any]) -> set[str]:
    """What the type has of its own; the properties that it has looked at."""
    match section.type:
        case "group":
            data["target"] = section.all("endpoint")
            return {"endpoint"}
        case "smtp" | "gotify":
            name = _PRIVATE[section.type]
            private = work.private.get((section.type, section.name))
            if private and private.one(name):
                data[name] = private.one(name)
            if data.get("port", "").isdigit():
                data["port"] = int(data["port"])
            return set()
        case "webhook":
            _webhook(work, section, data)
            return {"header", "body", "secret"}
    return set()


def _webhook(work: _Work, section: Section, data: dict[str, Any]) -> None:
    private = work.private.get((section.type, section.name), section)
    readings: Sequence[tuple[str, Callable[[], Any]]] = (
        ("url", lambda: to_jinja(section.one("url"))),
        ("body", lambda: to_jinja(_decoded(section.one("body")))),
        ("header", lambda: {k: to_jinja(v) for k, v in _pairs(section.all("header")).items()}),
        ("secret", lambda: _pairs(private.all("secret"))),
    )
    for name, read in readings:
        try:
            if found := read():
                data[name] = found
        except InvalidValue as error:
            work.left.append(section.problem(name, f"is not carried over: {error}."))
            data.pop(name, None)


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """`name=Content-Type,value=<base64>` of each."""
    found = {}
    for text in texts:
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        if not parts.get("name"):
            raise InvalidValue("name=…,value=… is needed")
        found[parts["name"]] = _decoded(parts.get("value", ""))
    return {name: value for name, value in found.items() if value}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidValue("it is not text in base64") from None


def _add(work: _Work, section: Section, data: Mapping[str, Any]) -> None:
    """Take it, if it can be used here."""
    kind = "target" if section.type in _TARGETS else section.type
    item = Item(kind, data, partial(_placed, section))
    try:
        edits.new(kind, data, work.check)
    except InvalidValue as error:
        work.left += [
            _explained(work, p) for p in item.problems(error.messages or {"": str(error)})
        ]
    else:
        work.items.append(item)


def _explained(work: _Work, problem: Problem) -> Problem:
    hint = " Tokens and passwords are in the private file: give it with --private."
    message = problem.message if work.has_private else problem.message + hint
    return Problem(problem.file, problem.line, None, problem.path, f"not carried over: {message}")


def _placed(section: Section, path: Sequence[str | int], message: str) -> Problem:
    return section.problem(str(path[0]) if path else "", message)


def _without_dangling(work: _Work) -> list[Item]:
    """The items without references to what is not carried over."""
    names = {item.name for item in work.items} | {MAIL_TO_ROOT, DEFAULT_MATCHER}
    cut = [_cut(work, item, names) for item in work.items]
    emptied = {
        after.name
        for before, after in zip(work.items, cut, strict=True)
        if before.data.get("target") and not after.data["target"]
    }
    work.left += [_kept_builtin(item) for item in cut if _silences(item, emptied)]
    found = [item for item in cut if not _silences(item, emptied)]
    for item in found:
        work.left += _changed_meanings(item)
    return found


def _cut(work: _Work, item: Item, names: Collection[str]) -> Item:
    data = dict(item.data)
    for name in data.get("target", []):
        if name not in names:
            work.left.append(item.problem(("target",), f"{name} is not carried over."))
    if "target" in data:
        data["target"] = [name for name in data["target"] if name in names]
    if data.get("filter") and data["filter"] not in names:
        message = f"the filter {data['filter']} is not carried over."
        work.left.append(item.problem(("filter",), message))
        del data["filter"]
    return Item(item.kind, data, item.place)


def _silences(item: Item, emptied: Collection[str]) -> bool:
    """Whether a default-matcher that told somebody would now tell nobody."""
    if item.kind != "matcher" or item.name != DEFAULT_MATCHER or item.data.get("disable"):
        return False
    targets = item.data.get("target", [])
    return item.name in emptied or (bool(targets) and set(targets) <= set(emptied))


def _kept_builtin(item: Item) -> Problem:
    message = (
        "is not carried over, as none of its targets is: what nothing else takes would go to "
        "nobody. The one here stays as it is."
    )
    return item.problem((), message)


def _changed_meanings(item: Item) -> Iterator[Problem]:
    """Several lines of a rule under mode all: each is a rule there, all are one rule here."""
    if item.kind != "matcher" or item.data.get("mode") == "any":
        return
    for name in ("match-severity", "match-calendar"):
        if len(set(item.data.get(name, ()))) > 1:
            message = (
                "is carried over with a changed meaning: in Proxmox all of these lines must hold, "
                "here one of them is enough. Write one that says what all of them say."
            )
            yield item.problem((name,), message)
