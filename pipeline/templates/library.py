"""Library: templates by name, people's own and the shipped ones, compiled when first asked for.

A template may include and extend others: those of people's directory, then the shipped ones,
which are also `shipped/NAME`; nothing else of the file system. The shipped ones see only each
other, so that no mistake in the directory reaches them. Files of the directory are read again
when one of them has changed; who asks for a template looks whether one has.

Safe to use from many threads. Called by `pipeline.templates.render`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, Final

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader, Template, nodes
from markupsafe import Markup

from pipeline.templates import values
from pipeline.templates.blocks import BLOCKS, Form
from pipeline.templates.bounds import BoundedEnvironment
from pipeline.templates.settings import SHIPPED_TEMPLATES

_MOST_FILES: Final = 1_000
_HTML = ".html.j2"


class Owner(StrEnum):
    """Whose a template is."""

    USER = "user"
    SHIPPED = "shipped"


class FormEnvironment(BoundedEnvironment):
    """Templates of one form: what they call, and how what they write is escaped."""

    def __init__(self, form: Form, loader: BaseLoader | None = None, **options: Any) -> None:
        self.form, self.blocks = form, BLOCKS[form]
        escaping = form is not Form.TEXT
        super().__init__(loader=loader, autoescape=escaping, auto_reload=False, **options)
        self.globals.update(_VALUES, **{name: self._helper(name) for name in _HELPERS})
        self.filters.update({n: self.counted(n, call) for n, call in _VALUES.items()})

    def written(self, value: Any) -> Any:
        """A value as it is written out, escaped as the form needs it."""
        if isinstance(value, Markup) or self.form is Form.TEXT:
            return super().written(value)
        return Markup(self.blocks.escape(super().written(value)))

    def filled(self, template: Template, context: Mapping[str, Any], *, page: bool) -> str:
        """What a template writes, with these values: a whole `page`, or what goes into one.

        Whatever it raises comes out.
        """
        with self.bounded():
            written = template.render(context)
        return self.blocks.page(written) if page else self.blocks.whole(written)

    def _helper(self, name: str) -> Any:
        """A block by its name; what it writes is escaped already."""
        write: Callable[..., str] = getattr(self.blocks, name)
        if self.form is Form.TEXT:
            return write
        return wraps(write)(lambda *args, **options: Markup(write(*args, **options)))

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None,
        defer_init: bool = False,
    ) -> str:  # fmt: skip
        if self.form is Form.HTML and not (name or "").endswith(_HTML):
            # A template for all forms is no HTML: its own words are escaped as well.
            for data in source.find_all(nodes.TemplateData):
                data.data = self.blocks.escape(data.data)
        return super()._generate(source, name, filename, defer_init)


@dataclass(frozen=True)
class Shelf:
    """Templates of one owner, as the files now are."""

    loader: BaseLoader
    directory: Path | None = None
    files: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)

    @cached_property
    def environments(self) -> Mapping[Form, FormEnvironment]:
        """One for each form."""
        return {form: FormEnvironment(form, self.loader) for form in Form}

    def get(self, form: Form, name: str) -> Template | None:
        """The template of this name, None where there is none. Raises what its syntax raises."""
        return self.environments[form].get_template(name) if name in self.files else None

    def path(self, name: str) -> str:
        """Where the template of this name is, for messages."""
        return str(self.directory / name) if self.directory and name in self.files else name

    @cached_property
    def from_source(self) -> Any:
        """(form, source) → the template that stands in a kind's entry."""
        return lru_cache(maxsize=1_000)(
            lambda form, source: self.environments[form].from_string(source)
        )


class Library:
    """All templates; those of `directory` go before the shipped ones, if there is one."""

    def __init__(self, directory: str = "") -> None:
        self.directory = Path(directory) if directory else None
        shipped = FileSystemLoader(SHIPPED_TEMPLATES)
        self._shipped = Shelf(shipped, SHIPPED_TEMPLATES, _files(SHIPPED_TEMPLATES))
        self._user = Shelf(shipped)
        self._lock = threading.Lock()

    def shelves(self) -> Mapping[Owner, Shelf]:
        """The templates of each, as the files now are."""
        if self.directory is not None:
            self._look(self.directory)
        return {Owner.USER: self._user, Owner.SHIPPED: self._shipped}

    def _look(self, directory: Path) -> None:
        files = _files(directory)
        with self._lock:
            if files != self._user.files:
                shipped = self._shipped.loader
                own: list[BaseLoader] = [FileSystemLoader(directory), shipped]
                loader = ChoiceLoader([PrefixLoader({"shipped": shipped}), *own])
                self._user = Shelf(loader, directory, files)


def _files(directory: Path) -> dict[str, tuple[int, int, int]]:
    """The directory's files by name, with what tells one state of a file from another."""
    found: dict[str, tuple[int, int, int]] = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.stat()
            except OSError:
                continue  # It went away meanwhile.
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            found[path.relative_to(directory).as_posix()] = stamp
            if len(found) >= _MOST_FILES:
                return found
    return found


_HELPERS = (
    *("heading", "table", "details", "object", "verbatim"),
    *("code", "link", "badge", "change"),
)
_VALUES: Mapping[str, Any] = {
    "human_bytes": values.human_bytes,
    "duration": values.duration,
    "timestamp": values.timestamp,
    "relative_percentage": values.relative_percentage,
    "label": values.label,
    "json": values.as_json,
    "url_encode": values.url_encode,
}
