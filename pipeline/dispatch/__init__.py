"""Dispatch: from a notification to who receives it.

Pure. An alarm's action is a URL, or leads to a target or a group that people named; matchers send
notifications to such targets as well. Read by the worker, which plans the deliveries of what it
fires; by the store, which keeps whom a delivery is for beside it; and by the notifier, which holds
no more than so many attempts to one receiver at a time (delivery 8).
"""

from pipeline.dispatch.action import is_guarded, named, receiver, scheme
from pipeline.dispatch.entries import (
    Entry,
    FilterEntry,
    GroupEntry,
    MatcherEntry,
    Origin,
    TargetEntry,
)

__all__ = [
    "Entry",
    "FilterEntry",
    "GroupEntry",
    "MatcherEntry",
    "Origin",
    "TargetEntry",
    "is_guarded",
    "named",
    "receiver",
    "scheme",
]
