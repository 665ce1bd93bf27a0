"""Replies: what Jenkins says in JSON, as values (its Remote Access API, `…/api/json?tree=…`).

Each `…_TREE` asks for no more than is read here, so that answers stay small. What does not look
as documented is no reply: `None`. Pure. Used by `pipeline.targets.jenkins` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

JOB_TREE: Final = "buildable,property[parameterDefinitions[name,choices]]"
QUEUE_TREE: Final = "cancelled,blocked,buildable,stuck,why,executable[number]"
BUILD_TREE: Final = "number,building,result"
BUILDS_TREE: Final = "builds[number,queueId]{0,100}"

_LONGEST_TEXT: Final = 200
_QUEUE_ITEM = re.compile(r"/queue/item/(\d{1,18})/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Job:
    """A job. `parameters` are those that it takes, with the choices of those that have some;
    None for a job that is not parameterised."""

    buildable: bool
    parameters: Mapping[str, Sequence[str] | None] | None


@dataclass(frozen=True, slots=True)
class QueueItem:
    """What waits for its build. `state` is one word, `why` Jenkins' reason for it."""

    state: str
    why: str = ""
    build: int | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Build:
    """A build that runs, or has ended with a result: `SUCCESS`, `FAILURE`, …"""

    result: str | None


@dataclass(frozen=True, slots=True)
class Crumb:
    """What Jenkins wants to see in a POST from who has no API token, and the session it is of."""

    field: str
    value: str
    cookies: str


def job(body: bytes) -> Job | None:
    """A job's own data; None for what is no job, such as a folder."""
    said = _object(body)
    if said is None or not isinstance(said.get("buildable"), bool):
        return None
    definitions = [
        definition
        for property in _objects(said.get("property"))
        if "parameterDefinitions" in property
        for definition in _objects(property["parameterDefinitions"])
    ]
    named = {
        definition["name"]: _texts(definition.get("choices"))
        for definition in definitions
        if isinstance(definition.get("name"), str)
    }
    return Job(said["buildable"], named or None)


def queue_item(body: bytes) -> QueueItem | None:
    """An item of the build queue, also one that has left it."""
    said = _object(body)
    if said is None:
        return None
    return QueueItem(
        state=next((s for s in ("stuck", "blocked", "buildable") if said.get(s)), "waiting"),
        why=_text(said.get("why")),
        build=_number(_mapping(said.get("executable")).get("number")),
        cancelled=said.get("cancelled") is True,
    )


def build(body: bytes) -> Build | None:
    """A build."""
    said = _object(body)
    if said is None or _number(said.get("number")) is None:
        return None
    result = said.get("result")
    ended = said.get("building") is False and isinstance(result, str)
    return Build(_text(result) or "UNKNOWN" if ended else None)


def build_of(body: bytes, item: int) -> int | None:
    """The number of the build that a queue item became, out of a job's newest."""
    for one in _objects((_object(body) or {}).get("builds")):
        if _number(one.get("queueId")) == item:
            return _number(one.get("number"))
    return None


def crumb(body: bytes, cookies: str) -> Crumb | None:
    """A crumb, with the cookies that came with it, each a line."""
    said = _object(body) or {}
    field, value = said.get("crumbRequestField"), said.get("crumb")
    if not (_is_token(field) and _is_token(value)):
        return None
    pairs = [line.partition(";")[0].strip() for line in cookies.splitlines()]
    return Crumb(str(field), str(value), "; ".join(pair for pair in pairs if "=" in pair))


def item_in(location: str) -> int | None:
    """The queue item that a `Location` leads to. Whose host it names counts for nothing."""
    try:
        found = _QUEUE_ITEM.search(urlsplit(location).path)
    except ValueError:
        return None
    return int(found[1]) if found else None


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = orjson.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A text in one line that can be shown; `''` for what is none."""
    line = " ".join(value.split()) if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else "�" for c in line)[:_LONGEST_TEXT]


def _texts(value: Any) -> Sequence[str] | None:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_token(value: Any) -> bool:
    """Whether it can stand in a header."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""
