"""Limits and origins as settings spell them. Pure; `pipeline.api` holds requests to them."""

from __future__ import annotations

from urllib.parse import urlsplit

from limits import RateLimitItem, parse_many

from pipeline.errors import InvalidValue


def rates_of(text: str) -> tuple[RateLimitItem, ...]:
    """The limits that a text names: `600/minute; 20/second`; none for an empty one.

    Raises `InvalidValue`.
    """
    if not text.strip():
        return ()
    try:
        found = tuple(parse_many(text))
    except ValueError:
        found = ()
    if not found or any(rate.amount < 1 for rate in found):
        raise InvalidValue(f"{text!r} is no rate. Write 600/minute, or 20/second.")
    return found


def check_origin(text: str) -> None:
    """Raise `InvalidValue` for what is no origin as browsers send it: `https://host:port`."""
    parts = urlsplit(text)
    plain = f"{parts.scheme}://{parts.netloc}".lower()
    odd = parts.username is not None or not parts.hostname or plain != text
    if parts.scheme not in ("http", "https") or odd:
        raise InvalidValue(
            f"{text!r} is no origin. Write https://console.example, in small letters and without "
            "a path; * is not taken."
        )
