"""The errors that Tocsin raises on purpose, all under one base.

    TocsinError
    ├── ConfigError          a file or setting is wrong; carries every problem found (exit 2)
    │   └── InvalidDocuments … that somebody gave to be applied, not Tocsin's own
    ├── InvalidValue         a value that a person gave does not fit (an alarm field, a CLI option)
    │   └── Conflict         … with what there is: a name that is taken, a thing still in use
    ├── NotFound             nothing has that id or name
    ├── Ambiguous            more than one thing has that name
    ├── Unauthenticated      who asks has not shown who they are
    ├── Forbidden            who asks may not do this
    │   ├── OutOfReach       … with another's project or user, or with such an action
    │   └── OverQuota        … any more: there are as many alarms as there may be
    ├── IdentityUnavailable  who asks cannot be found out now; trying again may work
    ├── StoreUnavailable     the database cannot be reached or gave up; trying again may work
    ├── BrokerError          a broker refused what was asked of it; a person has to mend something
    └── PublishFailed        a sink did not take an event; it is kept and tried again
        └── PublishRefused   … and works all the same: it is these events that it does not take

A *failed delivery* is not an error but an outcome (`pipeline.notification`), and a message that
cannot be understood is a `Rejected` value (`pipeline.event`). Whatever else is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class TocsinError(Exception):
    """Base of every error that is raised on purpose. Its text is meant for a person."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: where it is, what it is and how to mend it.

    `line` and `column` count from 1; None where the file as a whole is meant. `path` is the way
    to the value inside the file (`traits.host.type`), `''` for the file itself.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        where = " ".join(part for part in (place, self.path) if part)
        return f"{where}: {self.message}"


class ConfigError(TocsinError):
    """A configuration that cannot be used. `problems` holds all that was found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidDocuments(ConfigError):
    """Documents that somebody gave, and that cannot be used: alarms and targets in YAML."""


class InvalidValue(TocsinError):
    """A value that does not fit. `field` names it where that is known.

    `messages` are all problems of a document, nested by field as marshmallow has them; None where
    it is one value.
    """

    def __init__(
        self,
        message: str,
        field: str | None = None,
        messages: Mapping[str, Any] | None = None,
    ) -> None:
        self.field, self.messages = field, messages
        super().__init__(message)


class NotFound(TocsinError):
    """Nothing has the given id or name."""


class Ambiguous(TocsinError):
    """More than one thing has the given name; an id is needed."""


class Unauthenticated(TocsinError):
    """Who asks has not shown who they are, or no longer may."""


class Forbidden(TocsinError):
    """Who asks is known, and may not do this."""


class OutOfReach(Forbidden):
    """Who asks may do this, but not with this one. `aspect` says what it is: project, user or
    action; `name` which. Aodh tells it from what a role forbids (alarms 8, 24)."""

    def __init__(self, message: str, aspect: str, name: str) -> None:
        self.aspect, self.name = aspect, name
        super().__init__(message)


class OverQuota(Forbidden):
    """There are as many alarms as the quota of the project, or of the user, allows."""


class IdentityUnavailable(TocsinError):
    """Who asks cannot be found out now: the service that knows it does not answer."""


class Conflict(InvalidValue):
    """What is asked for does not go with what there is: the name is taken, the thing is still
    used, or somebody has changed it meanwhile. `field` names it where that is known."""


class StoreUnavailable(TocsinError):
    """The database cannot be reached, or ended the transaction; trying again may work."""


class BrokerError(TocsinError):
    """A broker refused what was asked of it, in a way that only a person can mend."""


class PublishFailed(TocsinError):
    """A sink did not take an event; the event is kept and tried again.

    `left` holds the positions of the events that were not taken, in what the publisher was given;
    None where that is all of them, or is not known.
    """

    def __init__(self, message: str, left: Sequence[int] | None = None) -> None:
        self.left = left
        super().__init__(message)


class PublishRefused(PublishFailed):
    """A sink that works did not take these events, and others it may take: a queue that is
    missing for their type, a request that it calls wrong."""
