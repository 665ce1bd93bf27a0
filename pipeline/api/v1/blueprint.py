"""How an operation of /v1 is declared: in one place its route, who may, what it takes and gives.

    @blueprint.operation("POST", "/v1/alarms", Permission.MODIFY, body="AlarmIn", gives=AlarmOut)
    def create(body): ...

The view gets the parts of the path, `body` (the JSON object that was sent), `query` (what the
query's schema loaded) and `digest` (of If-Match), each only if the operation declares it. It
returns a document, a page, or None for 204.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import chain
from typing import Any
from urllib.parse import urlencode

import flask_smorest
from flask import Response, g, jsonify, request
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from pipeline.access import Permission
from pipeline.desk import LocalDesk, Page

View = Callable[..., Any]
_PART_OF_PATH = re.compile(r"<(?:\w+:)?(\w+)>")
DEEPEST = 100
"""How deep a body may be nested; whoever looks into it goes down by calls."""
_OK, _CREATED, _NO_CONTENT = 200, 201, 204
IF_MATCH = "x-if-match"
"""Says of an operation that it takes that header: `description` describes it, as parameters of
flask-smorest's own would be lost beside one that is said here."""
_WEAK = "W/"
"""No digest is this: a weak tag, of which there are none here, matches nothing."""
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "The digest, in quotes."}}


class _Parser(FlaskParser):
    DEFAULT_VALIDATION_STATUS = 400
    # The schema says itself what becomes of an argument that it does not know.
    DEFAULT_UNKNOWN_BY_LOCATION = {}  # noqa: RUF012 - as webargs declares it


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A matter's operations."""

    ARGUMENTS_PARSER = _Parser()

    def operation(
        self,
        method: str,
        rule: str,
        permission: Permission,
        *,
        gives: type[Schema] | None = None,
        status: int = 0,
        body: str = "",
        query: type[Schema] | None = None,
        digest: bool = False,
        kind: str = "",
    ) -> Callable[[View], View]:
        """Declare an operation; `permission` is what the desk will ask for.

        The view's name is its `operationId`, and the docstring describes it; `kind` is added to
        the one, and stands for `{kind}` in the other.
        """
        status = status or (_OK if gives else _NO_CONTENT)

        def decorate(view: View) -> View:
            wrapped = _answering(view, status, body=bool(body), digest=digest)
            wrapped = _described(self, wrapped, permission, gives, status, body, digest, rule)
            name = "_".join(filter(None, (view.__name__.rstrip("_"), kind)))
            wrapped = self.doc(operationId=name)(wrapped)
            wrapped.__doc__ = (view.__doc__ or "").replace("{kind}", kind)
            if query is not None:
                wrapped = self.arguments(query, location="query", as_kwargs=False)(wrapped)
            self.route(rule, methods=[method])(wrapped)
            return view

        return decorate


def desk() -> LocalDesk:
    """The desk of the request's caller."""
    found: LocalDesk = g.desk
    return found


def _answering(view: View, status: int, *, body: bool, digest: bool) -> View:
    @wraps(view)
    def answer(*arguments: Any, **path: Any) -> Response | tuple[str, int]:
        # webargs gives what it loaded as the argument without a name.
        given = {**path, **({"query": arguments[0]} if arguments else {})}
        if body:
            given["body"] = sent_object()
        if digest:
            given["digest"] = _if_match()
        found = view(**given)
        if found is None:
            return "", status
        response = jsonify(_page(found) if isinstance(found, Page) else found)
        response.status_code = status
        if isinstance(found, Mapping) and "digest" in found:
            response.set_etag(str(found["digest"]))
        return response

    return answer


def _described(
    blueprint: Blueprint,
    view: View,
    permission: Permission,
    gives: type[Schema] | None,
    status: int,
    body: str,
    digest: bool,
    rule: str,
) -> View:
    """The view with what the OpenAPI description says of it."""
    described: dict[str, Any] = {"x-permission": str(permission), "security": [{"token": []}]}
    if body:
        schema = {"$ref": f"#/components/schemas/{body}"}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if digest:
        described[IF_MATCH] = True
    view = blueprint.doc(**described)(view)
    shown = {"schema": gives} if gives else {}
    headers = _ETAG if digest else None
    view = blueprint.alt_response(status, success=True, headers=headers, **shown)(view)
    problem = {"$ref": "#/components/schemas/Problem"}
    for code in _problems(rule, body, digest):
        view = blueprint.alt_response(
            code, schema=problem, content_type="application/problem+json"
        )(view)
    return view


def _problems(rule: str, body: str, digest: bool) -> list[int]:
    found = [400, 401, 403, 429, 503]
    # A body may name what is not there as well.
    found += [404] if body or _PART_OF_PATH.search(rule) else []
    found += [409, 413, 415] if body else []
    found += [409, 412] if digest else []
    return sorted(set(found))


def sent_object() -> Mapping[str, Any]:
    """The JSON object that was sent. Raises 400 or 415 for anything else."""
    if not request.is_json:
        raise UnsupportedMediaType("send JSON, with Content-Type: application/json.")
    try:
        sent = json.loads(request.get_data(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is no JSON. Send an object with named fields.") from error
    if not isinstance(sent, dict):
        raise BadRequest("the body is no object. Send one with named fields: {…}.")
    if _is_deeper(sent, DEEPEST):
        raise BadRequest(f"the body is nested more than {DEEPEST} deep. Send it flatter.")
    return sent


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects stand in each other more than so deep."""
    here = [value]
    for _ in range(most + 1):
        inner = [each.values() if isinstance(each, dict) else each
                 for each in here if isinstance(each, (dict, list))]  # fmt: skip
        here = list(chain.from_iterable(inner))
    return bool(here)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _if_match() -> str | None:
    """The digest in If-Match; None for none, or for any."""
    tags = request.if_match
    if not tags or tags.star_tag:
        return None
    found: str = next(iter(tags), _WEAK)
    return found


def _page(page: Page) -> dict[str, Any]:
    following = None
    if page.marker is not None:
        arguments = {**request.args.to_dict(), "marker": page.marker}
        following = f"{request.path}?{urlencode(arguments)}"
    return {"items": list(page.items), "next": following}
