"""Expansion: templates that stand in a target's own options: a webhook's body, a job's parameter.

They write plain text, escaped by nobody but their own filters: `json`, `escape` (for the inside
of a JSON text), `url_encode`. Safe to use from many threads. Called by `render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

from jinja2 import StrictUndefined, Template, Undefined, meta

from pipeline.errors import InvalidValue
from pipeline.notification import Notification
from pipeline.templates import values
from pipeline.templates.blocks import Form
from pipeline.templates.context import described
from pipeline.templates.failures import masked_reason
from pipeline.templates.library import FormEnvironment


class Words(Protocol):
    """A notification in words, each made when it is asked for."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def markdown(self) -> str: ...


class _Compiled(NamedTuple):
    template: Template
    names: frozenset[str]


_WORDS = {"title": "title", "message": "text", "html": "html", "markdown": "markdown"}


class Expansion:
    """Fills such templates in; each is compiled once."""

    def __init__(self) -> None:
        self._lenient, self._strict = _environment(Undefined), _environment(StrictUndefined)
        self._compiled = lru_cache(maxsize=1_000)(_compiled)

    def filled(
        self,
        source: str,
        notification: Notification,
        words: Words,
        secrets: Mapping[str, str],
        *,
        strict: bool,
    ) -> str:
        """What the template writes; a name that is not there is empty, `strict` an error.

        Raises `InvalidValue`, without the secrets' values.
        """
        environment = self._strict if strict else self._lenient
        try:
            template, names = self._compiled(environment, source)
        except Exception as error:  # noqa: BLE001 - whatever Jinja2 and Python have
            raise _unusable(masked_reason(error, source, secrets.values())) from None
        context: dict[str, Any] = {
            **described(notification),
            "fields": dict(notification.fields),
            "traits": notification.fields.get("traits", {}),
            "secrets": dict(secrets),
            **{name: getattr(words, of) for name, of in _WORDS.items() if name in names},
        }
        try:
            with environment.bounded():
                return template.render(context)
        except Exception as error:  # noqa: BLE001 - a template may raise whatever Python has
            # Not from the error: it may hold a secret.
            raise _unusable(masked_reason(error, source, secrets.values())) from None


def check_template(source: str) -> None:
    """Raise `InvalidValue` for a template that is none, or that asks for a filter there is not."""
    try:
        _environment(StrictUndefined).from_string(source)
    except Exception as error:
        raise InvalidValue(masked_reason(error, source, ())) from error


@cache
def _environment(undefined: type[Undefined]) -> FormEnvironment:
    environment = FormEnvironment(Form.TEXT, undefined=undefined, keep_trailing_newline=True)
    environment.filters["escape"] = environment.counted("escape", values.json_escape)
    return environment


def _compiled(environment: FormEnvironment, source: str) -> _Compiled:
    names = meta.find_undeclared_variables(environment.parse(source))
    return _Compiled(environment.from_string(source), frozenset(names))


def _unusable(reason: str) -> InvalidValue:
    return InvalidValue(f"the template fails: {reason}")
