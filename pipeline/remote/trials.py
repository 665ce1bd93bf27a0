"""Alarms tried out on events, as requests (`desk.base.Trials`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.desk import Document
from pipeline.errors import InvalidValue
from pipeline.past import Reference
from pipeline.remote.connection import Connection
from pipeline.remote.references import sent

_MOST_BYTES = 16 * 1024 * 1024


class RemoteTrials:
    """`desk.base.Trials`: asks a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def explain(self, alarm: str, event: Reference, at: datetime | None = None) -> Document:
        """Why an alarm does or does not fire on an event."""
        body = {**sent(event), **_time("at", at)}
        return self._connection.post("alarms", alarm, "explain", body=body)

    def test(
        self,
        alarms: Sequence[Mapping[str, Any]],
        lines: Iterable[bytes] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest: int = 10,
    ) -> Document:
        """On which events these alarms would have fired."""
        body: dict[str, Any] = {"alarms": list(alarms), "newest": newest}
        body |= _time("since", since) | _time("until", until)
        if lines is not None:
            body["events"] = list(_sent(lines))
        return self._connection.post("alarms", "test", body=body)


def _time(name: str, moment: datetime | None) -> dict[str, str]:
    return {} if moment is None else {name: moment.isoformat()}


def _sent(lines: Iterable[bytes]) -> Iterator[Any]:
    """Each line as the object that it is, else as a text. Raises `InvalidValue` for too many."""
    size = 0
    for line in lines:
        size += len(line)
        if size > _MOST_BYTES:
            raise InvalidValue(
                f"more than {_MOST_BYTES:,} bytes of events are too many to be sent to a server."
                " Give fewer, or try the alarms out where no --server is asked.",
                "events",
            )
        yield _object(line)


def _object(line: bytes) -> Any:
    text = line.decode("utf-8", "surrogateescape")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict) else text
