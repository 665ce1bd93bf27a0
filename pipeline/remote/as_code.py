"""Everything as files, as requests (`desk.base.AsCode`).

Files go along as their texts, so that problems have their places; items as JSON, and what is
wrong with one is said by the item itself, which knows where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.as_code import Item
from pipeline.desk import Document
from pipeline.errors import InvalidDocuments, Problem
from pipeline.past import Content
from pipeline.remote.connection import Connection

_OF_AN_ITEM = re.compile(r"items\.(?P<number>\d+)\.\w+(?:\.(?P<first>[^.]+).*)?", re.DOTALL)
_SUFFIX = ".yaml"


class RemoteAsCode:
    """`desk.base.AsCode`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def apply(
        self,
        files: Sequence[Content],
        items: Sequence[Item] = (),
        *,
        owner: str = "default",
        prune: bool = False,
        dry_run: bool = False,
    ) -> Document:
        """Make everything as files and items say, all of it or nothing."""
        asked = {
            "files": [{"name": file.name, "text": file.text} for file in files],
            "items": [{item.kind: dict(item.data)} for item in items],
            "set": owner,
            "prune": prune,
            "dry_run": dry_run,
        }
        try:
            return self._connection.post("apply", body=asked)
        except InvalidDocuments as error:
            raise InvalidDocuments([_placed(each, items) for each in error.problems]) from error

    def export(self, *, with_secrets: bool = False) -> dict[str, str]:
        """A YAML text for each list that is not empty."""
        asked = {"secrets": "true"} if with_secrets else {}
        files = self._connection.get("export", **asked)["files"]
        return {file["name"].removesuffix(_SUFFIX): file["text"] for file in files}


def _placed(problem: Problem, items: Sequence[Item]) -> Problem:
    """The problem as the item tells it that it is about."""
    found = None if problem.file else _OF_AN_ITEM.fullmatch(problem.path)
    if found is None:
        return problem
    first = found["first"]
    return items[int(found["number"])].problem([first] if first else [], problem.message)
