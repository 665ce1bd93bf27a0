"""Rendering: a notification → its title and body.

A template that fails is passed over, and that is told; only when all fail there is an error.
Called by targets, from many threads. Reads no clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

from jinja2 import Template
from markupsafe import Markup

from pipeline.errors import InvalidValue
from pipeline.kinds import BUILTIN, Kind, Kinds
from pipeline.notification import Notification
from pipeline.templates.blocks import BLOCKS, Form
from pipeline.templates.candidates import BODY, FRAME, SUBJECT, Candidate, candidates
from pipeline.templates.context import context_of
from pipeline.templates.expansion import Expansion
from pipeline.templates.failures import Failure, failure_of
from pipeline.templates.library import Library, Owner, Shelf
from pipeline.templates.settings import TemplatesSettings
from pipeline.templates.texts import clean, one_line

_MOST_TOLD: Final = 1_000


class Rendered:
    """A notification in words, each made when it is first asked for. The title is one line.

    `failures` are those of templates that were passed over so far. For one thread.
    """

    def __init__(self, write: Callable[[str, Form], str], failures: list[Failure]) -> None:
        self._write, self.failures = write, failures

    @cached_property
    def title(self) -> str:
        """One line. Raises `InvalidValue` when every template fails, as all of these do."""
        return self._write(SUBJECT, Form.TEXT)

    @cached_property
    def text(self) -> str:
        """The body as plain text."""
        return self._write(BODY, Form.TEXT)

    @cached_property
    def html(self) -> str:
        """The body as a whole HTML page."""
        return self._write(BODY, Form.HTML)

    @cached_property
    def markdown(self) -> str:
        """The body as Markdown."""
        return self._write(BODY, Form.MARKDOWN)


class Source(NamedTuple):
    """A template: whose it is, and its file or the entry of the kind that it stands in."""

    owner: Owner
    file: str


class Templates:
    """The templates in force. Safe to use from many threads.

    `log` is told of every template that fails, once; `failed` each time, with its file.
    """

    def __init__(
        self,
        settings: TemplatesSettings | None = None,
        kinds: Kinds | None = None,
        log: Any = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        self.kinds = Kinds(BUILTIN) if kinds is None else kinds
        self.library = Library((settings or TemplatesSettings()).directory)
        self._expansion = Expansion()
        self.failed, self._log = failed, log
        self._told: set[Failure] = set()
        self._lock = threading.Lock()

    def render(self, notification: Notification, *, tried: bool = False) -> Rendered:
        """The notification's title and body, by the templates of its kind.

        What is only `tried` tells of its failures by itself: nobody else hears of them.
        """
        kind = self.kinds.of(notification.kind)
        tell = _tell_nobody if tried else self._tell
        writing = _Writing(kind, notification, self.library.shelves(), tell)
        return Rendered(writing.write, writing.failures)

    def sources(self, kind: Kind) -> dict[str, Source]:
        """Where a kind's subject and its bodies come from: the first template that there is."""
        shelves = self.library.shelves()
        parts = [(SUBJECT, SUBJECT, Form.TEXT), *((form.value, BODY, form) for form in Form)]
        return {
            name: next(
                Source(each.owner, shelves[each.owner].path(each.file))
                for each in candidates(kind, part, form)
                if each.source or each.file in shelves[each.owner].files
            )
            for name, part, form in parts
        }

    def expand(
        self,
        template: str,
        notification: Notification,
        secrets: Mapping[str, str],
        *,
        strict: bool = False,
    ) -> str:
        """A template of a target's own options, filled in.

        It sees `title`, `message`, `markdown`, `html`, `severity`, `timestamp`, `created_at`,
        `kind`, `fields.*`, `traits.*` and `secrets.*`. Raises `InvalidValue` for one that fails,
        without the secrets' values. A name that is not there is empty; `strict`, it fails, for
        what must not be done with half of the facts.
        """
        words = self.render(notification)
        return self._expansion.filled(template, notification, words, secrets, strict=strict)

    def _tell(self, failure: Failure, kind: str) -> None:
        if self.failed is not None:
            self.failed(failure.file)
        with self._lock:
            known = failure in self._told
            if not known and len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(failure)
        if self._log is not None and not known:
            self._log.error("template.failed", kind=kind, template=failure.place,
                            reason=failure.reason)  # fmt: skip


def _tell_nobody(failure: Failure, kind: str) -> None:
    pass


class _Writing:
    """One notification being put into words."""

    def __init__(
        self,
        kind: Kind,
        notification: Notification,
        shelves: Mapping[Owner, Shelf],
        tell: Callable[[Failure, str], None],
    ) -> None:
        self._kind, self._notification, self._shelves = kind, notification, shelves
        self._tell = tell
        self.failures: list[Failure] = []

    def write(self, part: str, form: Form) -> str:
        """The subject or body by the first template that works."""
        for candidate in candidates(self._kind, part, form):
            written = self._try(candidate, form, self._seen_by(part))
            if written is None:
                continue
            if part == BODY:
                return clean(written)
            if line := one_line(written):
                return line
            file = self._shelves[candidate.owner].path(candidate.file)
            self._pass_over(Failure(file, None, "it makes an empty subject."))
        failures = "; ".join(map(str, self.failures))
        raise InvalidValue(f"no {part} template of {self._kind.id} can be used: {failures}")

    @cached_property
    def _title(self) -> str:
        return self.write(SUBJECT, Form.TEXT)

    @cached_property
    def _context(self) -> Mapping[str, Any]:
        return context_of(self._notification, self._kind)

    def _seen_by(self, part: str) -> Mapping[str, Any]:
        return self._context if part == SUBJECT else {**self._context, "title": self._title}

    def _try(self, candidate: Candidate, form: Form, context: Mapping[str, Any]) -> str | None:
        """What the candidate makes, None where there is none or it fails."""
        written = self._filled(candidate, context)
        if written is None:
            return None
        if candidate.verbatim:
            blocks = BLOCKS[form]
            written = blocks.whole(blocks.verbatim(written))
        if form is Form.HTML and not candidate.page:
            return self._framed(written, context)
        return written

    def _framed(self, body: str, context: Mapping[str, Any]) -> str | None:
        more = {**context, "body": Markup(body)}
        for owner in Owner:
            frame = Candidate(owner, FRAME, Form.HTML, page=True)
            if (framed := self._filled(frame, more)) is not None:
                return framed
        return None

    def _filled(self, candidate: Candidate, context: Mapping[str, Any]) -> str | None:
        shelf, form = self._shelves[candidate.owner], candidate.form
        try:
            template: Template | None = (
                shelf.from_source(form, candidate.source)
                if candidate.source
                else shelf.get(form, candidate.file)
            )
            if template is None:
                return None
            return shelf.environments[form].filled(template, context, page=candidate.page)
        except Exception as error:  # noqa: BLE001 - a template may raise whatever Python has
            self._pass_over(failure_of(error, shelf.path(candidate.file)))
            return None

    def _pass_over(self, failure: Failure) -> None:
        self.failures.append(failure)
        self._tell(failure, self._kind.id)
