"""An HTTP request's body and headers → the messages that were posted.

Pure: it decides how many messages a request holds and slices each out as the bytes that came, so
that `NaN`, huge integers and the order of keys reach `pipeline.envelope` untouched. It never
judges what a message says. Called by `pipeline.listeners.http.app`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.envelope.mail import MEDIA_TYPE, is_mail, why_cut
from pipeline.listeners.base import Message

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS_BATCH = "application/cloudevents-batch+json"
_ACCEPTED = (JSON, CLOUDEVENT, CLOUDEVENTS_BATCH)
_HOW = (
    f"Send it with the header 'Content-Type: {JSON}' (oslo or CADF), '{CLOUDEVENT}' or "
    f"'{CLOUDEVENTS_BATCH}', a mail as '{MEDIA_TYPE}', or a CloudEvent in binary mode with 'ce-' "
    "headers."
)

_BLANK = re.compile(r"[ \t\r\n]*")
# Only where an item ends is asked for, so numbers stay text: no limit on their digits applies.
_extent = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode


class Unacceptable(Exception):
    """The request is not one that holds messages; `status` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class Posted(NamedTuple):
    """What a request holds; `is_array` when its messages are numbered items of an array."""

    messages: list[Message]
    is_array: bool


def read(body: bytes, content_type: str | None, headers: Mapping[str, str]) -> Posted:
    """The messages of one request: one, or one for each item of a JSON array.

    `headers` have lower-case names; of them only CloudEvents' (`ce-…`) are handed on, so that no
    credential goes any further. Raises `Unacceptable`: 415 for a body of another kind, 400 for an
    array that is broken. The content type is demanded because a web page can post anything else
    to a loopback address without asking.
    """
    mimetype = (content_type or "").partition(";")[0].strip().lower()
    attributes = {name: value for name, value in headers.items() if name.startswith("ce-")}
    if "ce-specversion" in attributes:
        return Posted([Message(body, content_type, attributes, "http")], is_array=False)
    if is_mail(mimetype):
        # Whoever brings mails tries again what is refused: one that is cut is taken, and is none.
        messages = [] if why_cut(body) else [Message(body, content_type, {}, "http")]
        return Posted(messages, is_array=False)
    if mimetype not in _ACCEPTED:
        raise Unacceptable(415, f"cannot read a body of type {mimetype or 'unknown'}. {_HOW}")
    encoding = headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Unacceptable(415, f"cannot read the content encoding {encoding}. Send it as it is.")
    if mimetype == CLOUDEVENTS_BATCH:
        return _array(body, CLOUDEVENT)
    if body.lstrip().startswith(b"["):
        return _array(body, mimetype)
    return Posted([Message(body, content_type, {}, "http")], is_array=False)


def _array(body: bytes, content_type: str) -> Posted:
    messages = [Message(item, content_type, {}, "http") for item in _items(body)]
    return Posted(messages, is_array=True)


def _items(body: bytes) -> list[bytes]:
    try:
        text = body.decode("utf-8")
        return [item.encode() for item in _slices(text)]
    except UnicodeDecodeError as error:
        raise Unacceptable(400, f"the body is not UTF-8: {error}.") from error
    except RecursionError as error:
        raise Unacceptable(400, "the array is nested too deeply.") from error
    except ValueError as error:
        raise Unacceptable(400, f"the body is not a JSON array: {error}.") from error


def _slices(text: str) -> Iterator[str]:
    """The text of each item of the JSON array `text`. Raises `ValueError` where it is none."""
    place = _expect(text, _skip(text, 0), "[")
    place = _skip(text, place)
    if text.startswith("]", place):
        _end(text, place + 1)
        return
    while True:
        _, end = _extent(text, place)
        yield text[place:end]
        place = _skip(text, end)
        if text.startswith("]", place):
            _end(text, place + 1)
            return
        place = _skip(text, _expect(text, place, ","))


def _skip(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    return blank.end() if blank else place


def _expect(text: str, place: int, character: str) -> int:
    if not text.startswith(character, place):
        raise json.JSONDecodeError(f"Expecting {character!r}", text, place)
    return place + 1


def _end(text: str, place: int) -> None:
    place = _skip(text, place)
    if place != len(text):
        raise json.JSONDecodeError("Extra data", text, place)
