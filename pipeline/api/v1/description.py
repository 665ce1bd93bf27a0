"""The OpenAPI document as it is served: what flask-smorest made, put into words and in order.

Pure: a document goes in, a document comes out. It adds what is true of every operation, and so is
not declared with each: how errors look, what a change may leave out, what a part of a path means.
Called once, when the application is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from pipeline import __version__
from pipeline.api.docs.page import anchor
from pipeline.api.v1.blueprint import IF_MATCH
from pipeline.api.v1.examples import ANSWERS, BODIES, ERRORS
from pipeline.api.v1.target_schemas import target_schemas
from pipeline.api.v1.words import CHOICES, FIELDS, ITEM_CHOICES, SCHEMAS

Document: TypeAlias = dict[str, Any]

INTRODUCTION: Final = """\
Tocsin turns the events on a message bus into actions. This is its own API: alarms, whom they
tell, and what became of it. `/v2` is Aodh's API, for Aodh's clients.

Show who you are with `Authorization: Bearer TOKEN`; `tocsin token create` makes one. What you may
do follows from its role (*audit* looks, *manage* changes states and uses targets, *admin* changes
everything), and from the projects and names that it may be held to. What belongs to a project that
you do not see is not found.

**Lists** come in pages: `{"items": […], "next": "/v1/alarms?limit=100&marker=…"}`. Ask for `next`
until it is null. `limit` is 1 to 1000.

**Edits** change what is given and keep all else. A document has a `digest`, also in the header
`ETag`: send it back in `If-Match`, and a change that somebody came before is refused with 412.

**Errors** are problem documents (RFC 9457, `application/problem+json`): `detail` says what is
wrong and how to mend it, `errors` names each field. Every answer has the header
`x-openstack-request-id`, under which the server's log tells of it.

**Secrets** are never shown: they read `***`. Given back so, or left out, they stay as they are."""

TAGS: Final = (
    "alarms",
    "trials",
    "targets",
    "groups",
    "filters",
    "matchers",
    "routes",
    "notifications",
    "kinds",
    "templates",
    "deliveries",
    "dead-letters",
    "events",
    "rejected-events",
    "publications",
    "as-code",
    "tokens",
    "status",
)
"""The matters in the order in which people meet them; others come behind."""

_PROBLEM: Final = "application/problem+json"
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/"
_MADE_BY_SMOREST: Final = ("Error", "PaginationMetadata")
_PATH_WORDS: Final[Mapping[str, str]] = {
    "alarm": "The alarm's id, or its name where only one has it.",
    "name": "Its name.",
    "kind": "The id of a kind.",
    "type": "A type of target.",
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The digest that the change was made from, in quotes; 412 if it has changed.",
}
_REASONS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "What was sent does not fit; `errors` names each field.",
    HTTPStatus.UNAUTHORIZED: "Nobody has shown who asks, or the token is no longer good.",
    HTTPStatus.FORBIDDEN: "Whoever asks is known, and may not do this.",
    HTTPStatus.NOT_FOUND: "There is nothing of this id or name that you may see.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This cannot be done there; the header Allow says what can.",
    HTTPStatus.CONFLICT: "It does not go with what there is: a name that is taken, a thing that "
    "is still used, a name that several have.",
    HTTPStatus.PRECONDITION_FAILED: "Somebody has changed it since: its digest is another. Read "
    "it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than `api.max_body_bytes`, or what "
    "stands before it than `api.max_header_bytes`.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "Path and query are longer than `api.max_header_bytes`.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is no JSON: send `Content-Type: "
    "application/json`.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests came; the header Retry-After says when to go "
    "on.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Tocsin failed; its log says why, beside the request's id.",
    HTTPStatus.NOT_IMPLEMENTED: "The body comes in a coding that is not understood: send it as it "
    "is, or in chunks.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database cannot be asked now. Try again after the time "
    "in Retry-After.",
}
"""What each status means, wherever it comes."""
_RETRY_LATER: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ALWAYS: Final = (
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.NOT_IMPLEMENTED,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
)
"""Said of no operation by itself: no operation means to answer so."""


def described(made: Mapping[str, Any], words: Mapping[str, str]) -> Document:
    """The document to serve. `words` says of schemas, by name, what they describe."""
    found = _publicly_named(made)
    schemas = found["components"]["schemas"]
    for name in _MADE_BY_SMOREST:
        schemas.pop(name, None)
    for name, text in {**words, **SCHEMAS}.items():
        if schema := schemas.get(name.lstrip("_")):
            schema["description"] = text
    _describe_fields(schemas)
    schemas.update(target_schemas())
    for item in found["paths"].values():
        _share_parameters(item)
    for method, _, operation in operations(found):
        _describe_operation(method, operation, schemas)
    found["components"]["responses"] = _responses()
    _describe_whole(found)
    return found


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Document]]:
    """Each operation: its method in capitals, its path, and what the document says of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                yield method.upper(), path, operation


