"""The event or the delivery that a question is about, and whether it is the caller's to see.

An event belongs to the project that its traits name, a delivery to its alarm's. What a caller
brings along is theirs. Called by the matters that try something out.
"""

from __future__ import annotations

from pipeline.access import Caller
from pipeline.desk.base import Parts
from pipeline.errors import NotFound
from pipeline.event import Event
from pipeline.notification import Notification
from pipeline.past import Content, Past, Reference


def seen(parts: Parts, caller: Caller, of: Reference) -> tuple[Past, Event | Notification]:
    """What is meant, and where to look further.

    Raises `NotFound`, also for what is not the caller's to see, and `InvalidValue` for content
    without an event.
    """
    past = parts.past()
    found = past.find(of)
    if isinstance(of, Content) or caller.sees_all:
        return past, found
    if not caller.sees_project(_project(parts, found)):
        raise NotFound(
            f"{of} is no file, no event in the archive and no delivery. "
            "See: tocsin event list, tocsin delivery list"
        )
    return past, found


def _project(parts: Parts, found: Event | Notification) -> str:
    if isinstance(found, Event):
        return found.project_id
    try:
        return parts.store.get(found.alarm_id).project_id
    except NotFound:
        return ""
