"""Webhook: a request of which people say themselves what stands in it (notifications 6).

URL, headers and body are templates over `title`, `message`, `severity`, `timestamp`, `fields.*`
and `secrets.*`, with the filters `url_encode`, `escape` and `json`. The secrets are kept apart
from the rest and never shown: not in an error, nor where a receiver repeats them. Signed where
there is a signing secret (`pipeline.targets.signing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jinja2 import Environment, nodes
from marshmallow import ValidationError, fields, validates_schema

from pipeline.errors import InvalidValue
from pipeline.notification import Delivery
from pipeline.targets.base import HttpTarget, Tools
from pipeline.targets.http import Request
from pipeline.targets.options import Pairs, SignedSchema, check_url, text
from pipeline.targets.signing import keys_of, signature_headers
from pipeline.templates import check_template
from pipeline.tracing import trace_headers

_METHODS: Final = ("post", "put", "get")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


class WebhookSchema(SignedSchema):
    """The options of a webhook."""

    url = text(required=True)
    method = fields.Function(deserialize=lambda value: _method(value), load_default="post")
    header = Pairs(":", load_default=dict)
    body = text(load_default="")
    secret = Pairs("=", metadata={"secret": True}, load_default=dict)

    @validates_schema
    def _templates(self, data: Mapping[str, Any], **_: Any) -> None:
        problems: dict[str, list[str]] = {}
        for name, template in _sources(data):
            problems.setdefault(name, []).extend(_wrong(template, data.get("secret", {})))
        problems.setdefault("header", []).extend(_wrong_names(data.get("header", {})))
        problems = {name: said for name, said in problems.items() if said}
        if problems:
            raise ValidationError(problems)

    @validates_schema
    def _url(self, data: Mapping[str, Any], **_: Any) -> None:
        if "url" in data and "{" not in data["url"]:
            try:
                check_url(data["url"])
            except ValidationError as error:
                raise ValidationError(str(error.messages[0]), "url") from error


class WebhookTarget(HttpTarget):
    """Sends the request that its templates make of a notification."""

    schema = WebhookSchema
    timeout_seconds = 10.0

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._keys = keys_of([options["signing_secret"]] if "signing_secret" in options else [])

    def request(self, delivery: Delivery) -> Request:
        """The request, each part filled in. Raises `InvalidValue` naming the part that fails."""
        options = self._options
        url = self._filled("url", options["url"], delivery).strip()
        body = self._filled("body", options["body"], delivery).encode("utf-8", "replace")
        headers = {"content-type": "text/plain; charset=utf-8"} if body else {}
        for name, template in options["header"].items():
            value = self._filled(f"header {name}", template, delivery)
            headers[name.lower()] = _header(value)
        headers["webhook-id"] = delivery.delivery_id
        now = self._tools.clock()
        headers |= signature_headers(self._keys, delivery.delivery_id, now, body)
        headers |= trace_headers(delivery.trace)
        return Request(url, body, headers, options["method"].upper())

    def _filled(self, part: str, template: str, delivery: Delivery) -> str:
        if "{" not in template:
            return template
        told, secrets = delivery.notification, self._options["secret"]
        try:
            return self._tools.templates.expand(template, told, secrets)
        except InvalidValue as error:
            raise InvalidValue(f"{part}: {error}. Correct the target's {part}") from error


def _header(value: str) -> str:
    """A value that stays one header: no line end in it, and UTF-8 as HTTP carries bytes."""
    line = _NOT_IN_A_HEADER.sub(" ", value).strip()
    return line.encode("utf-8", "replace").decode("latin-1")


# --- what is wrong with options ------------------------------------------------------------------


def _method(value: Any) -> str:
    method = value.lower() if isinstance(value, str) else ""
    if method not in _METHODS:
        raise ValidationError(f"Use one of {', '.join(_METHODS)}.")
    return method


def _sources(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The templates, each with the option that it stands in."""
    yield "url", data.get("url", "")
    yield "body", data.get("body", "")
    for template in data.get("header", {}).values():
        yield "header", template


def _wrong(template: str, secrets: Mapping[str, str]) -> Iterator[str]:
    try:
        check_template(template)
    except InvalidValue as error:
        yield str(error)
        return
    for name in _secrets_in(Environment().parse(template)):
        if name not in secrets:
            yield f"There is no secret {name}: give it as secret, with name and value."


def _secrets_in(parsed: nodes.Template) -> Iterator[str]:
    """The names of secrets that a template asks for: `secrets.a`, `secrets["a"]`."""
    for dotted in parsed.find_all(nodes.Getattr):
        if _is_secrets(dotted.node):
            yield dotted.attr
    for found in parsed.find_all(nodes.Getitem):
        if _is_secrets(found.node) and isinstance(found.arg, nodes.Const):
            yield str(found.arg.value)


def _is_secrets(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name) and node.name == "secrets"


def _wrong_names(headers: Mapping[str, str]) -> Iterator[str]:
    for name in headers:
        if not _TOKEN.fullmatch(name):
            yield f"{name!r} is no name of a header."
        if name.lower() in _OURS:
            yield f"{name} is set by Tocsin."
