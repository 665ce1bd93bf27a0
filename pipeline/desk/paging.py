"""Parts of lists: what the store found, one more than was asked for → a page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.desk.base import Document, Page
from pipeline.errors import InvalidValue

_Thing = TypeVar("_Thing")


def one_more(limit: int | None) -> int | None:
    """How many to ask for, so that it is seen whether a page follows."""
    if limit is not None and limit < 1:
        raise InvalidValue(f"limit must be at least 1, not {limit}", "limit")
    return None if limit is None else limit + 1


def page(
    found: Sequence[_Thing], limit: int | None, key: str, document: Callable[[_Thing], Document]
) -> Page:
    """The page of what was found; `key` is the field that marks its end."""
    documents = [document(each) for each in found[:limit]]
    more = limit is not None and len(found) > limit
    return Page(documents, documents[-1][key] if more else None)
