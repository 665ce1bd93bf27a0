"""The page: operations by matter, with all that the template shows of each. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.api.docs.shapes import Row, Shapes, Variant, with_default

_JSON: Final = "application/json"
_INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|\*(?P<em>[^*\s][^*]*)\*(?!\*)"
)
_PLACES: Final = {"path": 0, "query": 1, "header": 2}


class Parameter(NamedTuple):
    """A parameter: its name, where it stands, and as a row."""

    place: str
    row: Row


class Operation(NamedTuple):
    """An operation as it is shown."""

    id: str
    method: str
    path: str
    permission: str
    summary: str
    description: str
    parameters: list[Parameter]
    body: list[Row]
    variants: list[Variant]
    status: str
    answer: list[Row]
    answer_example: str
    curl: str
    errors: list[tuple[str, str]]


class Matter(NamedTuple):
    """A tag with its operations."""

    name: str
    description: str
    operations: list[Operation]


def page(document: Mapping[str, Any], statuses: Mapping[HTTPStatus, str]) -> str:
    """The page of an OpenAPI document. `statuses` says what each error status means."""
    environment = Environment(
        loader=PackageLoader("pipeline.api", "docs"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    return environment.get_template("page.html.j2").render(
        info=document["info"],
        paragraphs=document["info"]["description"].split("\n\n"),
        matters=list(_matters(document)),
        statuses=[
            (int(status), status.phrase, anchor(status), text) for status, text in statuses.items()
        ],
    )


def anchor(status: HTTPStatus) -> str:
    """Where a status is explained: `not-found`."""
    return status.name.lower().replace("_", "-")


def inline(text: str) -> Markup:
    """A text with Markdown's `code`, *emphasis* and **strong** words, and nothing else."""
    return Markup(_INLINE.sub(_marked, str(escape(" ".join(text.split())))))


def _marked(found: re.Match[str]) -> str:
    tag = str(found.lastgroup)
    return f"<{tag}>{found[tag]}</{tag}>"


def _matters(document: Mapping[str, Any]) -> Iterator[Matter]:
    shapes = Shapes(document["components"]["schemas"])
    for tag in document["tags"]:
        found = [
            _operation(shapes, path, method.upper(), each)
            for path, item in document["paths"].items()
            for method, each in item.items()
            if isinstance(each, dict) and tag["name"] in each.get("tags", ())
        ]
        if found:
            yield Matter(tag["name"], tag.get("description", ""), found)


def _operation(shapes: Shapes, path: str, method: str, said: Mapping[str, Any]) -> Operation:
    content = said.get("requestBody", {}).get("content", {}).get(_JSON, {})
    schema = content.get("schema", {})
    status, answer = next(
        (code, each) for code, each in said["responses"].items() if code.startswith("2")
    )
    given = answer.get("content", {}).get(_JSON, {})
    return Operation(
        said["operationId"],
        method,
        path,
        said.get("x-permission", ""),
        said.get("summary", ""),
        said.get("description", ""),
        sorted(map(partial(_parameter, shapes), said.get("parameters", ())),
               key=lambda each: _PLACES.get(each.place, len(_PLACES))),
        shapes.rows(schema),
        shapes.variants(schema),
        f"{status} {HTTPStatus(int(status)).phrase}",
        shapes.rows(given.get("schema", {})),
        _pretty(given["example"]) if "example" in given else "",
        _curl(method, path, content.get("example")),
        [(code, anchor(HTTPStatus(int(code)))) for code in said["responses"]
         if not code.startswith("2")],
    )  # fmt: skip


def _parameter(shapes: Shapes, said: Mapping[str, Any]) -> Parameter:
    schema = said["schema"]
    about = with_default(said.get("description") or schema.get("description", ""), schema)
    row = Row(said["name"], shapes.holds(schema), said.get("required", False), about)
    return Parameter(said["in"], row)


def _curl(method: str, path: str, body: Any) -> str:
    """A command that asks for it; what a path has in braces is to be filled in."""
    where = re.sub(r"{(\w+)}", lambda found: found[1].upper(), path)
    words = ["curl"] if method == "GET" or (method == "POST" and body) else ["curl", "-X", method]
    lines = [f'{" ".join(words)} "$TOCSIN_SERVER{where}" -H "Authorization: Bearer $TOCSIN_TOKEN"']
    if body is not None:
        lines.append(f"  --json {shlex.quote(_pretty(body))}")
    return " \\\n".join(lines)


def _pretty(value: Any) -> str:
    """JSON over some lines; what is short stays on one."""
    return _lines(value, "", 72)


def _lines(value: Any, indent: str, width: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= width or not isinstance(value, (dict, list)) or not value:
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        inner = [
            f"{deeper}{json.dumps(k, ensure_ascii=False)}: {_lines(v, deeper, width)}"
            for k, v in value.items()
        ]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    return (
        "[\n" + ",\n".join(f"{deeper}{_lines(v, deeper, width)}" for v in value) + f"\n{indent}]"
    )
