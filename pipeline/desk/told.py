"""What may be asked at the desk of who is told what: a protocol for each matter.

The targets at work, where notifications go, what they say, and everything as files.
`pipeline.desk.base` says what is true of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pipeline.as_code import Item
    from pipeline.desk.base import Document
    from pipeline.past import Content, Reference

PREVIEW_FORMATS = ("text", "html", "markdown", "subject")
"""The forms in which a notification can be previewed."""


class Targets(Protocol):
    """The types of targets, and targets and receivers as they are at work.

    What is told there may be given: `of` is the id of an archived event or of a delivery, or the
    content of a file with an event.
    """

    def types(self) -> list[str]:
        """The types that a target may have, by name."""

    def options(self, type: str) -> list[Document]:
        """A type's options: `option` (its name), `holds`, `needed` and `secret`.

        Raises `InvalidValue` for an unknown type.
        """

    def test(self, name: str, of: Reference | None = None) -> Document:
        """Tell a target something now: `target`, `outcome`, `status`, `reason`, `seconds` and
        `response_head`. Nothing is recorded; without `of` a test message is told.

        Raises `NotFound`, and `InvalidValue` for content without an event.
        """

    def enable(self, receiver: str) -> Document:
        """Tell somebody again who was disabled or is spared: a target's name, an action, or a
        receiver. `receiver`, without secrets, and whether it was `enabled` by this.

        Raises `NotFound`, and `InvalidValue` for a target that its own setting disables.
        """


class Routes(Protocol):
    """Where notifications go, and what matchers can look at."""

    def explain(self, of: Reference, alarm: str | None = None) -> Document:
        """Who would be told of an event or a past delivery, and why not the others.

        `alarm` is the name of the one that was asked for, by id or name. `notifications` are what
        the event makes of alarms, each with its `alarm` (name), its `policy`, `matchers` and
        `targets` (verdicts: `name`, `takes`, `why`) and `problems`. Nothing is told.

        Raises `NotFound`, and `InvalidValue` for content without an event.
        """

    def fields(self) -> list[Document]:
        """The fields that matchers can look at: `name`, and what it is for in `comment`.

        Those of all kinds, and those that were seen lately (notifications 13).
        """

    def values(self, field: str | None = None) -> list[Document]:
        """Values that fields had lately: `field`, `value`, `comment`; the frequent ones first."""


class Notifications(Protocol):
    """The kinds of notifications, their words, and notifications of people's own."""

    def kinds(self) -> list[Document]:
        """All kinds, each with its `fields`; those of people's own last."""

    def kind(self, id: str) -> Document:
        """One kind. Raises `NotFound`."""

    def templates(self) -> list[Document]:
        """Where each `kind`'s `subject`, `text`, `html` and `markdown` come from: `shipped`, or a
        file."""

    def preview(
        self,
        kind: str,
        format: str = "text",
        *,
        of: Reference | None = None,
        alarm: str | None = None,
        fields: Mapping[str, Any] = MappingProxyType({}),
        severity: str | None = None,
    ) -> Document:
        """What a notification says: `title`, `body` in that format (`PREVIEW_FORMATS`; none for
        `subject`), and the `failures` of templates that were passed over.

        It tells of an example with these `fields` in place of its own, or `of` something past
        (fired by that alarm). Raises `NotFound`, `InvalidValue`.
        """

    def send(
        self,
        kind: str,
        fields: Mapping[str, Any],
        severity: str | None = None,
        to: Sequence[str] = (),
    ) -> Document:
        """Send one: `notification_id` and the `actions` that it goes to, without secrets. Where
        there are none nothing is sent, and `nobody` says why. `to` are names of targets and
        groups, which alone are told.

        Raises `NotFound`, and `InvalidValue` with all that keeps the fields from the contract.
        """


class AsCode(Protocol):
    """Alarms, targets, groups, filters and matchers as a whole, as files have them."""

    def apply(
        self,
        files: Sequence[Content],
        items: Sequence[Item] = (),
        *,
        owner: str = "default",
        prune: bool = False,
        dry_run: bool = False,
    ) -> Document:
        """Make everything as YAML files and items say, all of it or nothing.

        `changes` are what is done, or would be: `kind`, `name`, `change` (create, change,
        delete) and `diff`, lines without secrets. `unchanged` counts the rest. `owner` names the
        set of files, of which `prune` deletes what they have no more.

        Raises `InvalidDocuments` with the places of all problems, `InvalidValue`, `Conflict`.
        """

    def export(self, *, with_secrets: bool = False) -> dict[str, str]:
        """A YAML text for each list that is not empty: `alarms`, `targets`, …

        Raises `InvalidValue` for secrets that are asked for and cannot be had.
        """