def statuses() -> Mapping[HTTPStatus, str]:
    """What each status means that an error may have."""
    return _REASONS


# --- one operation ---------------------------------------------------------------------------


def _share_parameters(item: Document) -> None:
    """Say the parameters of a path with each of its operations, beside the others."""
    shared = item.pop("parameters", [])
    for operation in item.values():
        given = [*shared, *operation.get("parameters", ())]
        if operation.pop(IF_MATCH, False):
            given.append(_IF_MATCH)
        if given:
            operation["parameters"] = [dict(each) for each in given]


def _describe_operation(method: str, operation: Document, schemas: Document) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter.get("in") == "path":
            parameter.setdefault("description", _PATH_WORDS.get(parameter["name"], "Its id."))
            parameter["schema"] = {"minLength": 1, **parameter["schema"]}
    if body := operation.get("requestBody"):
        _describe_body(method, operation["operationId"], body["content"][_JSON], schemas)
    for code, response in list(operation["responses"].items()):
        if _PROBLEM in response.get("content", {}):
            name = _response_name(HTTPStatus(int(code)))
            operation["responses"][code] = {"$ref": f"#/components/responses/{name}"}
        elif example := ANSWERS.get(operation["operationId"]):
            response["content"][_JSON]["example"] = example


def _describe_body(method: str, name: str, content: Document, schemas: Document) -> None:
    if example := BODIES.get(name):
        content["example"] = example
    reference = content["schema"].get("$ref", "")
    if method == "PATCH" and reference.endswith("In"):
        given = reference.removeprefix(_REF)
        changed = f"{given.removesuffix('In')}Change"
        schemas.setdefault(changed, _optional(given, schemas[given]))
        content["schema"] = {"$ref": f"{_REF}{changed}"}


def _optional(name: str, schema: Document) -> Document:
    """The schema of a change: what need not be given stays as it is."""
    found = {key: value for key, value in schema.items() if key not in ("required", "oneOf")}
    found.pop("discriminator", None)
    found["description"] = f"What is to change; all else stays. As in {name}."
    # A default is what something new has, and nothing that a change brings.
    found["properties"] = {
        key: {k: v for k, v in value.items() if k != "default"}
        for key, value in schema.get("properties", {}).items()
    }
    return found


# --- the whole -------------------------------------------------------------------------------


def _describe_whole(found: Document) -> None:
    found["info"] |= {
        "title": "Tocsin",
        "version": __version__,
        "summary": "Turns the events on a message bus into actions.",
        "description": INTRODUCTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    found["servers"] = [{"url": "/", "description": "The server that serves this document."}]
    found["security"] = [{"token": []}]
    place = {name: number for number, name in enumerate(TAGS)}
    found["tags"].sort(key=lambda tag: place.get(tag["name"], len(place)))
    token = found["components"]["securitySchemes"]["token"]
    token["description"] = "A token of `tocsin token create`."
    found["externalDocs"] = {"url": "/docs", "description": "The same as a page to read."}


def _responses() -> Document:
    found: Document = {}
    for status, text in _REASONS.items():
        if status in _ALWAYS:
            continue
        example = {
            "type": f"/docs#{anchor(status)}",
            "title": status.phrase,
            "status": int(status),
            "request_id": "req-0f4f4a1c-3c1e-4c36-9a6e-3d7a5ad8a5d0",
            **ERRORS[status],
        }
        found[_response_name(status)] = {
            "description": text,
            "content": {
                _PROBLEM: {"schema": {"$ref": f"{_REF}Problem"}, "example": example},
            },
        }
        if status in _RETRY_LATER:
            found[_response_name(status)]["headers"] = {
                "Retry-After": {"schema": {"type": "string"}, "description": "In seconds."}
            }
    return found


def _response_name(status: HTTPStatus) -> str:
    return "".join(word.capitalize() for word in status.name.split("_"))


def _describe_fields(schemas: Document) -> None:
    """What the schemas that check bodies do not tell of their fields."""
    for name, words in FIELDS.items():
        properties = schemas[name]["properties"]
        for field, text in words.items():
            if field in properties:
                properties[field].setdefault("description", text)
        for field, choices in CHOICES.get(name, {}).items():
            properties[field]["enum"] = choices
        for field, choices in ITEM_CHOICES.get(name, {}).items():
            properties[field]["items"] = {**properties[field]["items"], "enum": choices}
    # The desk makes an alarm of events of what does not say its type.
    schemas["AlarmIn"]["required"] = ["name"]
    schemas["AlarmIn"]["properties"]["type"]["default"] = "event"


def _publicly_named(document: Mapping[str, Any]) -> Document:
    """A copy without the underscores that say of a class that it is its module's own."""
    text = json.dumps(document)
    found: Document = json.loads(re.sub(r'("#/components/schemas/)_+', r"\1", text))
    schemas = found["components"]["schemas"]
    found["components"]["schemas"] = {name.lstrip("_"): each for name, each in schemas.items()}
    return found
